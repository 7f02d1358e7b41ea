//! The exact sentence for each file that is refused as a whole.

use std::io::{self, Read, Seek, SeekFrom};

use super::super::{FileFault, Limits, ParsedFile};
use super::{file, read};

/// Refused files: the code, the content, the sentence.
const FAULTS: &[(&str, &[u8], &str)] = &[
    ("empty_file", b"", "The selected file is empty"),
    ("empty_file", b"\xEF\xBB\xBF", "The selected file is empty"),
    ("empty_file", b"\n , ,\r\n\"\"\n", "The selected file is empty"),
    (
        "no_rows",
        b"email,first_name\n\n,,\n",
        "Your file needs at least one row",
    ),
    (
        "email_column_missing",
        b"name,mail;x,\"a b\"\nx,y,z\n",
        "Your file needs a column called ‘email address’. Right now it has columns called ‘name’, ‘mail;x’ and ‘a b’",
    ),
    (
        "email_column_missing",
        b"ada@example.org,Ada\nbob@example.org,Bob\n",
        "Your file needs a column called ‘email address’. Right now it has columns called ‘ada@example.org’ and ‘Ada’. The first row must have the names of the columns",
    ),
    (
        "email_column_missing",
        b"a,b,c,d,e,f,g,h,i,j,k,l\n1\n",
        "Your file needs a column called ‘email address’. Right now it has columns called ‘a’, ‘b’, ‘c’, ‘d’, ‘e’, ‘f’, ‘g’, ‘h’, ‘i’, ‘j’ and 2 more",
    ),
    (
        "two_email_columns",
        b"email,E-Mail Address\na@b.co,c@d.co\n",
        "We found more than one column called ‘email address’ (columns A and B) – delete or rename one",
    ),
    (
        "duplicate_column",
        b"email,Shoe Size,x,shoe_size\na@b.co,1,2,3\n",
        "We found more than one column called ‘shoe_size’ (columns B and D) – delete or rename one",
    ),
    (
        "blank_header",
        b"email,,team,\na@b.co,,x,\nc@d.co,,x,y\n",
        "Column D has no name, but row 3 has something in it – name the column or delete it",
    ),
    (
        "blank_header",
        b"email, ,team\na@b.co,x,x\n",
        "Column B has no name, but row 2 has something in it – name the column or delete it",
    ),
    (
        "blank_header",
        b"email,,team,,\na@b.co,,x,,\nc@d.co,1,x,y,z\n",
        "Columns B, D and E have no name, but have something in them from row 3 on – name the columns or delete them",
    ),
    (
        "header_invalid",
        b"email,pwd,\na@b.co,x,Sales\nc@d.co,x,Zo\xEB\n",
        "Column B (‘pwd’) holds passwords – Beckon never imports passwords. Delete the column and try again. We cannot read this file – save it as CSV UTF-8 and try again. Row 3, column C is not UTF-8: it looks like Latin-1 or Windows-1252 (‘Zoë’). Column C has no name, but row 2 has something in it – name the column or delete it",
    ),
    (
        "password_column",
        b"PASSWORD,email\nx,a@b.co\n",
        "Column A (‘PASSWORD’) holds passwords – Beckon never imports passwords. Delete the column and try again",
    ),
    (
        "password_column",
        "email,Initial password,Mot de passe\na@b.co,x,y\n".as_bytes(),
        "Columns B (‘Initial password’) and C (‘Mot de passe’) hold passwords – Beckon never imports passwords. Delete the columns and try again",
    ),
    (
        "header_invalid",
        b"Name,pwd,Team,team\nx,y,z,z\n",
        "Column B (‘pwd’) holds passwords – Beckon never imports passwords. Delete the column and try again. Your file needs a column called ‘email address’. Right now it has columns called ‘Name’, ‘pwd’, ‘Team’ and ‘team’. We found more than one column called ‘team’ (columns C and D) – delete or rename one",
    ),
    (
        "utf16",
        b"\xFF\xFEe\0m\0a\0i\0l\0\n\0",
        "We cannot read this file – save it as CSV UTF-8 and try again. It looks like UTF-16",
    ),
    (
        "utf16",
        b"\0e\0m\0a\0i\0l\0\n",
        "We cannot read this file – save it as CSV UTF-8 and try again. It looks like UTF-16",
    ),
    (
        "not_utf8",
        b"email,first_name\na@b.co,Ada\nc@d.co,Ren\xE9e\n",
        "We cannot read this file – save it as CSV UTF-8 and try again. Row 3, column B is not UTF-8: it looks like Latin-1 or Windows-1252 (‘Renée’)",
    ),
    (
        "not_utf8",
        b"email,a,b\na@b.co,x\xC3,\xA9x\n",
        "We cannot read this file – save it as CSV UTF-8 and try again. Row 2, column B is not UTF-8: it looks like Latin-1 or Windows-1252 (‘xÃ’)",
    ),
    (
        "zero_byte",
        b"email,first_name\na@b.co,A\0da\n",
        "We cannot read this file – save it as CSV UTF-8 and try again. Row 2, column B has a zero byte, which text never has",
    ),
    (
        "quote_not_closed",
        b"email,note\na@b.co,x\nc@d.co,\"y\ne@f.co,z\n",
        "Row 3, column B opens a quotation mark that is not closed. Close it, or write \"\" for a quotation mark that belongs to the text",
    ),
    (
        "quote_not_closed",
        b"email,note\na@b.co,\"y\ne@f.co,z\ng@h.co,\"q\"\n",
        "Row 2, column B opens a quotation mark that is not closed. Close it, or write \"\" for a quotation mark that belongs to the text",
    ),
    (
        "separator_unknown",
        b"sep=|\nemail|x\n",
        "Your file declares ‘|’ as the separator of its columns. Save it with commas, semicolons or tabs and try again",
    ),
    (
        "damaged_file",
        b"PK\x03\x04\x14\0\x06\0\x08\0\0\0!\0[Content_Types].xml",
        "The selected file is damaged – open it in a spreadsheet, save it again and try that file",
    ),
    (
        "damaged_file",
        b"PK\x03\x04..mimetypeapplication/vnd.oasis.opendocument.spreadsheet",
        "The selected file is damaged – open it in a spreadsheet, save it again and try that file",
    ),
    (
        "not_csv",
        b"PK\x03\x04\x14\0users.csv",
        "The selected file must be a spreadsheet or a CSV – this is a zip archive. Unpack it and choose the file in it",
    ),
    (
        "not_csv",
        b"%PDF-1.7\n",
        "The selected file must be a spreadsheet or a CSV – this is a PDF. Open it in a spreadsheet, save it as .xlsx or CSV UTF-8 and try again",
    ),
    (
        "not_csv",
        b"\x1F\x8B\x08",
        "The selected file must be a spreadsheet or a CSV – this is a compressed file. Unpack it and choose the file in it",
    ),
    (
        "not_csv",
        b"\x89PNG\r\n\x1A\n",
        "The selected file must be a spreadsheet or a CSV – this is a picture. Open it in a spreadsheet, save it as .xlsx or CSV UTF-8 and try again",
    ),
    (
        "not_csv",
        b"\n <!DOCTYPE HTML><table>",
        "The selected file must be a spreadsheet or a CSV – this is a web page. Open it in a spreadsheet, save it as .xlsx or CSV UTF-8 and try again",
    ),
    (
        "not_csv",
        b"<?xml version=\"1.0\"?>",
        "The selected file must be a spreadsheet or a CSV – this is an XML file. Open it in a spreadsheet, save it as .xlsx or CSV UTF-8 and try again",
    ),
    (
        "not_csv",
        b"[ {\"email\": \"a@b.co\"}]",
        "The selected file must be a spreadsheet or a CSV – this is a JSON file. Send it as application/json, or export a CSV",
    ),
];

