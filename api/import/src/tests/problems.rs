//! The exact sentence for each row that is rejected.

use super::super::{Accepted, Limits, ParsedFile, ParsedRow, Person, Problem, RowRules};
use super::{file, people, problem, read, rejected};

/// Refused cells: the header, the cell, the code, the sentence.
const PROBLEMS: &[(&str, &str, &str, &str)] = &[
    ("email", "", "address_missing", "Missing"),
    (
        "email",
        "ada",
        "at_sign_missing",
        "Not a valid email address: it has no @",
    ),
    (
        "email",
        "ada@gmial.com.",
        "domain_invalid",
        "Not a valid email address: it ends with a dot – did you mean ada@gmail.com?",
    ),
    (
        "email",
        "Ada <ada@example.org>",
        "angle_brackets",
        "Not a valid email address: leave out the name and the brackets < > – did you mean ada@example.org?",
    ),
    (
        "email",
        "ada @example.org",
        "space_in_address",
        "Not a valid email address: it contains a space – did you mean ada@example.org?",
    ),
    (
        "email",
        "ada@example",
        "domain_not_public",
        "Not a valid email address: the part after @ has no dot",
    ),
    (
        "email",
        "a@b.co>\r\nRCPT TO:<x@y.com",
        "control_character",
        "Not a valid email address: it contains a control character or an invisible one",
    ),
    (
        "email",
        "SMTP:ada@example.org",
        "local_part_invalid",
        "Not a valid email address: the part before @ contains the character : – did you mean ada@example.org?",
    ),
    (
        "email",
        "ada@uni-hamburg.dee",
        "domain_impossible",
        "Not a valid email address: no domain has this ending – did you mean ada@uni-hamburg.de?",
    ),
    (
        "email",
        "ada@10.in-addr.arpa",
        "domain_impossible",
        "Not a valid email address: no domain has this ending",
    ),
    // Neither itself nor another address that is refused is suggested.
    (
        "email",
        "ada@server.local",
        "domain_impossible",
        "Not a valid email address: no domain has this ending",
    ),
    (
        "email",
        "smtp:ada@server.local",
        "local_part_invalid",
        "Not a valid email address: the part before @ contains the character :",
    ),
    (
        "email",
        "ada_example.org#EXT#@contoso.onmicrosoft.com",
        "guest_sign_in_name",
        "Is the sign-in name of a guest, not an email address – did you mean ada@example.org?",
    ),
    ("First name", "TRUE", "not_a_name", "Is a logical value, not a name"),
    (
        "First name",
        "CN=Ada Lovelace,OU=Staff",
        "not_a_name",
        "Is an entry of a directory, not a name – did you mean Ada Lovelace?",
    ),
    (
        "First name",
        "{{first_name}}",
        "placeholder",
        "Is a placeholder that a program did not fill in – leave the cell empty if there is no name",
    ),
    (
        "First name",
        "J=C3=B6rg",
        "encoded_text",
        "Contains codes in place of letters – did you mean Jörg?",
    ),
    (
        "town",
        "=?UTF-8?Q?M=C3=BCnchen?=",
        "encoded_text",
        "Contains codes in place of letters – did you mean München?",
    ),
    (
        "town",
        "MĂĽnchen",
        "double_encoded",
        "Letters were garbled when this file was saved – did you mean München?",
    ),
    (
        "groups",
        "System.Object[]",
        "placeholder",
        "Is the name of a data type – export the value itself",
    ),
    (
        "Start date",
        "31.02.2026",
        "impossible_date",
        "Is not a date in the calendar",
    ),
    (
        "First name",
        "Ada\nX",
        "control_character",
        "Has a line break – write it in one line",
    ),
    (
        "First name",
        "Ada\tX",
        "control_character",
        "Has a character that cannot be printed (U+0009) – remove it",
    ),
    (
        "Last name",
        "Ada\u{202E}X",
        "control_character",
        "Has a character that cannot be printed (U+202E) – remove it",
    ),
    (
        "Last name",
        "Ren\u{FFFD}e",
        "lost_letter",
        "A letter was lost here (�) – write it again and save the file as CSV UTF-8",
    ),
    (
        "Last name",
        "#REF!",
        "spreadsheet_error",
        "The spreadsheet shows an error in this cell – correct the formula",
    ),
    (
        "First name",
        "win-a-phone.com",
        "looks_like_a_link",
        "Looks like a web address – a name must not have one",
    ),
    (
        "Last name",
        "http://evil",
        "looks_like_a_link",
        "Looks like a web address – a name must not have one",
    ),
    (
        "Language",
        "english please",
        "language_invalid",
        "Not a language code – write for example en, de or pt-BR",
    ),
    (
        "team",
        "a\rb",
        "control_character",
        "Has a line break – write it in one line",
    ),
    (
        "team",
        "x\u{85}y",
        "control_character",
        "Has a character that cannot be printed (U+0085) – remove it",
    ),
];

