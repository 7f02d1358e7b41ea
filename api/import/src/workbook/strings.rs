//! The shared strings of a workbook.

use crate::FileFault;

/// Bytes of all of them together. Cells refer to them in any order, so they are kept in memory.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// Maximum number of strings.
const MAX_COUNT: usize = 4_000_000;

/// Strings by index, concatenated.
#[derive(Default)]
pub(super) struct Strings {
    text: String,
    ends: Vec<u32>,
}

impl Strings {
    /// Appends a string.
    pub(super) fn push(&mut self, text: &str) -> Result<(), FileFault> {
        if self.text.len() + text.len() > MAX_BYTES || self.ends.len() >= MAX_COUNT {
            return Err(FileFault::TooLargeInside);
        }
        self.text.push_str(text);
        self.ends.push(u32::try_from(self.text.len()).unwrap_or(u32::MAX));
        Ok(())
    }

    /// The string with this index.
    pub(super) fn get(&self, number: usize) -> Option<&str> {
        let end = *self.ends.get(number)? as usize;
        let start = number.checked_sub(1).and_then(|before| self.ends.get(before));
        self.text.get(start.map_or(0, |&start| start as usize)..end)
    }
}
