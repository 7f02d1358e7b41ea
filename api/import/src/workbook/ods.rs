//! `OpenDocument` spreadsheets (ISO 26300): `.ods`.
//!
//! All sheets are in one part, and a cell or row may be repeated by a number alone. Repeated empty ones only advance
//! the position. A non-empty row may be repeated as often as a sheet has rows, and is written that often, within the
//! limits of [`Table`].

use std::io::{Read, Seek, Write};

use super::archive::Archive;
use super::cell_format::{self, CellFormat};
use super::iso_dates;
use super::sheets::{self, SheetEntry};
use super::table::Table;
use super::xml::{Element, Piece, Xml};
use crate::FileFault;
use crate::text::is_unseen;

/// The part with the sheets.
const CONTENT: &str = "content.xml";

/// Bytes kept of one text; more than a cell may have, so that an overlong one is detected.
const MAX_TEXT: usize = 64 * 1024;

/// Limits on the cells and bytes of the current row.
const MAX_ROW_CELLS: usize = 16_384;
const MAX_ROW_BYTES: usize = 1024 * 1024;

/// Limits on the styles that hide sheets, and on their names.
const MAX_STYLES: usize = 1_000;
const MAX_STYLE_NAME: usize = 1_024;

/// The sheets, and whether each is empty.
pub(super) fn list<R: Read + Seek>(archive: &mut Archive<R>) -> Result<Vec<(SheetEntry, bool)>, FileFault> {
    refuse_encrypted(archive)?;
    let mut xml = archive.xml(CONTENT)?.ok_or(FileFault::Damaged)?;
    let mut found: Vec<(SheetEntry, bool)> = Vec::new();
    let (mut style, mut hidden_styles) = (String::new(), Vec::new());
    loop {
        match xml.next()? {
            Piece::Start(element) if element.name == "style" => {
                element.attribute("name").unwrap_or_default().clone_into(&mut style);
            }
            Piece::Start(element) if element.name == "table-properties" && hidden_styles.len() < MAX_STYLES => {
                let hides = element.attribute("display") == Some("false") && style.len() <= MAX_STYLE_NAME;
                hidden_styles.extend(hides.then(|| style.clone()));
            }
            Piece::Start(element) if element.name == "table" => {
                let style = element.attribute("style-name").unwrap_or_default();
                let name = element.attribute("name").unwrap_or_default();
                let entry = SheetEntry {
                    name: name.to_owned(),
                    is_hidden: hidden_styles.iter().any(|hidden| hidden == style),
                    at: found.len().to_string(),
                };
                sheets::add(&mut found, name, (entry, true))?;
            }
            Piece::Start(element) if is_cell(&element) => {
                let text = cell(&mut xml, &element)?;
                if let (Some((_, is_empty)), false) = (found.last_mut(), text.chars().all(is_unseen)) {
                    *is_empty = false;
                }
            }
            Piece::Eof => return Ok(found),
            _ => {}
        }
    }
}

fn refuse_encrypted<R: Read + Seek>(archive: &mut Archive<R>) -> Result<(), FileFault> {
    let Some(mut xml) = archive.xml("META-INF/manifest.xml")? else {
        return Ok(());
    };
    loop {
        match xml.next()? {
            Piece::Start(element) if element.name == "encryption-data" => return Err(FileFault::Encrypted),
            Piece::Eof => return Ok(()),
            _ => {}
        }
    }
}

/// Writes a sheet.
pub(super) fn read<R: Read + Seek, W: Write>(
    archive: &mut Archive<R>,
    sheet: &SheetEntry,
    table: &mut Table<W>,
) -> Result<(), FileFault> {
    let mut xml = archive.xml(CONTENT)?.ok_or(FileFault::Damaged)?;
    let wanted: usize = sheet.at.parse().unwrap_or_default();
    let mut seen = 0;
    loop {
        match xml.next()? {
            Piece::Start(element) if element.name == "table" => {
                if seen == wanted {
                    return read_rows(&mut xml, table);
                }
                seen += 1;
            }
            Piece::Eof => return Err(FileFault::Damaged),
            _ => {}
        }
    }
}

fn read_rows<R: Read, W: Write>(xml: &mut Xml<R>, table: &mut Table<W>) -> Result<(), FileFault> {
    let mut row = 0_u32;
    loop {
        match xml.next()? {
            Piece::Start(element) if element.name == "table-row" => {
                let cells = read_row(xml)?;
                let repeated = element.number("number-rows-repeated").unwrap_or(1);
                if !cells.is_empty() {
                    write_rows(table, row, repeated, &cells, &element)?;
                }
                row = row.saturating_add(repeated);
            }
            Piece::Start(element) if element.name == "shapes" => xml.skip()?,
            Piece::End(name) if name == "table" => return Ok(()),
            Piece::Eof => return Err(FileFault::Damaged),
            _ => {}
        }
    }
}