#[test]
fn an_unusable_file_is_rejected_with_these_messages() {
    for &(code, bytes, words) in FAULTS {
        let shown = String::from_utf8_lossy(bytes);
        let fault = read(bytes).map(|_| ()).expect_err(&shown);

        assert_eq!(fault.to_string(), words, "{shown}");
        assert_eq!(fault.code(), code, "{shown}");
        if let (Some(row), true) = (fault.row(), words.contains("ow ")) {
            assert!(words.contains(&format!("ow {row}")), "{fault:?}");
        }
    }
}

#[test]
fn a_file_over_a_limit_is_rejected_with_the_limit() {
    let header_of_201 = format!("email{}\n", ",x".repeat(200));
    let row_of_201 = format!("email,a\na@b.co,{}\n", "x,".repeat(200));
    let cell_of_10_001 = format!("email,note\na@b.co,{}\n", "x".repeat(10_001));
    let swallowed_rows = format!("email,note\na@b.co,\"{}\n", "c@d.co,x\n".repeat(2_000));
    for (code, text, words) in [
        (
            "too_many_columns",
            header_of_201,
            "Your file has too many columns – we can take 200, row 1 has more",
        ),
        (
            "too_many_columns",
            row_of_201,
            "Your file has too many columns – we can take 200, row 2 has more",
        ),
        (
            "cell_too_long",
            cell_of_10_001,
            "Row 2, column B is too long (limit 10,000 bytes)",
        ),
        (
            "quote_not_closed",
            swallowed_rows,
            "Row 2, column B opens a quotation mark that is not closed. Close it, or write \"\" for a quotation mark that belongs to the text",
        ),
    ] {
        let fault = read(text).map(|_| ()).unwrap_err();

        assert_eq!((fault.code(), fault.to_string().as_str()), (code, words));
    }
}

