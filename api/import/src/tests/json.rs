//! Arrays of users: the exact sentence for each fault.

use super::super::{Limits, ParsedFile, Problem};
use super::{all_people, file, read_json, the_rejected};

fn problem(user: &str) -> Problem {
    let mut rejected = the_rejected(read_json(&format!("[{user}]")).unwrap().1);
    assert_eq!(rejected.problems.len(), 1, "{rejected:?}");
    rejected.problems.remove(0)
}

#[test]
fn an_array_yields_its_users() {
    let text = "\u{FEFF} [ {\"email\": \"ada@example.org\", \"first_name\": \" Ad\\u0061 \",\n\
         \"fields\": {\"Team Name\": \"Blue [1], {2}\", \"seat\": 12, \"vip\": true, \"x\": null, \"rate\": 1.5}},\n\
         {\"email\":\"bob@example.org\",\"last_name\":null,\"language\":\"DE\",\"fields\":null}\r\n] ";

    let (sheet, lines) = read_json(text).unwrap();

    assert_eq!(
        sheet.header,
        [
            "email",
            "first_name",
            "last_name",
            "language",
            "team_name",
            "seat",
            "vip",
            "x",
            "rate"
        ]
    );
    assert_eq!(sheet.custom_fields, ["team_name", "seat", "vip", "x", "rate"]);
    let people = all_people(lines);
    let [ada, bob] = people.as_slice() else {
        panic!("{people:?}");
    };
    assert_eq!((ada.row, ada.first_name.as_deref()), (1, Some("Ada")));
    let fields: Vec<_> = ada.fields.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(
        fields,
        [
            ("rate", "1.5"),
            ("seat", "12"),
            ("team_name", "Blue [1], {2}"),
            ("vip", "true")
        ]
    );
    assert_eq!((bob.row, bob.language.as_deref()), (2, Some("de")));
    assert_eq!((&bob.last_name, bob.fields.len()), (&None, 0));
    let twice = Problem::duplicate_of_row(bob, 1, &sheet);
    assert_eq!((twice.column, twice.message.as_str()), (None, "Same as row 1"));
    assert_eq!(sheet.cells_of(ada)[4..6], ["Blue [1], {2}", "12"]);
}

/// Refused texts: the code, the text, the sentence.
const FAULTS: &[(&str, &str, &str)] = &[
    ("empty_file", " \n", "The selected file is empty"),
    ("no_rows", "[ \n ]", "Your file needs at least one row"),
    (
        "json_invalid",
        "{\"email\": \"a@b.co\"}",
        "We cannot read this JSON: expected an array of users, [{…}, …] (line 1, column 1)",
    ),
    (
        "json_invalid",
        "\n  email,first_name\n",
        "We cannot read this JSON: expected an array of users, [{…}, …] (line 2, column 3)",
    ),
    (
        "json_invalid",
        "[{\"email\": \"a@b.co\"}\n",
        "We cannot read this JSON: the array is not closed (line 2, column 1)",
    ),
    (
        "json_invalid",
        "[",
        "We cannot read this JSON: the array is not closed (line 1, column 2)",
    ),
    (
        "json_invalid",
        "[\n {\"email\": \"a@b.co\"",
        "We cannot read this JSON: the user that starts here is not closed (line 2, column 2)",
    ),
    (
        "json_invalid",
        "[{\"email\": \"a@b.co\"} {\"email\"",
        "We cannot read this JSON: expected a comma or the end of the array (line 1, column 22)",
    ),
    (
        "json_invalid",
        "[{\"email\": \"a@b.co\"},]",
        "We cannot read this JSON: expected a user (line 1, column 22)",
    ),
    (
        "json_invalid",
        "[,]",
        "We cannot read this JSON: expected a user (line 1, column 2)",
    ),
    (
        "json_invalid",
        "[{\"email\": \"a@b.co\"}] x",
        "We cannot read this JSON: nothing may follow the array (line 1, column 23)",
    ),
    (
        "json_invalid",
        "[{\"email\" \"a@b.co\"}]",
        "We cannot read this JSON: expected `:` (line 1, column 11)",
    ),
    (
        "json_invalid",
        "[\n{\"email\": \"a@b.co\"},\n {\n\"email\": a}]",
        "We cannot read this JSON: expected value (line 4, column 10)",
    ),
    (
        "json_invalid",
        "[{\"email\": \"\\ud800\"}]",
        "We cannot read this JSON: unexpected end of hex escape (line 1, column 19)",
    ),
    (
        "json_invalid",
        "[{\"a\": [1}]",
        "We cannot read this JSON: expected `,` or `]` (line 1, column 10)",
    ),
    (
        "utf16",
        "[\0{\0\"\0",
        "We cannot read this file – save it as CSV UTF-8 and try again. It looks like UTF-16",
    ),
];

