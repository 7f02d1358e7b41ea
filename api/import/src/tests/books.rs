//! Spreadsheets for tests, built byte by byte where no library writes what is needed.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{Cursor, Seek as _, Write as _};

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::super::{Directions, FileFault, Limits, ParsedFile, ParsedRow};

/// A file on disk with these bytes.
pub(super) fn on_disk(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file.rewind().unwrap();
    file
}

/// The sheet and all lines of a file of any kind, or its fault.
pub(super) fn open(bytes: &[u8], sheet: Option<&str>) -> Result<(ParsedFile, Vec<ParsedRow>), FileFault> {
    let directions = Directions {
        sheet: sheet.map(str::to_owned),
        ..Directions::default()
    };
    let (sheet, mut lines) = ParsedFile::open(on_disk(bytes), &directions, Limits::default())?;
    let rows = lines.chunk(usize::MAX, usize::MAX)?;
    assert_eq!(rows.len(), usize::try_from(sheet.rows).unwrap());
    Ok((sheet, rows))
}

/// An archive of these parts.
pub(super) fn archive(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in parts {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// A workbook whose sheets have these names and this XML as data.
pub(super) fn xlsx(sheets: &[(&str, &str, &str)], strings: &str) -> Vec<u8> {
    let mut index = String::from("<workbook xmlns:r=\"r\"><sheets>");
    let mut links = String::from("<Relationships>");
    let mut parts: Vec<(String, String)> = Vec::new();
    for (n, (name, state, data)) in sheets.iter().enumerate() {
        let _ = write!(
            index,
            "<sheet name=\"{name}\" sheetId=\"{n}\" state=\"{state}\" r:id=\"r{n}\"/>"
        );
        let _ = write!(
            links,
            "<Relationship Id=\"r{n}\" Type=\"x/worksheet\" Target=\"worksheets/s{n}.xml\"/>"
        );
        let sheet = format!("<worksheet><sheetData>{data}</sheetData></worksheet>");
        parts.push((format!("xl/worksheets/s{n}.xml"), sheet));
    }
    links += "<Relationship Id=\"s\" Type=\"x/sharedStrings\" Target=\"sharedStrings.xml\"/></Relationships>";
    index += "</sheets></workbook>";
    parts.push(("xl/workbook.xml".to_owned(), index));
    parts.push(("xl/_rels/workbook.xml.rels".to_owned(), links));
    parts.push(("xl/sharedStrings.xml".to_owned(), format!("<sst>{strings}</sst>")));
    let parts: Vec<(&str, &[u8])> = parts
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_bytes()))
        .collect();
    archive(&parts)
}

/// An `OpenDocument` file with this XML for its sheets.
pub(super) fn ods(sheets: &str) -> Vec<u8> {
    let content = format!(
        "<office:document-content xmlns:office=\"o\" xmlns:table=\"t\" xmlns:text=\"x\"><office:body><office:spreadsheet>{sheets}</office:spreadsheet></office:body></office:document-content>"
    );
    archive(&[
        ("mimetype", b"application/vnd.oasis.opendocument.spreadsheet"),
        ("content.xml", content.as_bytes()),
    ])
}

/// A record of an old Excel file.
pub(super) fn record(kind: u16, bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap();
    [&kind.to_le_bytes(), &length.to_le_bytes(), bytes].concat()
}

/// A compound file with one stream.
pub(super) fn compound(name: &str, stream: &[u8]) -> Vec<u8> {
    let mut file = cfb::CompoundFile::create(Cursor::new(Vec::new())).unwrap();
    file.create_stream(name).unwrap().write_all(stream).unwrap();
    file.flush().unwrap();
    file.into_inner().into_inner()
}

/// An old Excel file: the records before its sheets, and its sheets, each a name and its records.
pub(super) fn xls(globals: &[u8], sheets: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let bof = record(0x0809, &[0x00, 0x06, 0x05, 0x00, 0, 0, 0, 0]);
    let sheet_bof = record(0x0809, &[0x00, 0x06, 0x10, 0x00, 0, 0, 0, 0]);
    let end = record(0x000A, &[]);
    let entries: usize = sheets.iter().map(|(name, _)| 4 + 8 + name.len()).sum();
    let mut at = bof.len() + entries + globals.len() + end.len();
    let (mut stream, mut bodies) = (bof, Vec::new());
    for (name, cells) in sheets {
        let mut entry = u32::try_from(at).unwrap().to_le_bytes().to_vec();
        entry.extend([0, 0, u8::try_from(name.len()).unwrap(), 0]);
        entry.extend(name.bytes());
        stream.extend(record(0x0085, &entry));
        let body = [sheet_bof.as_slice(), cells, &end].concat();
        at += body.len();
        bodies.extend(body);
    }
    stream.extend(globals);
    stream.extend(end);
    stream.extend(bodies);
    compound("Workbook", &stream)
}
