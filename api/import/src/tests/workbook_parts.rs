//! Parts of a workbook besides its visible cells: encryption, macros, links to other files, hidden sheets and rows.

use std::io::{Cursor, Write as _};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::super::{FileFault, Format, Limits, SheetRead, write_csv};
use super::all_people;
use super::books::{archive, ods, open, record, xls, xlsx};

/// The manifest of a file that `LibreOffice` 24.2 encrypted.
const MANIFEST: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0" manifest:version="1.4" xmlns:loext="urn:org:documentfoundation:names:experimental:office:xmlns:loext:1.0">
 <manifest:file-entry manifest:full-path="encrypted-package" manifest:media-type="application/vnd.oasis.opendocument.spreadsheet" manifest:size="8391">
  <manifest:encryption-data>
   <manifest:algorithm manifest:algorithm-name="http://www.w3.org/2009/xmlenc11#aes256-gcm" manifest:initialisation-vector="jYFtVcEqVzQBsVjh"/>
   <manifest:start-key-generation manifest:start-key-generation-name="http://www.w3.org/2001/04/xmlenc#sha256" manifest:key-size="32"/>
   <manifest:key-derivation manifest:key-derivation-name="urn:org:documentfoundation:names:experimental:office:manifest:argon2id" manifest:key-size="32" loext:argon2-iterations="3" loext:argon2-memory="65536" loext:argon2-lanes="4" manifest:salt="kT0mLMkW8mVXCQ3mLRfVbA=="/>
  </manifest:encryption-data>
 </manifest:file-entry>
</manifest:manifest>"#;

#[test]
fn a_package_encrypted_as_a_whole_is_protected_by_a_password() {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let mut part = |name: &str, options, bytes: &[u8]| {
        zip.start_file(name, options).unwrap();
        zip.write_all(bytes).unwrap();
    };
    // Encrypted bytes look random.
    let encrypted: Vec<u8> = (0..8_391_u32)
        .map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0])
        .collect();
    part("mimetype", stored, b"application/vnd.oasis.opendocument.spreadsheet");
    part("encrypted-package", stored, &encrypted);
    part(
        "META-INF/manifest.xml",
        SimpleFileOptions::default(),
        MANIFEST.as_bytes(),
    );
    let file = zip.finish().unwrap().into_inner();

    let fault = open(&file, None).map(|_| ()).unwrap_err();

    assert!(matches!(fault, FileFault::Encrypted), "{fault}");
    let other = archive(&[("encrypted-package", b"x")]);
    assert!(!matches!(open(&other, None).map(|_| ()), Err(FileFault::Encrypted)));
}

/// A workbook with macros whose cells refer to another workbook on a file server.
fn with_macros_and_links() -> Vec<u8> {
    let book = "<workbook xmlns:r=\"r\"><sheets><sheet name=\"A\" sheetId=\"1\" r:id=\"a\"/></sheets>\
                <externalReferences><externalReference r:id=\"e\"/></externalReferences>\
                <definedNames><definedName name=\"Auto_Open\">A!$A$1</definedName></definedNames></workbook>";
    let links = "<Relationships>\
                 <Relationship Id=\"e\" Type=\"x/externalLink\" Target=\"externalLinks/externalLink1.xml\"/>\
                 <Relationship Id=\"m\" Type=\"http://schemas.microsoft.com/office/2006/relationships/vbaProject\" Target=\"vbaProject.bin\"/>\
                 <Relationship Id=\"a\" Type=\"x/worksheet\" Target=\"worksheets/sheet1.xml\"/></Relationships>";
    let sheet = "<worksheet><sheetData>\
                 <row><c t=\"str\"><v>email</v></c><c t=\"str\"><v>team</v></c><c t=\"str\"><v>score</v></c></row>\
                 <row><c t=\"str\"><f>[1]Sheet1!A1</f><v>ada@example.org</v></c>\
                 <c t=\"str\"><f>\"\\\\server\\\"&amp;WEBSERVICE(\"http://127.0.0.1:1/\")</f><v>Blue</v></c>\
                 <c><f>SUM([1]Sheet1!B1:B9)</f><v>42</v></c></row>\
                 </sheetData></worksheet>";
    let external = "<externalLink xmlns:r=\"r\"><externalBook r:id=\"r1\"><sheetNames><sheetName val=\"Sheet1\"/></sheetNames>\
                    <sheetDataSet><sheetData sheetId=\"0\"><row r=\"1\"><cell r=\"A1\" t=\"str\"><v>eve@example.org</v></cell></row></sheetData></sheetDataSet>\
                    </externalBook></externalLink>";
    let outside = "<Relationships><Relationship Id=\"r1\" Type=\"x/externalLinkPath\" Target=\"file:///\\\\server\\staff.xlsx\" TargetMode=\"External\"/></Relationships>";
    // The compound file with the macros is not opened: random bytes would fail.
    let macros = vec![0xA5; 100_000];
    archive(&[
        (
            "[Content_Types].xml",
            b"<Types><Default Extension=\"bin\" ContentType=\"application/vnd.ms-office.vbaProject\"/></Types>",
        ),
        ("xl/workbook.xml", book.as_bytes()),
        ("xl/_rels/workbook.xml.rels", links.as_bytes()),
        ("xl/worksheets/sheet1.xml", sheet.as_bytes()),
        ("xl/externalLinks/externalLink1.xml", external.as_bytes()),
        ("xl/externalLinks/_rels/externalLink1.xml.rels", outside.as_bytes()),
        ("xl/vbaProject.bin", &macros),
    ])
}