fn write_rows<W: Write>(
    table: &mut Table<W>,
    first: u32,
    repeated: u32,
    cells: &[(usize, usize, String)],
    element: &Element,
) -> Result<(), FileFault> {
    let is_hidden = matches!(element.attribute("visibility"), Some("collapse" | "filter"));
    for row in first..first.saturating_add(repeated) {
        table.go_to(row)?;
        if is_hidden {
            table.hide_row();
        }
        for (start, repeated, text) in cells {
            for column in *start..start.saturating_add(*repeated) {
                table.cell(column, text)?;
            }
        }
    }
    Ok(())
}

/// The non-empty cells of the current row: column, repetitions, text.
fn read_row<R: Read>(xml: &mut Xml<R>) -> Result<Vec<(usize, usize, String)>, FileFault> {
    let (mut cells, mut column, mut depth, mut bytes) = (Vec::new(), 0_usize, 1_u32, 0);
    while depth > 0 {
        match xml.next()? {
            Piece::Start(element) if is_cell(&element) => {
                let repeated = element.number("number-columns-repeated").unwrap_or(1);
                let repeated = usize::try_from(repeated).unwrap_or(usize::MAX);
                let text = cell(xml, &element)?;
                if !text.chars().all(is_unseen) {
                    bytes += text.len();
                    cells.push((column, repeated, text));
                }
                if cells.len() > MAX_ROW_CELLS || bytes > MAX_ROW_BYTES {
                    return Err(FileFault::TooLargeInside);
                }
                column = column.saturating_add(repeated);
            }
            Piece::Start(_) => depth += 1,
            Piece::End(_) => depth -= 1,
            Piece::Text(_) => {}
            Piece::Eof => return Err(FileFault::Damaged),
        }
    }
    Ok(cells)
}

fn is_cell(element: &Element) -> bool {
    matches!(element.name.as_str(), "table-cell" | "covered-table-cell")
}

/// The displayed text of the current cell; for numbers, dates and booleans the underlying value.
fn cell<R: Read>(xml: &mut Xml<R>, element: &Element) -> Result<String, FileFault> {
    let text = paragraphs(xml)?;
    let value = |name: &str| element.attribute(name).map(str::to_owned);
    // An error has the type of a string or a number; only its text identifies it.
    if text.starts_with('#') || text.starts_with("Err:") {
        return Ok(text);
    }
    let behind = match element.attribute("value-type") {
        Some("float") => value("value").map(|value| match value.parse::<f64>() {
            Ok(number) => number_as_shown(number, &text),
            Err(_) => value,
        }),
        Some("percentage") => {
            let share = value("value").and_then(|value| value.parse().ok());
            share.map(cell_format::percentage)
        }
        Some("date") => value("date-value").map(|date| iso_dates::shown(&date, false)),
        // Only the text identifies the format: a time of day, or a duration of more hours than a day has.
        Some("time") if !is_clock(&text) => value("time-value").and_then(|time| iso_dates::duration(&time)),
        Some("boolean") => value("boolean-value").map(|value| value.to_uppercase()),
        _ => None,
    };
    Ok(behind.unwrap_or(text))
}

/// A number with the leading zeros and separators of its displayed text, if it is the text of a code: "01234-0056".
fn number_as_shown(number: f64, text: &str) -> String {
    let plain = CellFormat::default().shown(number, false);
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let is_padded = digits.len() > plain.len() && digits.trim_start_matches('0') == plain.trim_start_matches('0');
    if is_padded && !text.contains([',', '.']) {
        return text.to_owned();
    }
    plain
}

/// Matches "8:15", "36:30:00" and "1:30.5".
fn is_clock(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_digit() || matches!(c, ':' | '.' | ',');
    text.contains(':') && text.chars().all(is_part)
}

/// The text of the current cell, one line per paragraph. Comments are excluded.
fn paragraphs<R: Read>(xml: &mut Xml<R>) -> Result<String, FileFault> {
    let (mut text, mut depth, mut paragraphs) = (String::new(), 1_u32, 0_u32);
    while depth > 0 {
        match xml.next()? {
            Piece::Start(element) => match element.name.as_str() {
                "annotation" => xml.skip()?,
                name => {
                    let (blank, count) = match name {
                        "s" => (' ', element.number("c").unwrap_or(1)),
                        "tab" => ('\t', 1),
                        "line-break" => ('\n', 1),
                        "p" => ('\n', u32::from(paragraphs > 0)),
                        _ => (' ', 0),
                    };
                    paragraphs += u32::from(name == "p");
                    let room = MAX_TEXT.saturating_sub(text.len());
                    let count = usize::try_from(count).unwrap_or(room).min(room);
                    text.extend(std::iter::repeat_n(blank, count));
                    depth += 1;
                }
            },
            Piece::End(_) => depth -= 1,
            // Text between paragraphs is only XML layout.
            Piece::Text(piece) if depth > 1 && text.len() <= MAX_TEXT => text.push_str(&piece),
            Piece::Text(_) => {}
            Piece::Eof => return Err(FileFault::Damaged),
        }
    }
    Ok(text)
}
