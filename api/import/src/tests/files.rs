//! CSV files: accepted variants, and what is read from them.

use super::super::ParsedRow;
use super::{people, problem, read};

#[test]
fn a_file_yields_its_users() {
    let (sheet, lines) = read(
        "Email Address,FIRST-NAME,last name,Language,Start date (2026)\r\n\
         ada@example.org, Ada ,\"Lovelace, Countess\",EN_gb,\"a\nb\"\r\n\
         \r\n\
         ,,,,\r\n\
         bob@example.org\r\n",
    )
    .map(|(sheet, lines)| (sheet, lines.len()))
    .unwrap();

    assert_eq!(
        sheet.header,
        [
            "Email Address",
            "FIRST-NAME",
            "last name",
            "Language",
            "Start date (2026)"
        ]
    );
    assert_eq!(sheet.custom_fields, ["start_date_2026"]);
    assert_eq!((sheet.rows, sheet.blank_rows, lines), (2, 2, 2));

    let people = people(
        "Email Address,FIRST-NAME,last name,Language,Start date (2026)\r\n\
         ada@example.org, Ada ,\"Lovelace, Countess\",EN_gb,\"said \"\"soon\"\"\"\r\n\
         \r\n\
         ,,,,\r\n\
         bob@example.org\r\n",
    );
    let [ada, bob] = people.as_slice() else {
        panic!("{people:?}");
    };
    assert_eq!((ada.row, bob.row), (2, 5));
    assert_eq!(ada.email.as_typed(), "ada@example.org");
    assert_eq!(ada.first_name.as_deref(), Some("Ada"));
    assert_eq!(ada.last_name.as_deref(), Some("Lovelace, Countess"));
    assert_eq!(ada.language.as_deref(), Some("en-GB"));
    assert_eq!(ada.fields["start_date_2026"], "said \"soon\"");
    assert_eq!((&bob.first_name, &bob.language), (&None, &None));
    assert!(bob.fields.is_empty());
}

#[test]
fn all_common_table_formats_are_read_alike() {
    for text in [
        "email,first_name\nada@example.org,Ada\nbob@example.org,Bob\n",
        "email,first_name\r\nada@example.org,Ada\r\nbob@example.org,Bob",
        "email,first_name\rada@example.org,Ada\rbob@example.org,Bob\r",
        "email;first_name\nada@example.org;Ada\nbob@example.org;Bob\n",
        "email\tfirst_name\nada@example.org\tAda\nbob@example.org\tBob\n",
        "\u{FEFF}email,first_name\nada@example.org,Ada\nbob@example.org,Bob\n",
        "\u{FEFF}\"email\",\"first_name\"\n\"ada@example.org\",\"Ada\"\nbob@example.org,Bob\n",
        "\u{FEFF}sep=;\r\nemail;first_name\r\nada@example.org;Ada\r\nbob@example.org;Bob\r\n",
        "SEP=\t\nemail\tfirst_name\nada@example.org\tAda\nbob@example.org\tBob\n",
        "sep=;;;\nemail;first_name;\nada@example.org;Ada;\nbob@example.org;Bob;\n",
        "email, \"first_name\" , \nada@example.org, \"Ada\" ,\nbob@example.org,Bob,,,,,\n",
        "first;choice,first_name,E-Mail\nx,Ada,ada@example.org\ny,Bob,bob@example.org\n",
        "Given,e\u{2011}mail,First Name\n,ada@example.org,Ada\n,bob@example.org,Bob\n\n\n \n,,\n",
        "email,first_name,Problem\nada@example.org,Ada,email: Missing\nbob@example.org,Bob,\n",
    ] {
        let people = people(text);

        let read: Vec<_> = people
            .iter()
            .map(|person| (person.row, person.email.as_typed(), person.first_name.as_deref()))
            .collect();
        let expected = [(2, "ada@example.org", Some("Ada")), (3, "bob@example.org", Some("Bob"))];
        assert_eq!(read, expected, "{text:?}");
    }
}

#[test]
fn rows_are_numbered_as_a_spreadsheet_shows_them() {
    let rows = |text: &str| people(text).iter().map(|person| person.row).collect::<Vec<_>>();

    assert_eq!(rows("email,note\n\na@b.co,\"x \"\"y\"\" z\"\n\n\nc@d.co,\n"), [3, 6]);
    assert_eq!(rows("\n\nemail,note\r\n\r\na@b.co,\r\n"), [5]);
    assert_eq!(rows("email\r\ra@b.co\r"), [3]);
    // The `sep=` line that Excel hides is not counted, as in Excel.
    assert_eq!(rows("sep=,\r\nemail\r\na@b.co"), [2]);
    let (_, lines) = read("email,note\na@b.co,\"two\nlines\"\nc@d.co,x\n").unwrap();
    assert!(matches!(&lines[0], ParsedRow::Rejected(row) if row.row == 2));
    assert!(matches!(&lines[1], ParsedRow::Person(person) if person.row == 3));
}
#[test]
fn invisible_characters_are_removed_and_visible_ones_stay() {
    let text = "email,first name,team\n\u{FEFF}ada@example.org\u{A0},\u{A0}A\u{200B}da\u{200D} ,=1+1\n\
                bob@example.org,می\u{200C}خواهم,{{7*7}} <script> http://x.y\n\
                eve@example.org,O'Brien-St. J.,+31 20 123\n";

    let people = people(text);

    let names: Vec<_> = people.iter().map(|p| p.first_name.as_deref().unwrap()).collect();
    assert_eq!(names, ["Ada", "می\u{200C}خواهم", "O'Brien-St. J."]);
    let teams: Vec<_> = people.iter().map(|p| p.fields["team"].as_str()).collect();
    assert_eq!(teams, ["=1+1", "{{7*7}} <script> http://x.y", "+31 20 123"]);
    assert_eq!(people[0].email.as_typed(), "ada@example.org");
}

#[test]
fn language_tags_get_their_usual_case() {
    for (typed, tag) in [
        ("EN", "en"),
        ("pt_br", "pt-BR"),
        ("ZH-hant-tw", "zh-Hant-TW"),
        ("es-419", "es-419"),
        ("gsw", "gsw"),
        ("de_AT.UTF-8", "de-AT"),
        ("German", "de"),
        ("Português", "pt"),
    ] {
        let people = people(format!("email,language\na@b.co,{typed}\n"));
        assert_eq!(people[0].language.as_deref(), Some(tag));
    }
    let long = format!("en{}", "-abcdefgh".repeat(4));
    for typed in [
        "e",
        "klingonisch",
        "en-",
        "-en",
        "en-a",
        "e1",
        "en--gb",
        "d\u{E9}",
        long.as_str(),
    ] {
        assert_eq!(
            problem(format!("email,language\na@b.co,{typed}\n")).code,
            "language_invalid"
        );
    }
}