#[test]
fn a_fault_in_the_header_is_reported_for_every_separator() {
    let fault = |text: &str| read(text).map(|_| ()).unwrap_err();

    assert_eq!(
        fault("email;\"first name\nada@example.org;Ada\n").code(),
        "quote_not_closed"
    );
    assert_eq!(fault("\"email\tx\na@b.co\tb\n").code(), "quote_not_closed");
    assert_eq!(fault("email;a;email\nx;y;z\n").code(), "two_email_columns");
    assert_eq!(
        fault(&format!("email{}\n", ";x".repeat(200))).code(),
        "too_many_columns"
    );
}

#[test]
fn limits_are_reported_with_the_actual_number() {
    let open = |text: &str, limits| ParsedFile::open_csv(file(text), limits).map(|_| ()).unwrap_err();
    let rows = Limits {
        rows: 1_000,
        ..Limits::default()
    };
    let row_bytes = Limits {
        row_bytes: 20,
        ..Limits::default()
    };

    let too_many = open(&format!("email\n{}", "a@b.co\n\n".repeat(1_203)), rows);
    let too_long = open("email,a,b\na@b.co,\n\na@b.co,123456789,123456789\n", row_bytes);

    assert_eq!(
        too_many.to_string(),
        "Your file has too many rows – we can take 1,000, yours has 1,203"
    );
    assert_eq!(too_many.code(), "too_many_rows");
    assert_eq!(too_long.to_string(), "Row 4 is too long (limit 20 bytes)");
    assert_eq!((too_long.code(), too_long.row()), ("row_too_long", Some(4)));
}

/// A file that never ends; counts the bytes read.
struct Endless {
    begin: &'static [u8],
    then: u8,
    at: u64,
    fetched: u64,
}

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        for byte in buffer.iter_mut() {
            let begin = usize::try_from(self.at).ok().and_then(|at| self.begin.get(at));
            *byte = begin.copied().unwrap_or(self.then);
            self.at += 1;
        }
        self.fetched += u64::try_from(buffer.len()).unwrap();
        Ok(buffer.len())
    }
}

impl Seek for Endless {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        if let SeekFrom::Start(at) = to {
            self.at = at;
        }
        Ok(self.at)
    }
}

#[test]
fn a_file_made_to_exhaust_memory_is_rejected_early() {
    for (begin, then, code) in [
        (&b"email,x\na@b.co,\""[..], b'x', "cell_too_long"),
        (b"email,x\na@b.co,", b'x', "cell_too_long"),
        (b"email,x\na@b.co,\"", b'\n', "quote_not_closed"),
        (b"", b'"', "cell_too_long"),
        (b"", b'x', "cell_too_long"),
    ] {
        let mut file = Endless {
            begin,
            then,
            at: 0,
            fetched: 0,
        };

        let fault = ParsedFile::open_csv(&mut file, Limits::default())
            .map(|_| ())
            .unwrap_err();

        assert_eq!(fault.code(), code, "{begin:?}");
        assert!(file.fetched < 1_000_000, "{} bytes", file.fetched);
    }
    let mut array = Endless {
        begin: b"[{\"email\": \"",
        then: b'x',
        at: 0,
        fetched: 0,
    };
    let fault = ParsedFile::open_json(&mut array, Limits::default())
        .map(|_| ())
        .unwrap_err();
    assert_eq!(fault.to_string(), "Row 1 is too long (limit 262,144 bytes)");
    assert!(array.fetched < 1_000_000);
}

#[test]
fn a_file_that_cannot_be_read_is_our_fault() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("gone"))
        }
    }
    impl Seek for Broken {
        fn seek(&mut self, _: SeekFrom) -> io::Result<u64> {
            Ok(0)
        }
    }

    let fault: FileFault = ParsedFile::open_csv(Broken, Limits::default()).map(|_| ()).unwrap_err();

    assert_eq!(fault.code(), "file_unreadable");
    assert_eq!(fault.to_string(), "The selected file could not be read – try again");
}
