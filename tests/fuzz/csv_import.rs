//! Files that administrators upload.

use std::io::Cursor;

use import::{FileFault, Limits, ParsedFile, ParsedRow};

use crate::engine::Target;

const TARGET: Target = Target {
    name: "csv_import",
    words: &[
        b"email",
        b"Email,First name\n",
        b"a@b.co",
        b"\xC3\xBC@m\xC3\xBCnchen.example",
        b"=cmd()",
        b",",
        b";",
        b"\t",
        b"\n",
        b"\r\n",
        b"\r",
        b"\"",
        b"\"\"",
        b"\0",
        b"\xFF",
        b"\xEF\xBB\xBF",
        b"\xFF\xFE",
        b"\xE2\x80\xAE",
        b"\xE2\x80\x8B",
        b"sep=;\n",
        b"PK\x03\x04",
        b"<script>",
        b"{{7*7}}",
        b" ",
    ],
};

/// Small limits, so that inputs reach them.
fn limits() -> Limits {
    Limits {
        rows: 20,
        columns: 12,
        cell_bytes: 200,
        ..Limits::default()
    }
}

#[test]
fn any_upload_is_read_row_by_row_or_refused_as_a_whole() {
    TARGET.run(
        |bytes| match ParsedFile::open_csv(Cursor::new(bytes.to_vec()), limits()) {
            Ok((sheet, lines)) => {
                let lines: Vec<ParsedRow> = lines.collect::<Result<_, FileFault>>().unwrap();
                assert_eq!(
                    lines.len(),
                    usize::try_from(sheet.rows).unwrap(),
                    "no row is skipped silently"
                );
                for line in &lines {
                    assert_line(&sheet, line);
                }
            }
            Err(fault) => {
                assert!(!matches!(fault, FileFault::Unreadable(_)), "{fault}");
                assert_plain(&fault.to_string());
            }
        },
    );
}

pub(crate) fn assert_line(sheet: &ParsedFile, line: &ParsedRow) {
    match line {
        ParsedRow::Person(person) => assert_eq!(sheet.cells_of(person).len(), sheet.header.len()),
        ParsedRow::Rejected(row) => {
            assert!(!row.problems.is_empty());
            for problem in &row.problems {
                assert_plain(&format!("{problem:?}"));
            }
        }
    }
}

/// Asserts that a message to the administrator has no control characters and fits on a screen.
pub(crate) fn assert_plain(text: &str) {
    assert!(!text.is_empty() && text.chars().count() < 1_000, "{text:?}");
    assert!(!text.contains(char::is_control), "{text:?}");
}
