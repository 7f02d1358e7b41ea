//! Spreadsheets made to exhaust the reader: refused early, with advice.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use super::books::{archive, ods, open, record, xls, xlsx};

/// For a debug build on a busy machine; a release build takes a twentieth of it.
const LONG: Duration = Duration::from_secs(40);

#[test]
fn a_file_that_unpacks_too_large_is_rejected() {
    let text = format!("<row><c t=\"str\"><v>{}</v></c></row>", "x".repeat(40 * 1024 * 1024));
    let tag = format!("<row {}=\"1\"/>", "r".repeat(8 * 1024 * 1024));
    let wide = "<row><c t=\"str\"><v>email</v></c><c r=\"XFD1\" t=\"str\"><v>x</v></c></row>".to_owned();
    let far = "<row r=\"4000000000\"><c t=\"str\"><v>email</v></c></row>".to_owned();
    let long = "x".repeat(4_000);
    let again = format!(
        "<table:table-row table:number-rows-repeated=\"1000000000\"><table:table-cell table:number-columns-repeated=\"50\"><text:p>{long}</text:p></table:table-cell></table:table-row>"
    );
    let began = Instant::now();

    for (bytes, code) in [
        (xlsx(&[("A", "visible", &text)], ""), "too_large_inside"),
        (xlsx(&[("A", "visible", &tag)], ""), "too_large_inside"),
        (xlsx(&[("A", "visible", &wide)], ""), "too_many_columns"),
        (xlsx(&[("A", "visible", &far)], ""), "damaged_file"),
        (
            ods(&format!("<table:table table:name=\"A\">{again}</table:table>")),
            "too_large_inside",
        ),
    ] {
        let fault = open(&bytes, None).map(|_| ()).unwrap_err();
        assert_eq!(fault.code(), code, "{fault}");
    }
    assert!(began.elapsed() < LONG, "{:?}", began.elapsed());
}

#[test]
fn a_text_shared_by_a_million_cells_is_rejected() {
    let long = format!("<si><t>{}</t></si>", "x".repeat(9_000));
    let row = format!("<row>{}</row>", "<c t=\"s\"><v>0</v></c>".repeat(20));
    let data = row.repeat(3_000);

    let fault = open(&xlsx(&[("A", "visible", &data)], &long), None)
        .map(|_| ())
        .unwrap_err();

    assert_eq!(fault.code(), "too_large_inside");
}

#[test]
fn blanks_written_as_a_number_take_no_memory() {
    let row = |address: &str, more: &str| {
        format!(
            "<table:table-row><table:table-cell><text:p>{address}</text:p></table:table-cell>\
             <table:table-cell><text:p>{more}</text:p></table:table-cell></table:table-row>"
        )
    };
    let blanks = "<text:s text:c=\"4000000000\"/><text:tab/><text:line-break/>".repeat(10_000);
    let rows = row("email", "first name") + &row("a@b.co", &blanks);

    let (_, lines) = open(
        &ods(&format!("<table:table table:name=\"A\">{rows}</table:table>")),
        None,
    )
    .unwrap();

    assert_eq!(lines.len(), 1);
}

#[test]
fn rows_with_only_a_format_take_no_memory() {
    let empty = "<row s=\"1\" customFormat=\"1\"><c s=\"1\"/></row>".repeat(200_000);
    let data = format!("<row><c t=\"str\"><v>email</v></c></row><row><c t=\"str\"><v>a@b.co</v></c></row>{empty}");

    let (sheet, lines) = open(&xlsx(&[("A", "visible", &data)], ""), None).unwrap();

    assert_eq!((lines.len(), sheet.blank_rows), (1, 0));
}

#[test]
fn an_archive_of_very_many_parts_is_refused_before_it_is_opened() {
    let names: Vec<String> = (0..10_001).map(|n| format!("xl/{n}")).collect();
    let parts: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();

    let fault = open(&archive(&parts), None).map(|_| ()).unwrap_err();

    assert_eq!(fault.code(), "too_large_inside");
}

#[test]
fn sizes_declared_by_an_old_file_are_not_allocated() {
    let dimensions = record(0x0200, &[0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0xFF, 0xFF, 0, 0]);
    let texts = record(0x00FC, &[0xFF; 8]);
    let far = record(0x0204, &[0xFF, 0xFF, 0xC7, 0, 0, 0, 1, 0, 0, b'x']);
    let cell = |row: u8, text: &str| {
        let mut bytes = vec![row, 0, 0, 0, 0, 0, u8::try_from(text.len()).unwrap(), 0, 0];
        bytes.extend(text.bytes());
        record(0x0204, &bytes)
    };
    let cells = [dimensions, cell(0, "email"), cell(1, "a@b.co"), far].concat();

    let (sheet, _) = open(&xls(&texts, &[("A", cells.clone())]), None)
        .map_err(|fault| fault.to_string())
        .unwrap_or_else(|fault| panic!("{fault}"));

    assert_eq!(sheet.rows, 2);
    // Sheets that all have the same offset, and one beyond the end.
    let many: Vec<(&str, Vec<u8>)> = (0..300).map(|_| ("A", Vec::new())).collect();
    let fault = open(&xls(&[], &many), None).map(|_| ()).unwrap_err();
    assert_eq!(fault.code(), "empty_file");
}

#[test]
fn a_hundred_thousand_rows_of_a_spreadsheet_are_read_in_seconds() {
    let mut strings = String::new();
    let mut data = String::from("<row><c t=\"str\"><v>email</v></c><c t=\"str\"><v>name</v></c></row>");
    for n in 0..100_000 {
        let _ = write!(strings, "<si><t>person{n}@example.org</t></si>");
        let _ = write!(
            data,
            "<row r=\"{}\"><c r=\"A{}\" t=\"s\"><v>{n}</v></c><c t=\"inlineStr\"><is><t>Person {n}</t></is></c></row>",
            n + 2,
            n + 2
        );
    }
    let book = xlsx(&[("A", "visible", &data)], &strings);
    let began = Instant::now();

    let (sheet, _) = open(&book, None).unwrap();

    println!("100,000 rows in {:?}", began.elapsed());
    assert_eq!(sheet.rows, 100_000);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}