#[test]
fn an_invalid_cell_is_reported_with_these_messages() {
    for &(header, cell, code, words) in PROBLEMS {
        let other = if header == "email" { "x,y" } else { "email,a@b.co" };
        let (name, value) = other.split_once(',').unwrap();
        let text = format!("{name},{header}\n{value},\"{cell}\"\n");

        let problem = problem(&text);

        assert_eq!((problem.code, problem.message.as_str()), (code, words), "{text}");
        assert_eq!((problem.row, problem.column.as_deref()), (2, Some(header)));
        assert!(problem.value.chars().count() <= 80 && !problem.value.contains(char::is_control));
    }
}

#[test]
fn values_that_resemble_damage_are_imported() {
    let text = "email,first name,last name,link,manager,room,template\n\
        ada_example.org@contoso.onmicrosoft.com,Rechtsanw.in Eva,BĂŞESCU,https://example.org/J%C3%B6rg,\
        \"CN=Bob,OU=Staff\",1E5,{{ first_name }}\n\
        bob@lerna.example,Dr.in Ida,KRÍŽ,a=C3=B6,True,31.02.2026,{x}\n";

    assert_eq!(people(text).len(), 2);
}

#[test]
fn lengths_are_counted_in_characters() {
    let name = |length| format!("email,first name\na@b.co,{}\n", "é".repeat(length));
    let value = |length| format!("email,team\na@b.co,{}\n", "é".repeat(length));

    assert_eq!(people(name(200)).len(), 1);
    assert_eq!(people(value(1_000)).len(), 1);
    let (name, value) = (problem(name(201)), problem(value(1_001)));
    assert_eq!((name.code, value.code), ("too_long", "too_long"));
    assert_eq!(name.message, "Too long (limit 200 characters)");
    assert_eq!(value.message, "Too long (limit 1,000 characters)");
    assert_eq!(value.value, format!("{}…", "é".repeat(79)));
}

#[test]
fn an_invalid_row_is_reported_with_these_messages() {
    let extra = problem("email,name\na@b.co,Lovelace, Ada,,\n");
    let stray = problem("email,name\na@b.co,\"Ada \"the\" first\"\n");

    assert_eq!(
        (extra.code, extra.message.as_str(), extra.value.as_str()),
        (
            "too_many_cells",
            "This row has 3 cells and the header has 2 – a cell with a separator in it needs quotation marks around it",
            "Ada"
        )
    );
    assert_eq!(
        (stray.code, stray.message.as_str(), stray.value.as_str()),
        (
            "stray_quote",
            "A quotation mark is in the wrong place in column B – write \"\" for one that belongs to the text",
            "\"Ada \"the\" first\""
        )
    );
    assert_eq!(stray.column.as_deref(), Some("name"));
}

#[test]
fn all_problems_of_a_row_are_reported_with_its_cells() {
    let row = rejected("email,first name,last name,team\n ,evil.com,\"a\nb\"\n");

    let found: Vec<_> = row.problems.iter().map(|p| (p.field.as_deref(), p.code)).collect();
    assert_eq!(
        found,
        [
            (Some("email"), "address_missing"),
            (Some("first_name"), "looks_like_a_link"),
            (Some("last_name"), "control_character")
        ]
    );
    assert_eq!(row.cells, [" ", "evil.com", "a\nb", ""]);
}

#[test]
fn a_duplicate_user_is_reported_with_the_first_row() {
    let (sheet, mut lines) =
        ParsedFile::open_csv(file("Team,E-Mail,,Problem\nx,ADA@example.org,,y\n"), Limits::default()).unwrap();
    let Some(Ok(ParsedRow::Person(person))) = lines.next() else {
        panic!("the row is in order");
    };

    let problem = Problem::duplicate_of_row(&person, 14, &sheet);

    assert_eq!(
        (problem.code, problem.message.as_str()),
        ("duplicate_of_row", "Same as row 14")
    );
    assert_eq!((problem.row, problem.column.as_deref()), (2, Some("E-Mail")));
    assert_eq!(problem.value, "ADA@example.org");
    assert_eq!(sheet.cells_of(&person), ["x", "ADA@example.org", ""]);
}

