//! Excel 97 to 2003 spreadsheets (MS-XLS, "BIFF8"): `.xls`.
//!
//! Memory holds the stream with the workbook and the positions of its cells. Sizes declared by the file are never
//! reserved.

mod records;
mod text;

use std::io::{Read, Seek, SeekFrom, Write};

use super::cell_format::CellFormat;
use super::sheets::SheetEntry;
use super::strings::Strings;
use super::table::Table;
use crate::FileFault;
use records::{Record, Records, read_f64, read_u16, read_u32, type_of};
use text::{Segments, unicode_string};

/// Signature of a compound file.
pub(super) const MAGIC: &[u8] = b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1";

/// Maximum size of the workbook stream. Its largest possible sheet has 65,536 rows.
const MAX_STREAM: usize = 32 * 1024 * 1024;

/// Maximum number of styles and formats in a workbook.
const MAX_ENTRIES: usize = 70_000;

/// Maximum number of sheets. Finding out whether one is empty reads all of its records.
const MAX_SHEETS: usize = 256;

/// A workbook in memory.
pub(super) struct Book {
    pub(super) sheets: Vec<SheetEntry>,
    stream: Vec<u8>,
    strings: Strings,
    formats: Vec<CellFormat>,
    is_1904: bool,
}

impl Book {
    /// Reads a workbook without its sheets.
    pub(super) fn open<R: Read + Seek>(source: &mut R) -> Result<Self, FileFault> {
        let mut book = Self {
            sheets: Vec::new(),
            stream: stream(source)?,
            strings: Strings::default(),
            formats: Vec::new(),
            is_1904: false,
        };
        book.read_globals()?;
        if book.sheets.is_empty() {
            return Err(FileFault::Damaged);
        }
        Ok(book)
    }

    fn read_globals(&mut self) -> Result<(), FileFault> {
        let mut own: Vec<(u16, CellFormat)> = Vec::new();
        let mut styles: Vec<u16> = Vec::new();
        let stream = std::mem::take(&mut self.stream);
        for record in Records::from(&stream, 0) {
            match record.kind {
                type_of::BOF if read_u16(record.bytes, 0) != Some(0x0600) => {
                    return Err(FileFault::NotCsv {
                        kind: "an Excel file from before 1997",
                        advice: "Open it in a spreadsheet, save it as .xlsx and try again",
                    });
                }
                type_of::FILE_PASS => return Err(FileFault::Encrypted),
                type_of::DATE_MODE => self.is_1904 = read_u16(record.bytes, 0) == Some(1),
                type_of::FORMAT if own.len() < MAX_ENTRIES => {
                    if let (Some(id), Some(code)) = (read_u16(record.bytes, 0), unicode_string(record.bytes.get(2..))) {
                        own.push((id, CellFormat::of_code(&code)));
                    }
                }
                type_of::XF if styles.len() < MAX_ENTRIES => {
                    styles.push(read_u16(record.bytes, 2).unwrap_or_default());
                }
                type_of::BOUND_SHEET if self.sheets.len() < MAX_SHEETS => self.sheets.extend(bound_sheet(&record)),
                type_of::SST => self.strings = shared_strings(&stream, &record)?,
                type_of::EOF => break,
                _ => {}
            }
        }
        let format = |id: u16| {
            let found = own.iter().rev().find(|(own, _)| *own == id);
            found.map_or_else(|| CellFormat::built_in(id), |(_, format)| format.clone())
        };
        self.formats = styles.into_iter().map(format).collect();
        self.stream = stream;
        Ok(())
    }

