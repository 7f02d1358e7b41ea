use super::*;

#[test]
fn there_are_a_thousand_different_people() {
    let people = people();

    let addresses: HashSet<&str> = people.iter().map(|person| person.email.as_str()).collect();
    assert_eq!((people.len(), addresses.len()), (PEOPLE, PEOPLE));
    let languages: HashSet<&str> = people.iter().map(|person| person.language.as_str()).collect();
    assert!(languages.len() >= 40, "{languages:?}");
}

#[test]
fn every_name_has_a_form_for_addresses() {
    for block in blocks(NAMES) {
        assert!(
            !block.given.is_empty() && !block.family.is_empty(),
            "{}",
            block.language
        );
        for name in block.given.iter().chain(&block.family) {
            let fits = |c: char| c.is_ascii_lowercase() || "'.-".contains(c);
            assert!(name.latin.chars().all(fits), "{} = {}", name.written, name.latin);
            assert!(
                !name.latin.contains("..") && !name.latin.ends_with('.'),
                "{}",
                name.latin
            );
        }
    }
}

#[test]
fn every_fate_is_met_by_a_few() {
    let people = people();
    let of = |fate| people.iter().filter(|person| person.fate == fate).count();

    assert_eq!(of(Fate::LineBreaks), 3);
    assert!((5..20).contains(&of(Fate::NoSuchUser)));
    assert!((15..30).contains(&of(Fate::PutOff)));
}

#[test]
fn every_mistake_is_in_the_file_once() {
    let sheet = sheet(&people());

    assert_eq!(sheet.faults.len(), MISTAKES.len());
    assert_eq!(sheet.csv.lines().count(), sheet.rows + 1);
    let codes: HashSet<(&str, &str)> = sheet
        .faults
        .iter()
        .map(|(_, column, code)| (column.as_str(), code.as_str()))
        .collect();
    assert_eq!(codes.len(), MISTAKES.len(), "each is of a kind of its own");
}
