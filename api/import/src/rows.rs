//! Reads a file row by row.
//!
//! The dialect is that of RFC 4180 as spreadsheets write it, with CRLF, LF or CR at the end of a row. `csv::Reader`,
//! which the tests use for comparison, is unsuitable: it treats an unclosed quotation mark as a cell up to the end of
//! the file, does not limit the size of a cell, and skips empty rows without counting them, so a row could not be named
//! by the number that people see.

use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

use super::cells::Row;
use super::{FileFault, Limits};

/// Bytes read from the file at a time.
const CHUNK: usize = 64 * 1024;

/// Iterates over the rows of a file.
pub(super) struct Rows<R> {
    source: BufReader<R>,
    separator: u8,
    limits: Limits,
    /// Number of the row read last.
    number: u32,
    /// The previous row ended with a CR, so an LF now belongs to that line end.
    is_after_cr: bool,
}

impl<R: Read + Seek> Rows<R> {
    /// Starts at `offset`, which is the beginning of row 1.
    pub(super) fn new(mut source: R, offset: u64, separator: u8, limits: Limits) -> Result<Self, FileFault> {
        source.seek(SeekFrom::Start(offset))?;
        Ok(Self {
            source: BufReader::with_capacity(CHUNK, source),
            separator,
            limits,
            number: 0,
            is_after_cr: false,
        })
    }

    /// Reads the next row into `row`; `false` at the end of the file.
    pub(super) fn read(&mut self, row: &mut Row) -> Result<bool, FileFault> {
        row.clear(self.number.saturating_add(1));
        let mut begun = false;
        loop {
            let chunk = match self.source.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                chunk => chunk?,
            };
            if chunk.is_empty() {
                if !begun {
                    return Ok(false);
                }
                row.end_of_file(&self.limits)?;
                break;
            }
            if self.is_after_cr {
                self.is_after_cr = false;
                if chunk.first() == Some(&b'\n') {
                    self.source.consume(1);
                    continue;
                }
            }
            begun = true;
            let fed = row.feed(chunk, self.separator, &self.limits)?;
            self.source.consume(fed.used);
            if let Some(mark) = fed.ended_by {
                self.is_after_cr = mark == b'\r';
                break;
            }
        }
        self.number = self.number.saturating_add(1);
        row.seal()?;
        Ok(true)
    }
}
