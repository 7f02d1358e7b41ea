//! Office Open XML spreadsheets (ECMA-376): `.xlsx` and `.xlsm`. Macros and external links are ignored; formulas have
//! the values that were saved with them.

mod cell;
mod parts;

use std::io::{Read, Seek, Write};

use super::archive::Archive;
use super::cell_format::CellFormat;
use super::sheets::SheetEntry;
use super::strings::Strings;
use super::table::Table;
use super::xml::{Element, Piece, Xml};
use crate::FileFault;
use cell::{Cell, CellKind, place_of};

/// A workbook: its sheets and what they refer to.
pub(super) struct Book {
    pub(super) sheets: Vec<SheetEntry>,
    strings: Strings,
    formats: Vec<CellFormat>,
    is_1904: bool,
}

impl Book {
    /// Reads the list of sheets and the shared strings.
    pub(super) fn open<R: Read + Seek>(archive: &mut Archive<R>) -> Result<Self, FileFault> {
        let links = parts::links(archive, "_rels/.rels", "")?;
        let main = links.iter().find(|link| link.kind == "officeDocument");
        let main = main.map_or("xl/workbook.xml", |link| link.target.as_str()).to_owned();
        let (folder, file) = main.rsplit_once('/').unwrap_or(("", main.as_str()));
        let links = parts::links(archive, &format!("{folder}/_rels/{file}.rels"), folder)?;
        let of_kind = |kind: &str| {
            links
                .iter()
                .find(|link| link.kind == kind)
                .map(|link| link.target.clone())
        };
        let index = parts::index(archive, &main, &links)?;
        Ok(Self {
            strings: parts::strings(archive, of_kind("sharedStrings"))?,
            formats: parts::formats(archive, of_kind("styles"))?,
            sheets: index.sheets,
            is_1904: index.is_1904,
        })
    }

    /// Whether a sheet is empty.
    pub(super) fn is_empty<R: Read + Seek>(
        &self,
        archive: &mut Archive<R>,
        sheet: &SheetEntry,
    ) -> Result<bool, FileFault> {
        let Some(mut xml) = archive.xml(&sheet.at)? else {
            return Ok(true);
        };
        while let Some(step) = self.step(&mut xml)? {
            if matches!(step, Step::Cell(_, text) if !text.trim().is_empty()) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Writes a sheet.
    pub(super) fn read<R: Read + Seek, W: Write>(
        &self,
        archive: &mut Archive<R>,
        sheet: &SheetEntry,
        table: &mut Table<W>,
    ) -> Result<(), FileFault> {
        let mut xml = archive.xml(&sheet.at)?.ok_or(FileFault::Damaged)?;
        // A file may omit the positions of rows and cells: each then follows the previous one.
        let (mut next_row, mut row, mut next_column) = (0, 0, 0);
        while let Some(step) = self.step(&mut xml)? {
            match step {
                Step::Row { number, is_hidden } => {
                    row = number.map_or(next_row, |number| number.saturating_sub(1));
                    (next_row, next_column) = (row.saturating_add(1), 0);
                    table.go_to(row)?;
                    if is_hidden {
                        table.hide_row();
                    }
                }
                Step::Cell(place, text) => {
                    let column = match place {
                        Some((own_row, column)) => {
                            if own_row != row {
                                row = own_row;
                                table.go_to(row)?;
                            }
                            column
                        }
                        None => next_column,
                    };
                    next_column = column.saturating_add(1);
                    table.cell(column, &text)?;
                }
            }
        }
        Ok(())
    }

    /// The next row or cell; `None` at the end of the cells.
    fn step<R: Read>(&self, xml: &mut Xml<R>) -> Result<Option<Step>, FileFault> {
        loop {
            match xml.next()? {
                Piece::Start(element) if element.name == "row" => {
                    return Ok(Some(Step::Row {
                        number: element.number("r"),
                        is_hidden: is_true(element.attribute("hidden")),
                    }));
                }
                Piece::Start(element) if element.name == "c" => {
                    let place = element.attribute("r").and_then(place_of);
                    let cell = self.cell(xml, &element)?;
                    return Ok(Some(Step::Cell(place, cell)));
                }
                Piece::End(name) if name == "sheetData" => return Ok(None),
                Piece::Eof => return Ok(None),
                _ => {}
            }
        }
    }

    fn cell<R: Read>(&self, xml: &mut Xml<R>, element: &Element) -> Result<String, FileFault> {
        let kind = CellKind::of(element.attribute("t"));
        let style = element.number("s").and_then(|style| usize::try_from(style).ok());
        let format = style.and_then(|style| self.formats.get(style));
        let cell = Cell::read(xml)?;
        Ok(cell.shown(
            kind,
            format.unwrap_or(&CellFormat::default()),
            self.is_1904,
            &self.strings,
        ))
    }
}

/// The next item of a sheet.
enum Step {
    Row { number: Option<u32>, is_hidden: bool },
    Cell(Option<(u32, usize)>, String),
}

fn is_true(value: Option<&str>) -> bool {
    matches!(value, Some("1" | "true" | "on"))
}