#[test]
fn a_syntax_error_is_reported_with_its_position() {
    for &(code, text, words) in FAULTS {
        let fault = read_json(text).map(|_| ()).expect_err(text);

        assert_eq!(fault.to_string(), words, "{text}");
        assert_eq!(fault.code(), code, "{text}");
    }
}

#[test]
fn nesting_is_limited() {
    let deep = format!("[{{\"x\":{}}}]", "[".repeat(200));

    let fault = read_json(&deep).map(|_| ()).unwrap_err();

    assert_eq!(
        fault.to_string(),
        "We cannot read this JSON: too many nested brackets (line 1, column 22)"
    );
}

/// Refused users: the user, the faulty field, the code, the sentence.
const PROBLEMS: &[(&str, Option<&str>, &str, &str)] = &[
    ("{}", Some("email"), "address_missing", "Missing"),
    ("{\"email\": null}", Some("email"), "address_missing", "Missing"),
    (
        "{\"email\": \"a\\u0000@b.co\"}",
        Some("email"),
        "control_character",
        "Not a valid email address: it contains a control character or an invisible one",
    ),
    ("17", None, "wrong_type", "A user must be an object, not a number"),
    (
        "\"a@b.co, c@d.co]\"",
        None,
        "wrong_type",
        "A user must be an object, not a text",
    ),
    ("[1, [2]]", None, "wrong_type", "A user must be an object, not a list"),
    (
        "{\"email\": 5}",
        Some("email"),
        "wrong_type",
        "Must be a text, not a number",
    ),
    (
        "{\"email\": \"a@b.co\", \"first_name\": {\"x\": 1}}",
        Some("first_name"),
        "wrong_type",
        "Must be a text, not an object",
    ),
    (
        "{\"email\": \"a@b.co\", \"language\": true}",
        Some("language"),
        "wrong_type",
        "Must be a text, not true or false",
    ),
    (
        "{\"email\": \"a@b.co\", \"fields\": [1]}",
        Some("fields"),
        "wrong_type",
        "Must be an object, not a list",
    ),
    (
        "{\"email\": \"a@b.co\", \"fields\": {\"a\": [1]}}",
        Some("a"),
        "wrong_type",
        "Must be a text, a number, true or false, not a list",
    ),
    (
        "{\"email\": \"a@b.co\", \"fields\": {\"a\": 123456789012345678901234}}",
        Some("a"),
        "wrong_type",
        "Must be a text, a number, true or false, not a number that is too long – put it in quotation marks",
    ),
    (
        "{\"email\": \"a@b.co\", \"firstName\": \"Ada\"}",
        Some("firstName"),
        "unknown_field",
        "A user has no ‘firstName’ – did you mean ‘first_name’?",
    ),
    (
        "{\"email\": \"a@b.co\", \"lats_name\": \"L\"}",
        Some("lats_name"),
        "unknown_field",
        "A user has no ‘lats_name’ – did you mean ‘last_name’?",
    ),
    (
        "{\"email\": \"a@b.co\", \"lang\": \"en\"}",
        Some("lang"),
        "unknown_field",
        "A user has no ‘lang’ – did you mean ‘language’?",
    ),
    (
        "{\"email\": \"a@b.co\", \"team\": \"Blue\"}",
        Some("team"),
        "unknown_field",
        "A user has no ‘team’ – your own values go into ‘fields’",
    ),
    (
        "{\"email\": \"a@b.co\", \"email\": \"c@d.co\"}",
        Some("email"),
        "json_duplicate_key",
        "‘email’ occurs twice – delete one",
    ),
    (
        "{\"email\": \"a@b.co\", \"fields\": {\"Team\": 1, \"team\": 2}}",
        Some("team"),
        "json_duplicate_key",
        "‘team’ occurs twice – delete one",
    ),
    (
        "{\"email\": \"a@b.co\", \"fields\": {\"password\": \"x\"}}",
        Some("password"),
        "reserved_field",
        "‘password’ is about passwords, which Beckon never imports – leave it out",
    ),
    (
        "{\"email\": \"a@b.co\", \"fields\": {\"First Name\": \"x\"}}",
        Some("First Name"),
        "reserved_field",
        "‘First Name’ belongs beside ‘fields’, not in it",
    ),
    (
        "{\"email\": \"a@b.co\", \"fields\": {\"1st\": \"x\"}}",
        Some("1st"),
        "field_name_invalid",
        "‘1st’ cannot be a field – a name must start with a letter and have 64 letters or digits at most",
    ),
    (
        "{\"email\": \"a@b.co\", \"fields\": {\"team\": \"a\\nb\"}}",
        Some("team"),
        "control_character",
        "Has a line break – write it in one line",
    ),
    (
        "{\"email\": \"a@b.co\", \"first_name\": \"A\\u0000\"}",
        Some("first_name"),
        "control_character",
        "Has a character that cannot be printed (U+0000) – remove it",
    ),
];

