//! Lists of people that administrators paste.

use std::io::Cursor;

use import::{Limits, ParsedFile, table_of};
use shared::address::EmailAddress;

use crate::csv_import::{assert_line, assert_plain};
use crate::engine::Target;

const TARGET: Target = Target {
    name: "pasted_people",
    words: &[
        b"a@b.co",
        b"<a@b.co>",
        b"'c@d.co'",
        b"Ada Lovelace",
        b"From: ",
        b" and ",
        b"mailto:",
        b"(",
        b")",
        b"<",
        b">",
        b"\"",
        b"'",
        b",",
        b";",
        b"\t",
        b"\n",
        b"\r\n",
        b"=cmd()",
        b"\xC3\xBC",
        b"\xE2\x80\x8B",
        b"7",
        b" ",
    ],
};

#[test]
fn no_address_of_a_pasted_list_is_lost() {
    TARGET.run(|bytes| {
        let text = String::from_utf8_lossy(bytes);
        let Some(table) = table_of(&text) else { return };
        match ParsedFile::open_csv(Cursor::new(table.clone().into_bytes()), Limits::default()) {
            Ok((sheet, lines)) => {
                for line in lines {
                    assert_line(&sheet, &line.unwrap());
                }
            }
            Err(fault) => {
                assert!(!fault.is_about_columns(), "{fault}");
                assert_plain(&fault.to_string());
            }
        }
        // An address that is also the name of its person is written once, in whichever case.
        let lower = table.to_lowercase();
        let is_end = |c: char| c.is_whitespace() || ",;<>()\"':".contains(c);
        for word in text.split(is_end).filter(|word| EmailAddress::parse(word).is_ok()) {
            assert!(
                lower.contains(&word.to_lowercase()),
                "{word} of {text:?} is not in {table:?}"
            );
        }
    });
}