#[test]
fn macros_and_links_are_ignored_and_saved_values_are_used() {
    let (sheet, lines) = open(&with_macros_and_links(), None).unwrap();

    assert_eq!((sheet.format, sheet.rows), ("xlsx", 1));
    let people = all_people(lines);
    assert_eq!(people[0].email.as_typed(), "ada@example.org");
    assert_eq!(
        (people[0].fields["team"].as_str(), people[0].fields["score"].as_str()),
        ("Blue", "42")
    );
}

#[test]
fn a_sheet_that_lies_outside_the_file_is_not_fetched() {
    for target in [
        "http://127.0.0.1:1/sheet.xml",
        "../../../../etc/passwd",
        "file:///etc/passwd",
    ] {
        let links = format!(
            "<Relationships><Relationship Id=\"a\" Type=\"x/worksheet\" Target=\"{target}\" TargetMode=\"External\"/></Relationships>"
        );
        let file = archive(&[
            (
                "xl/workbook.xml",
                b"<workbook xmlns:r=\"r\"><sheets><sheet name=\"A\" sheetId=\"1\" r:id=\"a\"/></sheets></workbook>",
            ),
            ("xl/_rels/workbook.xml.rels", links.as_bytes()),
        ]);

        let fault = open(&file, None).map(|_| ()).unwrap_err();

        assert_eq!(fault.code(), "empty_file", "{target}");
    }
}

fn sheet_read(bytes: &[u8], format: Format, wanted: Option<&str>) -> SheetRead {
    write_csv(
        Cursor::new(bytes.to_vec()),
        format,
        wanted,
        Limits::default(),
        Vec::new(),
    )
    .unwrap()
}

/// Workbooks of each format with a visible, a hidden and an empty hidden sheet. The first has two hidden rows: one with
/// content, and an empty one.
fn with_hidden_parts() -> [(Format, Vec<u8>); 3] {
    let row = |attributes: &str, text: &str| format!("<row {attributes}><c t=\"str\"><v>{text}</v></c></row>");
    let people = [
        row("", "email"),
        row("hidden=\"1\"", "a@b.co"),
        row("hidden=\"1\"", " "),
    ]
    .concat();
    let old = row("", "email") + &row("", "old@b.co");
    let sheets = [
        ("Staff", "visible", people.as_str()),
        ("Old", "veryHidden", &old),
        ("None", "hidden", ""),
    ];

    let row = |attributes: &str, text: &str| {
        format!(
            "<table:table-row {attributes}><table:table-cell><text:p>{text}</text:p></table:table-cell></table:table-row>"
        )
    };
    let style = "<style:style style:name=\"ta2\"><style:table-properties table:display=\"false\"/></style:style>";
    let document = [
        style,
        "<table:table table:name=\"Staff\" table:style-name=\"ta1\">",
        &row("", "email"),
        &row("table:visibility=\"collapse\"", "a@b.co"),
        &row("table:visibility=\"filter\"", ""),
        "</table:table><table:table table:name=\"Old\" table:style-name=\"ta2\">",
        &row("", "email"),
        &row("", "old@b.co"),
        "</table:table><table:table table:name=\"None\" table:style-name=\"ta2\"></table:table>",
    ];

    let label = |row: u8, text: &str| {
        let mut bytes = vec![row, 0, 0, 0, 0, 0, u8::try_from(text.len()).unwrap(), 0, 0];
        bytes.extend(text.bytes());
        record(0x0204, &bytes)
    };
    let hidden = |row: u8| record(0x0208, &[row, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x20, 0, 0, 0]);
    let first = [hidden(1), hidden(2), label(0, "email"), label(1, "a@b.co")].concat();
    let second = [label(0, "email"), label(1, "old@b.co")].concat();
    let mut binary = xls(&[], &[("Staff", first), ("Old", second), ("None", Vec::new())]);
    for (name, state) in [(&b"\x03\0Old"[..], 2), (b"\x04\0None", 1)] {
        let at = binary.windows(name.len()).position(|window| window == name).unwrap();
        binary[at - 2] = state;
    }
    [
        (Format::Xlsx, xlsx(&sheets, "")),
        (Format::Ods, ods(&document.concat())),
        (Format::Xls, binary),
    ]
}

#[test]
fn hidden_sheets_and_rows_are_named_and_counted() {
    for (format, bytes) in with_hidden_parts() {
        let read = sheet_read(&bytes, format, None);

        assert_eq!(
            read,
            SheetRead {
                name: "Staff".to_owned(),
                is_hidden: false,
                hidden_rows: 1,
                other_hidden_sheets: vec!["Old".to_owned()],
            },
            "{format:?}"
        );
        let read = sheet_read(&bytes, format, Some("Old"));
        assert_eq!((read.is_hidden, read.hidden_rows), (true, 0), "{format:?}");
        assert_eq!(read.other_hidden_sheets, Vec::<String>::new(), "{format:?}");
        let (file, lines) = open(&bytes, None).unwrap();
        assert_eq!(file.source.map(|source| source.other_hidden_sheets.len()), Some(1));
        assert_eq!(all_people(lines)[0].email.as_typed(), "a@b.co", "{format:?}");
    }
}
