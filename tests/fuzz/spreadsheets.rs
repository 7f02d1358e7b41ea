//! Spreadsheets that administrators upload: their XML and records, and the files around them.

use std::fs::File;
use std::io::{Cursor, Seek as _, Write as _};

use import::{Directions, FileFault, Limits, ParsedFile};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::engine::Target;

const XLSX_SHEET: Target = Target {
    name: "xlsx_sheet",
    words: &[
        b"<row r=\"3\">",
        b"</row>",
        b"<c r=\"C17\" t=\"s\" s=\"1\">",
        b"<v>0</v>",
        b"</c>",
        b"<is><t>x</t></is>",
        b"<sheetData>",
        b"</sheetData>",
        b"&amp;",
        b"&#0;",
        b"&#x110000;",
        b"<!--",
        b"<![CDATA[",
        b"]]>",
        b"<!DOCTYPE x [<!ENTITY e \"e\">]>",
        b"&e;",
        b"email",
        b"a@b.co",
        b"XFD1048576",
        b"A0",
        b"1e309",
        b"-1",
        b"_x0000_",
        b"\xFF",
        b"\0",
    ],
};

const ODS_CONTENT: Target = Target {
    name: "ods_content",
    words: &[
        b"<table:table table:name=\"A\">",
        b"</table:table>",
        b"<table:table-row table:number-rows-repeated=\"1048576\">",
        b"</table:table-row>",
        b"<table:table-cell table:number-columns-repeated=\"16384\">",
        b"</table:table-cell>",
        b"<text:p>email</text:p>",
        b"<text:s text:c=\"4000000000\"/>",
        b"office:value-type=\"float\" office:value=\"nan\"",
        b"office:value-type=\"date\" office:date-value=\"2026-10-01\"",
        b"<office:annotation>",
        b"a@b.co",
        b"\xFF",
    ],
};

const XLS_STREAM: Target = Target {
    name: "xls_stream",
    words: &[
        b"\x09\x08\x08\0\0\x06\x10\0\0\0\0\0",
        b"\x0A\0\0\0",
        b"\x3C\0\x02\0\x01x",
        b"\xFC\0\x08\0\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF",
        b"\xFD\0\x0A\0\0\0\0\0\0\0\0\0\0\0",
        b"\xBD\0\x0C\0\0\0\0\0\0\0\0\0\0\0\0\0",
        b"\x04\x02\x0C\0\0\0\0\0\0\0\x03\0\0x@y",
        b"\x06\0\x16\0",
        b"\x07\x02\x04\0\x01\0\0x",
        b"\x85\0\x0A\0",
        b"\xFF\xFF",
        b"\0\0",
    ],
};

const FILE: Target = Target {
    name: "spreadsheet_file",
    words: &[
        b"PK\x03\x04",
        b"PK\x01\x02",
        b"PK\x05\x06",
        b"xl/workbook.xml",
        b"content.xml",
        b"\xFF\xFF\xFF\xFF",
        b"\0\0\0\0",
    ],
};

/// The other parts of a workbook.
const WORKBOOK: [(&str, &str); 3] = [
    (
        "xl/workbook.xml",
        "<workbook xmlns:r=\"r\"><sheets><sheet name=\"A\" sheetId=\"1\" r:id=\"a\"/></sheets></workbook>",
    ),
    (
        "xl/_rels/workbook.xml.rels",
        "<Relationships><Relationship Id=\"a\" Type=\"x/worksheet\" Target=\"a.xml\"/><Relationship Id=\"s\" Type=\"x/sharedStrings\" Target=\"s.xml\"/></Relationships>",
    ),
    ("xl/s.xml", "<sst><si><t>email</t></si><si><t>a@b.co</t></si></sst>"),
];

fn archive(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in parts {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// Opens a file and reads all of it: rows, or a fault that the administrator can act on.
fn hold(bytes: &[u8]) {
    let mut file: File = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file.rewind().unwrap();
    let limits = Limits {
        rows: 2_000,
        columns: 12,
        cell_bytes: 200,
        ..Limits::default()
    };
    match ParsedFile::open(file, &Directions::default(), limits) {
        Ok((sheet, lines)) => {
            let lines: Vec<_> = lines.collect::<Result<_, FileFault>>().unwrap();
            assert_eq!(lines.len(), usize::try_from(sheet.rows).unwrap());
        }
        Err(fault) => {
            assert!(!matches!(fault, FileFault::Unreadable(_)), "{fault}");
            let message = fault.to_string();
            assert!(!message.contains(char::is_control), "{message:?}");
        }
    }
}

#[test]
fn any_sheet_of_office_open_xml_is_read_or_refused() {
    XLSX_SHEET.run(|bytes| {
        let mut parts: Vec<(&str, &[u8])> = WORKBOOK.iter().map(|(name, text)| (*name, text.as_bytes())).collect();
        parts.push(("xl/a.xml", bytes));
        hold(&archive(&parts));
    });
}

#[test]
fn any_content_of_opendocument_is_read_or_refused() {
    ODS_CONTENT.run(|bytes| hold(&archive(&[("content.xml", bytes)])));
}

#[test]
fn any_records_of_an_old_excel_file_are_read_or_refused() {
    XLS_STREAM.run(|bytes| {
        let mut file = cfb::CompoundFile::create(Cursor::new(Vec::new())).unwrap();
        file.create_stream("Workbook").unwrap().write_all(bytes).unwrap();
        file.flush().unwrap();
        hold(&file.into_inner().into_inner());
    });
}

#[test]
fn any_bytes_named_as_a_spreadsheet_are_read_or_refused() {
    FILE.run(hold);
}
