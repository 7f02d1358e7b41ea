use super::*;

fn append(journal: &Journal, outcome: &Outcome) -> Option<Entry> {
    journal.append(outcome, Lane::Bulk, SystemEmailKind::PasswordReset)
}

fn accepted(n: u128) -> Outcome {
    Outcome {
        delivery: Uuid::from_u128(n),
        attempt: 2,
        token: Uuid::from_u128(7),
        began_at: OffsetDateTime::UNIX_EPOCH + Duration::from_micros(1_700_000_000_123_456),
        ending: Ending::Sent {
            password_lifetime: Some(Duration::from_secs(90)),
        },
        phase: "dot",
        code: Some(250),
        enhanced_code: Some("2.0.0".to_owned()),
        reply: "2.0.0 taken for ada@example.org".to_owned(),
        unknown: None,
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let databases = std::fs::read_dir(folder).unwrap().flatten();
    let files = databases.flat_map(|database| std::fs::read_dir(database.path()).unwrap().flatten());
    files.map(|file| file.path()).collect()
}

#[test]
fn what_a_dead_worker_left_is_found_and_a_cut_off_line_is_skipped() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path(), "db").unwrap();
    let _unrecorded: Vec<Entry> = (1..=3).map(|n| append(&journal, &accepted(n)).unwrap()).collect();
    let written = std::fs::read(&files(folder.path())[0]).unwrap();
    let left = journal.folder.join("left").with_extension(EXTENSION);
    std::fs::write(&left, &written[..written.len() - 9]).unwrap();

    let found = abandoned(&journal.folder);

    assert_eq!(found.len(), 1, "a file that is being written is left alone");
    let outcomes: Vec<Outcome> = found[0].lines.iter().filter_map(Line::outcome).collect();
    assert_eq!(outcomes.len(), 2);
    let (was, is) = (accepted(1), &outcomes[0]);
    assert_eq!(
        (is.delivery, is.attempt, is.token, is.began_at, is.code),
        (was.delivery, was.attempt, was.token, was.began_at, was.code)
    );
    assert!(matches!(is.ending, Ending::Sent { password_lifetime: Some(lifetime) } if lifetime.as_secs() == 90));
    assert!(!String::from_utf8(written).unwrap().contains("ada@"));
}

#[test]
fn a_line_that_was_cut_off_does_not_spoil_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path(), "db").unwrap();
    let _unrecorded: Vec<Entry> = (1..=2).map(|n| append(&journal, &accepted(n)).unwrap()).collect();
    let written = std::fs::read(&files(folder.path())[0]).unwrap();
    let (first, second) = written.split_at(written.len() / 2);
    let left = journal.folder.join("left").with_extension(EXTENSION);
    std::fs::write(&left, [&first[..first.len() - 9], second].concat()).unwrap();

    let found = abandoned(&journal.folder);

    let deliveries: Vec<Uuid> = found[0].lines.iter().map(|line| line.delivery).collect();
    assert_eq!(deliveries, [Uuid::from_u128(2)]);
}

#[test]
fn a_file_is_deleted_once_everything_in_it_is_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path(), "db").unwrap();
    let entries: Vec<Entry> = (0..=MAX_ENTRIES as u128)
        .map(|n| append(&journal, &accepted(n)).unwrap())
        .collect();
    assert_eq!(files(folder.path()).len(), 2);

    let mut entries = entries.into_iter();
    entries.by_ref().take(MAX_ENTRIES).for_each(Entry::recorded);
    assert_eq!(files(folder.path()).len(), 1);
    let of_database = journal.folder.clone();
    drop((journal, entries));

    assert_eq!(files(folder.path()).len(), 1, "its only entry is not recorded");
    assert_eq!(abandoned(&of_database).len(), 1);
}

#[test]
fn only_accepted_mails_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path(), "db").unwrap();
    let refused = Outcome {
        ending: Ending::Failed { reason: "refused" },
        ..accepted(1)
    };

    assert!(append(&journal, &refused).is_none());
    drop(journal);

    assert_eq!(files(folder.path()), Vec::<PathBuf>::new());
}

#[test]
fn a_folder_that_cannot_be_written_is_an_error_and_a_failing_disk_is_none() {
    assert!(Journal::open(Path::new("/proc/nowhere"), "db").is_err());
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path(), "db").unwrap();
    std::fs::remove_dir_all(folder.path()).unwrap();
    *journal.current.lock().unwrap() = None;

    assert!(append(&journal, &accepted(1)).is_none());
}
