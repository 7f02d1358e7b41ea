//! A worker is killed while it holds mails.

use crate::json;
use harness::relay::Behaviour;
use harness::world::PATIENCE;
use harness::{Setup, World};
use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

#[tokio::test]
async fn nothing_is_lost_and_second_mails_are_recorded_as_unsure() {
    let setup = Setup::default().workers(2).worker_setting("BECKON_LEASE", "2s");
    World::run_with(setup, async |world| {
        world.relay.set_default(Behaviour::SlowDot(Duration::from_millis(100)));
        let import = world.people(600).await;

        let batch = world.reset_passwords(json!({ "import": import })).await;
        for accepted in [20, 60] {
            world.relay.wait_for(accepted, PATIENCE).await.unwrap();
            world.kill_worker(0).await;
            world.start_worker().await.unwrap();
        }
        let finished = world.finished(batch).await;

        assert_eq!(finished["counts"]["sent"], 600, "{finished}");
        world.assert_promises_kept().await;
        let mails = world.relay.all_mails().unwrap();
        let doubled = mails.len() - 600;
        assert!(
            i64::try_from(doubled).unwrap() <= finished["counts"]["unsure"].as_i64().unwrap(),
            "{finished}"
        );
        let mut times: HashMap<&str, usize> = HashMap::new();
        for mail in &mails {
            *times.entry(&mail.recipient).or_default() += 1;
        }
        let once = mails.iter().filter(|mail| times[mail.recipient.as_str()] == 1);
        for mail in once.step_by(100) {
            world.sign_in(&mail.recipient, mail.password().unwrap()).await;
        }
    })
    .await;
}

#[tokio::test]
async fn accepted_mails_that_were_not_recorded_are_not_sent_again() {
    let setup = Setup::default().worker_setting("BECKON_LEASE", "60s");
    World::run_with(setup, async |world| {
        let import = world.people(200).await;
        // Nothing can be recorded while attempts are locked.
        let lock = world.block_table("attempts").await;

        let batch = world.reset_passwords(json!({ "import": import })).await;
        // The last replies may still be on their way when the relay has accepted everything.
        let journal = world.folder().join("journal");
        world
            .eventually("all replies to be read", async || {
                (lines_in(&journal) == 200).then_some(())
            })
            .await;
        world.kill_worker(0).await;
        let killed = world.batch(batch).await;
        // Its statements wait for the lock and must not succeed after its death.
        let ended = world.end_waiting_sessions().await;
        lock.release().await;
        world.start_worker().await.unwrap();
        let finished = world.finished(batch).await;

        assert!(ended > 0);
        assert_eq!(killed["counts"]["sending"], 200, "{killed}");
        assert_eq!(finished["counts"]["sent"], 200, "{finished}");
        assert_eq!(finished["counts"]["unsure"], 0, "{finished}");
        assert_eq!(world.relay.accepted_count(), 200);
        let logged = world.workers[0].log();
        assert!(
            logged.contains("Recorded accepted mails of a worker that died"),
            "{logged}"
        );
        world.assert_promises_kept().await;
        world.assert_mailed_passwords_work(|_| true, 30).await;
        world.stop_worker(0).await;
        assert_eq!(files_in(&journal), 0, "a stopped worker leaves no files");
    })
    .await;
}

/// Number of files in a folder and its subfolders.
fn files_in(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let files = entries.map(|entry| {
        if entry.path().is_dir() {
            files_in(&entry.path())
        } else {
            1
        }
    });
    files.sum()
}

/// Number of lines in all files of a folder and its subfolders.
fn lines_in(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let lines = entries.map(|entry| match std::fs::read_to_string(entry.path()) {
        Ok(text) => text.lines().filter(|line| !line.is_empty()).count(),
        Err(_) => lines_in(&entry.path()),
    });
    lines.sum()
}

/// The passwords in this user's mailbox.
fn mailed(world: &World, person: &str) -> Vec<String> {
    let mails = world.relay.mails_to(person).unwrap();
    mails.iter().map(|mail| mail.password().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_password_in_a_mail_the_relay_kept_works_before_anything_is_settled() {
    // The lease outlasts the test, which ends it explicitly.
    let setup = Setup::default().worker_setting("BECKON_LEASE", "10min");
    World::run_with(setup, async |world| {
        let people = ["ada", "grace"].map(|name| format!("slow-dot-10min+{name}@example.org"));
        for person in &people {
            world.relay.set(person, Behaviour::SlowDot(Duration::from_mins(10)));
            world.person(person).await;
        }
        let batch = world.reset_passwords(json!({ "emails": people })).await;
        let held = world.relay.wait_until("two dots", PATIENCE, |counts| counts.dots == 2);
        held.await.unwrap();

        world.kill_worker(0).await;
        world.relay.wait_for(2, PATIENCE).await.unwrap();
        let killed = world.batch(batch).await;
        let at_once = world.verify(&people[0], &mailed(world, &people[0])[0]).await;
        let unsettled = world.batch(batch).await;
        for person in &people {
            world.relay.set(person, Behaviour::Accept);
        }
        world.let_leases_end().await;
        world.start_worker().await.unwrap();
        let finished = world.finished(batch).await;

        assert_eq!(killed["counts"]["sending"], 2, "{killed}");
        assert_eq!(at_once.expect(200)["must_set_password"], true);
        assert_eq!(unsettled["counts"]["sending"], 2, "it was settled: {unsettled}");
        assert_eq!(finished["counts"]["sent"], 2, "{finished}");
        assert_eq!(finished["counts"]["unsure"], 2, "{finished}");
        let live = world.rows("credentials").count().await;
        assert_eq!(live, 4, "both passwords of each user are waiting to be used");
        for (person, first) in people.iter().zip([1, 0]) {
            let both = mailed(world, person);
            assert_eq!(both.len(), 2, "{person}");
            for used in [first, 1 - first] {
                world.sign_in(person, &both[used]).await;
            }
        }
        world.assert_promises_kept().await;
    })
    .await;
}

#[tokio::test]
async fn the_api_dies_after_accepting_and_everything_is_sent_when_it_is_back() {
    World::run_with(Setup::default().api_setting("BECKON_MAIL_RATE", "200"), async |world| {
        let import = world.people(500).await;

        let batch = world.invite(json!({ "import": import })).await;
        world.relay.wait_for(50, PATIENCE).await.unwrap();
        world.kill_api().await;
        world.start_api().await.unwrap();
        let finished = world.finished(batch).await;

        assert_eq!(finished["counts"]["sent"], 500, "{finished}");
        assert_eq!(finished["counts"]["unsure"], 0, "{finished}");
        assert_eq!(world.relay.accepted_count(), 500);
        world.assert_promises_kept().await;
    })
    .await;
}