#[test]
fn an_invalid_user_is_rejected_with_these_messages() {
    for &(user, field, code, words) in PROBLEMS {
        let problem = problem(user);

        assert_eq!((problem.code, problem.message.as_str()), (code, words), "{user}");
        assert_eq!((problem.field.as_deref(), problem.row), (field, 1), "{user}");
        assert_eq!(problem.column, None);
    }
}

#[test]
fn a_rejected_user_is_available_as_a_row() {
    let text = "[{\"email\": \"a@b\", \"first_name\": \"Ada\", \"fields\": {\"Team\": \"Blue\", \"n\": 3}}]";

    let (sheet, lines) = read_json(text).unwrap();

    assert_eq!(
        sheet.header,
        ["email", "first_name", "last_name", "language", "team", "n"]
    );
    assert_eq!(the_rejected(lines).cells, ["a@b", "Ada", "", "", "Blue", "3"]);
}

#[test]
fn names_in_fields_are_limited() {
    let limits = Limits {
        columns: 2,
        ..Limits::default()
    };
    let text = "[{\"email\":\"a@b.co\",\"fields\":{\"a\":1,\"b\":2}},{\"email\":\"c@d.co\",\"fields\":{\"c\":1}}]";

    let fault = ParsedFile::open_json(file(text), limits).map(|_| ()).unwrap_err();

    assert_eq!((fault.code(), fault.row()), ("too_many_columns", Some(2)));
}

/// About as many keys as a row of the maximum size can have.
const KEYS: usize = 30_000;

#[test]
fn of_a_thousand_problems_of_a_user_twenty_are_listed_and_the_rest_is_counted() {
    let strange: Vec<String> = (0..KEYS).map(|n| format!("\"k{n}\":1")).collect();
    let twice = vec!["\"first_name\":\"A\""; KEYS / 2];
    let in_fields = vec!["\"1\":1"; KEYS];
    let users = [
        (
            format!("{{\"email\":\"a@b.co\",{}}}", strange.join(",")),
            KEYS,
            "unknown_field",
        ),
        (
            format!("{{\"email\":\"a@b.co\",{}}}", twice.join(",")),
            KEYS / 2 - 1,
            "json_duplicate_key",
        ),
        (
            format!("{{\"email\":\"a@b.co\",\"fields\":{{{}}}}}", in_fields.join(",")),
            KEYS,
            "field_name_invalid",
        ),
    ];
    for (user, wrong, code) in users {
        let began = std::time::Instant::now();
        let text = format!("[{user}]");
        let limits = Limits {
            row_bytes: usize::MAX,
            ..Limits::default()
        };
        let (_, mut lines) = ParsedFile::open_json(file(text), limits).unwrap();
        let rejected = the_rejected(lines.chunk(1, 1).unwrap());

        let (last, listed) = rejected.problems.split_last().unwrap();
        assert_eq!(listed.len(), 20);
        assert!(listed.iter().all(|problem| problem.code == code), "{listed:?}");
        let more = super::super::text::counted(wrong - 20);
        assert_eq!(
            (last.code, &last.message),
            ("more_problems", &format!("And {more} more problems in this row"))
        );
        assert!(began.elapsed().as_secs() < 5, "{code}: {:?}", began.elapsed());
    }
}

#[test]
fn a_key_is_quoted_without_control_characters_and_shortened() {
    let long = problem(&format!("{{\"email\":\"a@b.co\",\"{}\":1}}", "k".repeat(100_000)));
    assert_eq!(long.field.unwrap().chars().count(), 80);

    let control = problem("{\"email\":\"a@b.co\",\"a\\u0000\\u202eb\":1}");
    assert_eq!(control.field.as_deref(), Some("ab"));
    assert!(!control.message.contains(['\0', '\u{202e}']), "{}", control.message);
}

#[test]
fn a_group_of_long_rows_ends_early() {
    let text: Vec<String> = (0..10)
        .map(|n| format!("{{\"email\":\"x{n}\",\"first_name\":\"{}\"}}", "A".repeat(1_000)))
        .collect();
    let (_, mut lines) = ParsedFile::open_json(file(format!("[{}]", text.join(","))), Limits::default()).unwrap();

    let groups: Vec<usize> = std::iter::from_fn(|| lines.chunk(4, 2_500).ok().map(|group| group.len()))
        .take_while(|length| *length > 0)
        .collect();

    assert_eq!(groups, [3, 3, 3, 1]);
}
