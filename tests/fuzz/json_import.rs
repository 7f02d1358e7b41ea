//! Arrays of users that programs send.

use std::io::Cursor;

use import::{FileFault, Limits, ParsedFile, ParsedRow};

use crate::csv_import::{assert_line, assert_plain};
use crate::engine::Target;

const TARGET: Target = Target {
    name: "json_import",
    words: &[
        b"\"email\"",
        b"\"first_name\"",
        b"\"password\"",
        b"\"a@b.co\"",
        b"[",
        b"]",
        b"{",
        b"}",
        b":",
        b",",
        b"\"",
        b"\\u0000",
        b"\\ud800",
        b"null",
        b"true",
        b"1e400",
        b"[[[[[[[[",
        b"\xFF",
        b"\xEF\xBB\xBF",
        b" ",
    ],
};

#[test]
fn any_body_is_read_user_by_user_or_refused_as_a_whole() {
    let limits = Limits {
        rows: 20,
        cell_bytes: 200,
        ..Limits::default()
    };
    TARGET.run(
        |bytes| match ParsedFile::open_json(Cursor::new(bytes.to_vec()), limits) {
            Ok((sheet, lines)) => {
                let lines: Vec<ParsedRow> = lines.collect::<Result<_, FileFault>>().unwrap();
                let users = usize::try_from(sheet.rows).unwrap();
                assert_eq!(lines.len(), users, "no user is skipped silently");
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
