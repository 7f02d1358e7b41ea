//! Column mappings, and empty cells that clear values.

use serde_json::json;

use super::books::on_disk;
use crate::{
    Directions, FileFault, Limits, Mapping, ParsedFile, ParsedRow, Person, Preview, RememberedMapping, RowRules,
    sorted_keys,
};

fn mapping(text: serde_json::Value) -> Mapping {
    let written: std::collections::BTreeMap<String, Option<String>> = serde_json::from_value(text).unwrap();
    Mapping::new(written).unwrap()
}

fn directions(text: serde_json::Value) -> Directions {
    Directions {
        mapping: Some(mapping(text)),
        ..Directions::default()
    }
}

fn people(text: &str, directions: &Directions, rules: RowRules) -> Result<Vec<Person>, FileFault> {
    let (_, lines) = ParsedFile::open(on_disk(text.as_bytes()), directions, Limits::default())?;
    let person = |line| match line {
        Ok(ParsedRow::Person(person)) => person,
        other => panic!("{other:?}"),
    };
    Ok(lines.with_rules(rules).map(person).collect())
}

#[test]
fn a_chosen_column_takes_precedence_for_its_field() {
    let text = "Mail,Kontakt,Full name,Abt.,Abt.\nold@example.org,ana@example.org,Ana Ruiz,Sales,x\n";

    let found = people(
        text,
        &directions(json!({ "Kontakt": "email", "D": "department", "E": null })),
        RowRules::default(),
    )
    .unwrap();

    let ana = &found[0];
    assert_eq!(ana.email.as_typed(), "ana@example.org");
    assert_eq!(
        (ana.first_name.as_deref(), ana.last_name.as_deref()),
        (Some("Ana"), Some("Ruiz"))
    );
    assert_eq!(
        ana.fields.iter().collect::<Vec<_>>(),
        [(&"department".to_owned(), &"Sales".to_owned())]
    );
}

#[test]
fn a_mapping_cannot_import_passwords_or_name_missing_columns() {
    let open = |text: &str, chosen| people(text, &directions(chosen), RowRules::default()).unwrap_err();

    let password = open("email,Password\na@b.co,x\n", json!({ "Password": null }));
    let unknown = open("email,Team\na@b.co,x\n", json!({ "Tean": "team" }));
    let twice = open(
        "email,Name,Vorname\na@b.co,x,y\n",
        json!({ "Name": "full_name", "Vorname": "first_name" }),
    );

    assert_eq!(password.code(), "password_column");
    assert!(!password.is_about_columns());
    assert_eq!(
        unknown.to_string(),
        "Your file has no column called ‘Tean’. It has ‘email’ and ‘Team’"
    );
    assert_eq!((twice.code(), twice.is_about_columns()), ("name_twice", true));
}

#[test]
fn only_a_file_with_addresses_can_be_mapped() {
    let fault = |text: &str| people(text, &Directions::default(), RowRules::default()).unwrap_err();

    assert!(fault("Kontakt,Team\nana@example.org,Blue\n").is_about_columns());
    assert!(!fault("Name,Team\nAna,Blue\n").is_about_columns());
    assert!(!fault("ana@example.org,Blue\nbo@example.org,Red\n").is_about_columns());
}

#[test]
fn a_mapping_is_remembered_for_the_same_columns_in_any_order() {
    let header = ["Kontakt", "Team"].map(str::to_owned);
    let remembered = Directions {
        remembered: vec![RememberedMapping {
            columns: sorted_keys(&header),
            mapping: mapping(json!({ "Kontakt": "email", "Team": null })),
        }],
        ..Directions::default()
    };

    let again = people("Team,Kontakt\nBlue,ana@example.org\n", &remembered, RowRules::default()).unwrap();
    let other = people(
        "Team,Kontakt,Room\nBlue,ana@example.org,1\n",
        &remembered,
        RowRules::default(),
    );

    assert!(again[0].fields.is_empty());
    assert_eq!(other.unwrap_err().code(), "email_column_missing");
}

#[test]
fn an_empty_cell_clears_only_if_chosen_and_only_in_existing_columns() {
    let text = "email,first name,room\nana@example.org\n";
    let clears = RowRules {
        clears_empty: true,
        ..RowRules::default()
    };

    let kept = people(text, &Directions::default(), RowRules::default()).unwrap();
    let cleared = people(text, &Directions::default(), clears).unwrap();

    assert_eq!((kept[0].first_name.as_deref(), kept[0].fields.len()), (None, 0));
    assert_eq!(cleared[0].first_name.as_deref(), Some(""));
    assert_eq!(cleared[0].fields.get("room").map(String::as_str), Some(""));
    assert_eq!(cleared[0].last_name, None, "the file has no such column");
}