#[test]
fn of_two_hundred_bad_cells_in_a_row_twenty_are_listed_and_the_rest_is_counted() {
    let names: Vec<String> = (1..200).map(|n| format!("c{n}")).collect();
    let cells = ",\u{1}".repeat(199);

    let rejected = rejected(format!("email,{}\na@b.co{cells}\n", names.join(",")));

    assert_eq!((rejected.problems.len(), rejected.cells.len()), (21, 200));
    let last = rejected.problems.last().unwrap();
    assert_eq!(
        (last.code, last.message.as_str(), &last.column, &last.field),
        ("more_problems", "And 179 more problems in this row", &None, &None)
    );
}

/// The valid people of a file with one kind of problem accepted.
fn accepting(code: &str, clears_empty: bool, text: &str) -> Vec<Person> {
    let (_, lines) = ParsedFile::open_csv(file(text), Limits::default()).unwrap();
    let rules = RowRules {
        accepted: Accepted::of([code]).unwrap(),
        clears_empty,
    };
    let person = |line| match line {
        Ok(ParsedRow::Person(person)) => Some(person),
        _ => None,
    };
    lines.with_rules(rules).filter_map(person).collect()
}

#[test]
fn a_user_whose_language_is_unknown_is_imported_without_one_if_accepted() {
    for (cell, code) in [
        ("Klingon", "language_invalid"),
        ("German and English", "language_invalid"),
        ("German (fluent)", "language_invalid"),
        ("-", "placeholder"),
        ("NULL", "placeholder"),
        ("n/a", "placeholder"),
        ("none", "placeholder"),
    ] {
        let text = format!("email,language\na@b.co,{cell}\n");
        let problem = problem(&text);

        assert_eq!((problem.code, problem.acceptable), (code, true), "{cell}");
        let languages = |clears_empty| accepting(code, clears_empty, &text).remove(0).language;
        assert_eq!(languages(false), None, "{cell}");
        // A placeholder is a blank; an unknown language says nothing about the old one.
        let cleared = (code == "placeholder").then(String::new);
        assert_eq!(languages(true), cleared, "{cell}");
    }
    assert_eq!(
        problem("email,language\na@b.co,N/A\n").message,
        "Stands for “nothing” – leave the cell empty if there is no language"
    );
}

#[test]
fn a_text_with_line_breaks_is_imported_in_one_line_if_accepted() {
    let text = "email,first name,notes,team\n\
                a@b.co,\"Ada\r\nMaria\",\"Arrives at nine. \n\n Needs a\tkey\",x\n\
                c@d.co,Cem,\"a\u{7}b\n\",x\n\
                e@f.co,\"win\na-phone.com\",x,\n";

    let found: Vec<_> = read(text)
        .unwrap()
        .1
        .into_iter()
        .flat_map(|line| match line {
            ParsedRow::Rejected(rejected) => rejected.problems,
            ParsedRow::Person(person) => panic!("{person:?}"),
        })
        .map(|problem| (problem.cell.unwrap(), problem.suggestion, problem.acceptable))
        .collect();
    let people = accepting("control_character", false, text);

    let suggested = |cell: &str, text: &str| (cell.to_owned(), Some(text.to_owned()), true);
    let refused = |cell: &str| (cell.to_owned(), None, false);
    assert_eq!(
        found,
        [
            suggested("B2", "Ada Maria"),
            suggested("C2", "Arrives at nine. Needs a key"),
            refused("C3"),
            refused("B4"),
        ]
    );
    assert_eq!(people.len(), 1);
    assert_eq!(people[0].first_name.as_deref(), Some("Ada Maria"));
    assert_eq!(people[0].fields["notes"], "Arrives at nine. Needs a key");
}

#[test]
fn a_line_break_in_an_address_cannot_be_accepted() {
    let text = "email,team\n\"a@b.co\nc@d.co\",x\n\"a@b.co\r\nRCPT TO:x@y.com\",x\n";

    assert!(accepting("control_character", false, text).is_empty());
    for line in read(text).unwrap().1 {
        assert!(matches!(line, ParsedRow::Rejected(row) if !row.is_acceptable()));
    }
}
