//! Text in records: one byte per character (Latin-1) or two (UTF-16).

use super::records::read_u16;

/// A string preceded by its length and width (MS-XLS 2.5.294).
pub(super) fn unicode_string(bytes: Option<&[u8]>) -> Option<String> {
    let bytes = bytes?;
    let length = usize::from(read_u16(bytes, 0)?);
    let is_wide = bytes.get(2)? & 1 != 0;
    Some(decode(bytes.get(3..)?, length, is_wide))
}

/// Decodes this many characters, or as many as there are.
pub(super) fn decode(bytes: &[u8], length: usize, is_wide: bool) -> String {
    if is_wide {
        let units = bytes.chunks_exact(2).take(length);
        let units = units.map(|unit| read_u16(unit, 0).unwrap_or_default());
        char::decode_utf16(units).map(|c| c.unwrap_or('\u{FFFD}')).collect()
    } else {
        bytes.iter().take(length).map(|&byte| char::from(byte)).collect()
    }
}

/// Strings that span several records.
pub(super) struct Segments<'a> {
    /// What is left, the current part first.
    parts: std::vec::IntoIter<&'a [u8]>,
    part: &'a [u8],
}

impl<'a> Segments<'a> {
    pub(super) fn new(parts: Vec<&'a [u8]>) -> Self {
        Self {
            parts: parts.into_iter(),
            part: &[],
        }
    }

    /// The next string with its attributes (MS-XLS 2.5.293); `None` at the end.
    pub(super) fn rich_string(&mut self) -> Option<String> {
        let length = usize::from(self.u16()?);
        let flags = self.byte()?;
        let runs = if flags & 8 != 0 { usize::from(self.u16()?) } else { 0 };
        let phonetic = if flags & 4 != 0 {
            usize::from(self.u16()?) | usize::from(self.u16()?) << 16
        } else {
            0
        };
        let text = self.letters(length, flags & 1 != 0)?;
        self.skip(runs * 4 + phonetic);
        Some(text)
    }

    /// Reads characters. Where they continue in another record, its first byte gives their width again.
    fn letters(&mut self, length: usize, mut is_wide: bool) -> Option<String> {
        let mut units: Vec<u16> = Vec::new();
        while units.len() < length {
            if self.part.is_empty() {
                self.part = self.parts.next()?;
                is_wide = self.byte()? & 1 != 0;
                continue;
            }
            let unit = if is_wide { self.u16()? } else { u16::from(self.byte()?) };
            units.push(unit);
        }
        Some(String::from_utf16_lossy(&units))
    }

    fn byte(&mut self) -> Option<u8> {
        while self.part.is_empty() {
            self.part = self.parts.next()?;
        }
        let (byte, rest) = self.part.split_first()?;
        self.part = rest;
        Some(*byte)
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes([self.byte()?, self.byte()?]))
    }

    fn skip(&mut self, mut bytes: usize) {
        while bytes > self.part.len() {
            bytes -= self.part.len();
            let Some(part) = self.parts.next() else {
                self.part = &[];
                return;
            };
            self.part = part;
        }
        self.part = self.part.get(bytes..).unwrap_or_default();
    }
}