#[test]
fn a_preview_has_the_columns_with_their_first_values() {
    let text = "Staff of November\n\nKontakt;Team;Problem\nana@example.org;Blue;\nbo@example.org;;x\ncy@example.org;Red;\ndi@example.org;Red;\n";

    let preview = Preview::of(on_disk(text.as_bytes()), &Directions::default(), Limits::default()).unwrap();

    assert_eq!(preview.header, ["Kontakt", "Team"]);
    assert_eq!(preview.header_row, 3);
    assert_eq!(
        preview.samples[0],
        ["ana@example.org", "bo@example.org", "cy@example.org"]
    );
    assert_eq!(preview.samples[1], ["Blue", "Red", "Red"]);
}

#[test]
fn a_column_behind_the_header_is_offered_and_filled_where_it_is_chosen() {
    let text = "email,first name\nana@example.org,Ana,Sales\nbo@example.org,Bo\n";

    let preview = Preview::of(on_disk(text.as_bytes()), &Directions::default(), Limits::default()).unwrap();
    let chosen = people(text, &directions(json!({ "C": "department" })), RowRules::default()).unwrap();
    let left = people(text, &directions(json!({ "C": null })), RowRules::default()).unwrap();

    assert_eq!(preview.header, ["email", "first name", ""]);
    assert_eq!(preview.samples[2], ["Sales"]);
    assert_eq!(chosen[0].fields.get("department").map(String::as_str), Some("Sales"));
    assert!(chosen[1].fields.is_empty() && left[0].fields.is_empty());
    let far = people(text, &directions(json!({ "D": null })), RowRules::default());
    assert_eq!(
        far.unwrap_err().code(),
        "blank_header",
        "no value is dropped without a word"
    );
}

#[test]
fn the_beginning_of_a_large_spreadsheet_is_enough_for_a_preview() {
    let mut book = rust_xlsxwriter::Workbook::new();
    let sheet = book.add_worksheet_with_constant_memory().unwrap();
    for row in 0..30_000 {
        let address = if row == 0 {
            "Kontakt".to_owned()
        } else {
            format!("person{row}@example.org")
        };
        sheet.write_string(row, 0, address).unwrap();
        sheet.write_string(row, 1, "some text to fill the row").unwrap();
    }

    let preview = Preview::of(
        on_disk(&book.save_to_buffer().unwrap()),
        &Directions::default(),
        Limits::default(),
    )
    .unwrap();

    assert_eq!(
        preview.samples[0].first().map(String::as_str),
        Some("person1@example.org")
    );
}

#[test]
fn the_header_is_the_row_with_the_columns_of_the_mapping() {
    let text = "Kontakt,Wer\nE-mail,Name\nana@example.org,Ana Ruiz\n";
    let by_mapping = directions(json!({ "E-mail": "email", "Name": "full_name" }));
    let by_row = Directions {
        header_row: Some(2),
        ..Directions::default()
    };

    for directions in [by_mapping, by_row, Directions::default()] {
        let found = people(text, &directions, RowRules::default()).unwrap();
        assert_eq!(found.len(), 1, "{directions:?}");
    }
    let first = Directions {
        header_row: Some(1),
        ..directions(json!({ "Kontakt": "email", "Wer": "full_name" }))
    };
    let (sheet, lines) = ParsedFile::open(on_disk(text.as_bytes()), &first, Limits::default()).unwrap();
    assert_eq!((sheet.header_row, lines.count()), (1, 2));
}

#[test]
fn a_remembered_header_is_found_again() {
    let text = "Staff,of 2026\nKontakt,Wer\nana@example.org,Ana Ruiz\n";
    let header = ["Kontakt", "Wer"].map(str::to_owned);
    let remembered = Directions {
        remembered: vec![RememberedMapping {
            columns: sorted_keys(&header),
            mapping: mapping(json!({ "Kontakt": "email", "Wer": "full_name" })),
        }],
        ..Directions::default()
    };

    assert_eq!(people(text, &remembered, RowRules::default()).unwrap().len(), 1);
    let fault = people(text, &Directions::default(), RowRules::default()).unwrap_err();
    assert_eq!(fault.code(), "email_column_missing");
    assert!(fault.is_about_columns(), "it can be mapped");
}

#[test]
fn a_row_that_cannot_be_the_header_is_an_error() {
    for header_row in [0, 3, 40] {
        let directions = Directions {
            header_row: Some(header_row),
            ..Directions::default()
        };
        let fault = people("email\na@b.co\n\n", &directions, RowRules::default()).unwrap_err();
        assert_eq!((fault.code(), fault.row()), ("no_such_header_row", Some(header_row)));
    }
}

#[test]
fn the_preview_offers_the_first_rows_as_headers() {
    let text = "Staff of 2026\n\nEmail,Name\nana@example.org,Ana\n";
    let preview = Preview::of(on_disk(text.as_bytes()), &Directions::default(), Limits::default()).unwrap();

    assert_eq!(preview.header_row, 3);
    let choices: Vec<(u32, &str)> = preview
        .header_choices
        .iter()
        .map(|(row, text)| (*row, text.as_str()))
        .collect();
    assert_eq!(
        choices,
        [(1, "Staff of 2026"), (3, "Email, Name"), (4, "ana@example.org, Ana")]
    );
}
