//! The CSV we write.

use super::super::{FixFile, ParsedRow, SafeCsv, safe_cell};
use super::{people, read};

#[test]
fn a_cell_that_a_spreadsheet_would_run_is_written_with_an_apostrophe() {
    for (cell, written) in [
        ("=cmd|'/C calc'!A0", "'=cmd|'/C calc'!A0"),
        ("+31 20", "'+31 20"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        ("\nx", "'\nx"),
        ("\0x", "'\0x"),
        ("＝1", "'＝1"),
        ("'=1", "''=1"),
        ("'t Hooft", "'t Hooft"),
        ("Ada", "Ada"),
        ("a=b", "a=b"),
        ("", ""),
    ] {
        assert_eq!(safe_cell(cell), written);
    }
}

#[test]
fn every_cell_is_quoted_by_the_rules_of_rfc_4180() {
    let mut file = SafeCsv::new(Vec::new(), b';').unwrap();

    file.write(["a;b", "say \"hi\"", "=1"]).unwrap();
    file.write(["", "two\nlines", "é"]).unwrap();

    let bytes = file.finish().unwrap();
    let text = String::from_utf8(bytes).unwrap();
    assert_eq!(
        text,
        "\u{FEFF}\"a;b\";\"say \"\"hi\"\"\";\"'=1\"\r\n\"\";\"two\nlines\";\"é\"\r\n"
    );
}

#[test]
fn a_file_written_in_pieces_is_the_same_file() {
    let header = ["email".to_owned()];
    let cells = ["=1".to_owned()];
    let mut whole = FixFile::new(Vec::new(), b',', &header).unwrap();
    whole.write(&cells, [(None, "x")]).unwrap();
    whole.write(&cells, [(None, "y")]).unwrap();

    let mut first = FixFile::new(Vec::new(), b',', &header).unwrap();
    first.write(&cells, [(None, "x")]).unwrap();
    let mut second = FixFile::continued(Vec::new(), b',', &header);
    second.write(&cells, [(None, "y")]).unwrap();

    let pieces = [first.finish().unwrap(), second.finish().unwrap()].concat();
    assert_eq!(pieces, whole.finish().unwrap());
}

#[test]
fn written_cells_are_read_back_unchanged() {
    let values = [
        "=1+1",
        "'=1",
        "''+31",
        "+31 20 123",
        "'t Hooft",
        "@x",
        "-",
        "a;b,c",
        "say \"hi\"",
    ];
    let mut file = SafeCsv::new(Vec::new(), b';').unwrap();
    file.write(["email", "team"]).unwrap();
    for value in values {
        file.write(["a@b.co", value]).unwrap();
    }

    let people = people(file.finish().unwrap());

    let read: Vec<_> = people.iter().map(|person| person.fields["team"].as_str()).collect();
    assert_eq!(read, values);
}

#[test]
fn the_file_of_rejected_rows_can_be_corrected_and_uploaded_again() {
    let upload = "E-Mail;Team;\nada@example;=1;\nbob@example.org;a;\n;\"x\"\"y\";;extra\n";
    let (sheet, lines) = read(upload).unwrap();
    let mut file = FixFile::new(Vec::new(), sheet.separator, &sheet.header).unwrap();
    for line in &lines {
        if let ParsedRow::Rejected(row) = line {
            let words = row.problems.iter().map(|p| (p.column.as_deref(), p.message.as_str()));
            file.write(&row.cells, words).unwrap();
        }
    }

    let text = String::from_utf8(file.finish().unwrap()).unwrap();

    assert_eq!(
        text,
        "\u{FEFF}\"E-Mail\";\"Team\";\"Problem\"\r\n\
         \"ada@example\";\"'=1\";\"E-Mail: Not a valid email address: the part after @ has no dot\"\r\n\
         \"\";\"x\"\"y\";\"E-Mail: Missing; This row has 4 cells and the header has 2 – a cell with a separator in it needs quotation marks around it\";\"\";\"extra\"\r\n"
    );
    let (again, lines) = read(&text).unwrap();
    assert_eq!(again.header, sheet.header);
    let Some(ParsedRow::Rejected(second)) = lines.last() else {
        panic!("{lines:?}");
    };
    assert_eq!(second.cells, ["", "x\"y", "", "extra"]);
    let corrected = text.replace("ada@example\"", "ada@example.org\"");
    let (_, lines) = read(corrected).unwrap();
    assert!(matches!(&lines[0], ParsedRow::Person(person) if person.fields["team"] == "=1"));
}
