//! One cell of a sheet.

use std::io::Read;

use crate::FileFault;
use crate::workbook::cell_format::CellFormat;
use crate::workbook::iso_dates;
use crate::workbook::strings::Strings;
use crate::workbook::xml::{Piece, Xml};

/// Bytes kept of one text; more than a cell may have, so that an overlong one is detected.
const MAX_TEXT: usize = 64 * 1024;

/// The type of a cell's value (ECMA-376, part 1, section 18.18.11).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CellKind {
    Number,
    SharedString,
    Boolean,
    /// Texts, results of formulas and errors: the value is what is shown.
    Text,
    /// An ISO 8601 date.
    Date,
}

impl CellKind {
    pub(super) fn of(word: Option<&str>) -> Self {
        match word {
            None | Some("n") => Self::Number,
            Some("s") => Self::SharedString,
            Some("b") => Self::Boolean,
            Some("d") => Self::Date,
            Some(_) => Self::Text,
        }
    }
}

/// The content of a cell.
#[derive(Default)]
pub(super) struct Cell {
    value: String,
    inline: Option<String>,
}

impl Cell {
    /// Reads to the end of the current cell.
    pub(super) fn read<R: Read>(xml: &mut Xml<R>) -> Result<Self, FileFault> {
        let mut cell = Self::default();
        loop {
            match xml.next()? {
                Piece::Start(element) => match element.name.as_str() {
                    "v" => xml.text(&mut cell.value, MAX_TEXT)?,
                    "is" => {
                        let mut text = String::new();
                        rich_text(xml, &mut text)?;
                        cell.inline = Some(text);
                    }
                    _ => xml.skip()?,
                },
                Piece::End(_) => return Ok(cell),
                Piece::Text(_) => {}
                Piece::Eof => return Err(FileFault::Damaged),
            }
        }
    }

    /// The displayed text.
    pub(super) fn shown(self, kind: CellKind, format: &CellFormat, is_1904: bool, strings: &Strings) -> String {
        if let Some(inline) = self.inline {
            return inline;
        }
        let value = self.value.trim();
        match kind {
            CellKind::Number => match value.parse::<f64>() {
                Ok(number) => format.shown(number, is_1904),
                Err(_) => self.value,
            },
            CellKind::SharedString => {
                let text = value.parse().ok().and_then(|number| strings.get(number));
                text.unwrap_or_default().to_owned()
            }
            CellKind::Boolean => if value == "1" { "TRUE" } else { "FALSE" }.to_owned(),
            CellKind::Date => iso_dates::shown(value, format.is_time()),
            CellKind::Text => unescaped(&self.value),
        }
    }
}

/// Appends text with formatting runs, up to the end of the current element. Phonetic text (`rPh`) is excluded.
pub(super) fn rich_text<R: Read>(xml: &mut Xml<R>, into: &mut String) -> Result<(), FileFault> {
    let mut depth = 1_u32;
    let mut text = String::new();
    while depth > 0 {
        match xml.next()? {
            Piece::Start(element) if element.name == "t" => xml.text(&mut text, MAX_TEXT)?,
            Piece::Start(element) if element.name == "rPh" => xml.skip()?,
            Piece::Start(_) => depth += 1,
            Piece::End(_) => depth -= 1,
            Piece::Text(_) => {}
            Piece::Eof => return Err(FileFault::Damaged),
        }
    }
    into.push_str(&unescaped(&text));
    Ok(())
}

/// Undoes `_x000D_` (ECMA-376, part 1, section 22.9.2.19).
fn unescaped(text: &str) -> String {
    let mut rest = text;
    let mut whole = String::with_capacity(text.len());
    while let Some(at) = rest.find("_x") {
        let (before, escape) = rest.split_at(at);
        whole.push_str(before);
        let digits = escape.get(2..6).filter(|_| escape.get(6..7) == Some("_"));
        let c = digits
            .and_then(|digits| u32::from_str_radix(digits, 16).ok())
            .and_then(char::from_u32);
        let length = if let Some(c) = c {
            whole.push(c);
            7
        } else {
            whole.push_str("_x");
            2
        };
        rest = escape.get(length..).unwrap_or_default();
    }
    whole.push_str(rest);
    whole
}

/// Row and column of a name such as "C17", both from 0.
pub(super) fn place_of(name: &str) -> Option<(u32, usize)> {
    let letters = name.bytes().take_while(u8::is_ascii_alphabetic).count();
    let (letters, digits) = name.split_at(letters);
    let mut column = 0_usize;
    for letter in letters.bytes() {
        column = column.checked_mul(26)? + usize::from(letter.to_ascii_uppercase() - b'A') + 1;
    }
    Some((digits.parse::<u32>().ok()?.checked_sub(1)?, column.checked_sub(1)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_reference_gives_its_position() {
        assert_eq!(place_of("A1"), Some((0, 0)));
        assert_eq!(place_of("C17"), Some((16, 2)));
        assert_eq!(place_of("XFD1048576"), Some((1_048_575, 16_383)));
        for name in ["", "A", "17", "A0", "1A", "AAAAAAAAAAAAAAAAAAAAAAAA1"] {
            assert_eq!(place_of(name), None, "{name}");
        }
    }

    #[test]
    fn escapes_are_decoded_and_similar_text_stays() {
        assert_eq!(unescaped("a_x000D_b_x005F_x000D_"), "a\rb_x000D_");
        assert_eq!(unescaped("my_xylophone _x12_"), "my_xylophone _x12_");
    }
}