    /// Whether a sheet is empty.
    pub(super) fn is_empty(&self, sheet: &SheetEntry) -> Result<bool, FileFault> {
        let cells = self
            .records_of(sheet)
            .filter(|record| type_of::CELLS.contains(&record.kind));
        for record in cells {
            let texts = self.cells_at(record.at)?;
            if texts.iter().any(|(_, text)| !text.trim().is_empty()) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Writes a sheet.
    pub(super) fn read<W: Write>(&self, sheet: &SheetEntry, table: &mut Table<W>) -> Result<(), FileFault> {
        let mut hidden = Vec::new();
        for record in self.records_of(sheet) {
            let is_hidden = record.bytes.get(12).is_some_and(|flags| flags & 0x20 != 0);
            if let (type_of::ROW, true, Some(row)) = (record.kind, is_hidden, read_u16(record.bytes, 0)) {
                hidden.push(row);
            }
        }
        hidden.sort_unstable();
        for at in self.cells_of(sheet) {
            let Some(record) = Records::from(&self.stream, at).next() else {
                continue;
            };
            let row = read_u16(record.bytes, 0).ok_or(FileFault::Damaged)?;
            table.go_to(u32::from(row))?;
            if hidden.binary_search(&row).is_ok() {
                table.hide_row();
            }
            for (column, text) in self.cells_at(at)? {
                table.cell(column, &text)?;
            }
        }
        Ok(())
    }

    /// The records of a sheet, without those of embedded charts.
    fn records_of(&self, sheet: &SheetEntry) -> impl Iterator<Item = Record<'_>> {
        let at = sheet.at.parse().unwrap_or(usize::MAX);
        let mut depth = 0_u32;
        Records::from(&self.stream, at)
            .take_while(move |record| {
                match record.kind {
                    type_of::BOF => depth += 1,
                    type_of::EOF => depth = depth.saturating_sub(1),
                    _ => {}
                }
                depth > 0
            })
            .scan(0_u32, |depth, record| {
                match record.kind {
                    type_of::BOF => *depth += 1,
                    type_of::EOF => *depth -= 1,
                    _ => {}
                }
                Some((*depth, record))
            })
            .filter(|(depth, _)| *depth == 1)
            .map(|(_, record)| record)
    }

    /// The positions of a sheet's cell records, sorted by row: few programs write them in another order.
    fn cells_of(&self, sheet: &SheetEntry) -> Vec<usize> {
        let mut places: Vec<(u16, u32)> = self
            .records_of(sheet)
            .filter(|record| type_of::CELLS.contains(&record.kind))
            .filter_map(|record| Some((read_u16(record.bytes, 0)?, u32::try_from(record.at).ok()?)))
            .collect();
        places.sort_by_key(|(row, _)| *row);
        places.into_iter().map(|(_, at)| at as usize).collect()
    }

    /// The cells in the record at this position.
    fn cells_at(&self, at: usize) -> Result<Vec<(usize, String)>, FileFault> {
        let mut records = Records::from(&self.stream, at);
        let Some(record) = records.next() else {
            return Ok(Vec::new());
        };
        let bytes = record.bytes;
        let column = usize::from(read_u16(bytes, 2).ok_or(FileFault::Damaged)?);
        let number = |value: f64, style: Option<u16>| self.shown(value, style);
        let text = match record.kind {
            type_of::NUMBER => read_f64(bytes, 6).map(|value| number(value, read_u16(bytes, 4))),
            type_of::RK => read_u32(bytes, 6).map(|rk| number(rk_number(rk), read_u16(bytes, 4))),
            type_of::MUL_RK => {
                let body = bytes.get(4..bytes.len().saturating_sub(2)).unwrap_or_default();
                let cells = body.chunks_exact(6).enumerate().map(|(place, one)| {
                    let value = rk_number(read_u32(one, 2).unwrap_or_default());
                    (column + place, number(value, read_u16(one, 0)))
                });
                return Ok(cells.collect());
            }
            type_of::LABEL_SST => {
                let place = read_u32(bytes, 6).and_then(|place| usize::try_from(place).ok());
                place.and_then(|place| self.strings.get(place)).map(str::to_owned)
            }
            type_of::LABEL | type_of::RSTRING => unicode_string(bytes.get(6..)),
            type_of::BOOL_ERR => Some(bool_or_error(bytes.get(6), bytes.get(7))),
            type_of::FORMULA => match (bytes.get(12..14), bytes.get(6)) {
                (Some([0xFF, 0xFF]), Some(0)) => records
                    .take_while(|next| !type_of::CELLS.contains(&next.kind))
                    .take(4)
                    .find(|next| next.kind == type_of::STRING)
                    .and_then(|next| unicode_string(Some(next.bytes))),
                (Some([0xFF, 0xFF]), Some(3)) => None,
                (Some([0xFF, 0xFF]), kind) => Some(bool_or_error(bytes.get(8), Some(&u8::from(kind == Some(&2))))),
                _ => read_f64(bytes, 6).map(|value| number(value, read_u16(bytes, 4))),
            },
            _ => None,
        };
        Ok(text.map(|text| (column, text)).into_iter().collect())
    }

    fn shown(&self, number: f64, style: Option<u16>) -> String {
        let format = style.and_then(|style| self.formats.get(usize::from(style)));
        format.unwrap_or(&CellFormat::default()).shown(number, self.is_1904)
    }
}

/// Extracts the workbook stream from the compound file.
fn stream<R: Read + Seek>(source: &mut R) -> Result<Vec<u8>, FileFault> {
    source.seek(SeekFrom::Start(0))?;
    let mut file = cfb::CompoundFile::open(source).map_err(|_| FileFault::Damaged)?;
    if file.is_stream("/EncryptedPackage") {
        return Err(FileFault::Encrypted);
    }
    let other = |kind| FileFault::NotCsv {
        kind,
        advice: "Open it in a spreadsheet, save it as .xlsx and try again",
    };
    let name = if file.is_stream("/Workbook") {
        "/Workbook"
    } else if file.is_stream("/Book") {
        return Err(other("an Excel file from before 1997"));
    } else if file.is_stream("/WordDocument") {
        return Err(other("a Word document"));
    } else {
        return Err(other("a Microsoft Office document without a spreadsheet in it"));
    };
    let stream = file.open_stream(name).map_err(|_| FileFault::Damaged)?;
    let mut bytes = Vec::new();
    let most = u64::try_from(MAX_STREAM).unwrap_or(u64::MAX);
    let read = stream.take(most + 1).read_to_end(&mut bytes);
    if read.map_err(|_| FileFault::Damaged)? > MAX_STREAM {
        return Err(FileFault::TooLargeInside);
    }
    Ok(bytes)
}

fn bound_sheet(record: &Record<'_>) -> Option<SheetEntry> {
    let bytes = record.bytes;
    // Charts and macros are sheets of another type.
    if bytes.get(5) != Some(&0) {
        return None;
    }
    let length = usize::from(*bytes.get(6)?);
    let is_wide = bytes.get(7)? & 1 != 0;
    Some(SheetEntry {
        name: text::decode(bytes.get(8..)?, length, is_wide),
        is_hidden: bytes.get(4)? & 3 != 0,
        at: read_u32(bytes, 0)?.to_string(),
    })
}

/// The shared strings, which continue in the following records (MS-XLS 2.4.265 and 2.5.293).
fn shared_strings(stream: &[u8], record: &Record<'_>) -> Result<Strings, FileFault> {
    let mut parts = vec![record.bytes.get(8..).unwrap_or_default()];
    let behind = Records::from(stream, record.at).skip(1);
    parts.extend(
        behind
            .take_while(|next| next.kind == type_of::CONTINUE)
            .map(|next| next.bytes),
    );
    let mut segments = Segments::new(parts);
    let mut strings = Strings::default();
    while let Some(text) = segments.rich_string() {
        strings.push(&text)?;
    }
    Ok(strings)
}

/// A number in four bytes (MS-XLS 2.5.218).
fn rk_number(rk: u32) -> f64 {
    let value = if rk & 2 != 0 {
        f64::from(rk.cast_signed() >> 2)
    } else {
        f64::from_bits(u64::from(rk & 0xFFFF_FFFC) << 32)
    };
    if rk & 1 != 0 { value / 100.0 } else { value }
}

/// A boolean, or the name of an error (MS-XLS 2.5.10).
fn bool_or_error(value: Option<&u8>, is_error: Option<&u8>) -> String {
    let value = value.copied().unwrap_or_default();
    if is_error == Some(&0) || is_error.is_none() {
        return if value == 0 { "FALSE" } else { "TRUE" }.to_owned();
    }
    match value {
        0x00 => "#NULL!",
        0x07 => "#DIV/0!",
        0x0F => "#VALUE!",
        0x17 => "#REF!",
        0x1D => "#NAME?",
        0x24 => "#NUM!",
        _ => "#N/A",
    }
    .to_owned()
}
