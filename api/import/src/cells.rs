//! Splits the bytes of one row into cells.
//!
//! Two mistakes that no spreadsheet makes are handled by the damage they can do. After a closing quotation mark only
//! blanks may follow. If the quoted text spans several lines, anything else means that the mark was opened by mistake
//! and swallowed rows, so the file is refused. Within one line no row is lost, so only that row is rejected.

use super::text::{is_unseen, letter, shown};
use super::{FileFault, Limits};

/// One row, split into cells. Reused for each row, so that reading does not allocate.
#[derive(Default)]
pub(super) struct Row {
    number: u32,
    /// The cells, concatenated. Empty until the row is sealed.
    text: String,
    /// The same while the row is read.
    bytes: Vec<u8>,
    /// The end of each cell in `text`, up to the last non-empty cell.
    ends: Vec<usize>,
    /// Number of cells, including trailing empty ones.
    width: usize,
    /// Start of the current cell.
    cell_start: usize,
    /// The parser's state within the cell.
    state: State,
    /// The first cell with a misplaced quotation mark.
    stray_quote: Option<usize>,
}

#[derive(Default, Clone, Copy, PartialEq)]
enum State {
    /// Outside quotation marks.
    #[default]
    Plain,
    /// Between quotation marks.
    Quoted,
    /// After a mark that closes, or is the first of a doubled one.
    Closing,
    /// In the blanks after a closed mark.
    Closed,
}

/// How much of a chunk was consumed, and the CR or LF that ended the row, if one did.
pub(super) struct Consumed {
    pub(super) used: usize,
    pub(super) ended_by: Option<u8>,
}

impl Row {
    /// The number of the row as a spreadsheet shows it.
    pub(super) fn number(&self) -> u32 {
        self.number
    }

    /// Number of cells, including trailing empty ones.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// The cell with a misplaced quotation mark.
    pub(super) fn stray_quote(&self) -> Option<usize> {
        self.stray_quote
    }

    /// The cells up to the last non-empty one.
    pub(super) fn cells(&self) -> impl Iterator<Item = &str> {
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let cell = self.text.get(start..end).unwrap_or_default();
            start = end;
            cell
        })
    }

    /// Whether the row has no visible content.
    pub(super) fn is_blank(&self) -> bool {
        self.text.chars().all(is_unseen)
    }

    /// Resets for the row with this number.
    pub(super) fn clear(&mut self, number: u32) {
        self.bytes = std::mem::take(&mut self.text).into_bytes();
        self.bytes.clear();
        self.ends.clear();
        self.number = number;
        self.width = 0;
        self.cell_start = 0;
        self.state = State::Plain;
        self.stray_quote = None;
    }

    /// Consumes the row from a chunk of the file, or as much of it as the chunk contains.
    pub(super) fn feed(&mut self, chunk: &[u8], separator: u8, limits: &Limits) -> Result<Consumed, FileFault> {
        let ends_cell = |byte: u8| byte == separator || byte == b'\n' || byte == b'\r';
        let mut rest = chunk;
        loop {
            if self.state == State::Plain || self.state == State::Quoted {
                let length = if self.state == State::Plain {
                    rest.iter().position(|&b| ends_cell(b) || b == b'"')
                } else {
                    rest.iter().position(|&b| b == b'"')
                };
                let (run, after) = rest.split_at(length.unwrap_or(rest.len()));
                self.push(run, limits)?;
                rest = after;
            }
            let Some((&mark, after)) = rest.split_first() else {
                let used = chunk.len();
                return Ok(Consumed { used, ended_by: None });
            };
            match self.state {
                State::Quoted => self.state = State::Closing,
                State::Plain if mark == b'"' => self.quote_in_plain(limits)?,
                State::Closing if mark == b'"' => {
                    self.push(b"\"", limits)?;
                    self.state = State::Quoted;
                }
                _ if ends_cell(mark) => {
                    self.end_cell(limits)?;
                    if mark != separator {
                        let used = chunk.len() - after.len();
                        return Ok(Consumed {
                            used,
                            ended_by: Some(mark),
                        });
                    }
                }
                _ if mark == b' ' => self.state = State::Closed,
                _ => {
                    self.text_behind_quote(limits)?;
                    continue;
                }
            }
            rest = after;
        }
    }

    /// Opens a quoted cell, possibly after blanks; inside text the mark is an ordinary character.
    fn quote_in_plain(&mut self, limits: &Limits) -> Result<(), FileFault> {
        if self.cell().iter().all(|&b| b == b' ') {
            self.bytes.truncate(self.cell_start);
            self.state = State::Quoted;
            return Ok(());
        }
        self.push(b"\"", limits)
    }

    /// Handles text after a closing quotation mark.
    fn text_behind_quote(&mut self, limits: &Limits) -> Result<(), FileFault> {
        if self.cell().iter().any(|b| matches!(b, b'\n' | b'\r')) {
            return Err(self.quote_not_closed());
        }
        self.stray_quote.get_or_insert(self.width);
        // As it was written, for the file of rejected rows.
        let closed: &[u8] = if self.state == State::Closed { b"\" " } else { b"\"" };
        self.bytes.insert(self.cell_start, b'"');
        self.state = State::Plain;
        self.push(closed, limits)
    }

    /// Ends the row at the end of the file.
    pub(super) fn end_of_file(&mut self, limits: &Limits) -> Result<(), FileFault> {
        if self.state == State::Quoted {
            return Err(self.quote_not_closed());
        }
        self.end_cell(limits)
    }

    fn end_cell(&mut self, limits: &Limits) -> Result<(), FileFault> {
        // Empty cells are stored only when a non-empty one follows: spreadsheets may end each row with thousands of
        // them.
        if self.bytes.len() > self.cell_start {
            if self.width >= limits.columns {
                return Err(FileFault::TooManyColumns {
                    row: self.number,
                    limit: limits.columns,
                });
            }
            self.ends.resize(self.width, self.cell_start);
            self.ends.push(self.bytes.len());
        }
        self.width += 1;
        self.cell_start = self.bytes.len();
        self.state = State::Plain;
        Ok(())
    }

    fn push(&mut self, run: &[u8], limits: &Limits) -> Result<(), FileFault> {
        let cell_room = limits.cell_bytes.saturating_sub(self.cell().len());
        let row_room = limits.row_bytes.saturating_sub(self.bytes.len());
        if run.len() <= cell_room.min(row_room) {
            self.bytes.extend_from_slice(run);
            return Ok(());
        }
        if row_room < cell_room {
            return Err(FileFault::RowTooLong {
                row: self.number,
                limit: limits.row_bytes,
            });
        }
        let taken = run.get(..cell_room).unwrap_or(run);
        let mut cell = self.cell().iter().chain(taken);
        if self.state == State::Quoted && cell.any(|b| matches!(b, b'\n' | b'\r')) {
            return Err(self.quote_not_closed());
        }
        Err(FileFault::CellTooLong {
            row: self.number,
            column: letter(self.width),
            limit: limits.cell_bytes,
        })
    }

    fn cell(&self) -> &[u8] {
        self.bytes.get(self.cell_start..).unwrap_or_default()
    }

    fn quote_not_closed(&self) -> FileFault {
        FileFault::QuoteNotClosed {
            row: self.number,
            column: letter(self.width),
        }
    }

    /// Checks cell by cell that the row is valid text.
    pub(super) fn seal(&mut self) -> Result<(), FileFault> {
        if let Some(at) = self.bytes.iter().position(|&b| b == 0) {
            return Err(FileFault::ZeroByte {
                row: self.number,
                column: letter(self.cell_at(at)),
            });
        }
        match String::from_utf8(std::mem::take(&mut self.bytes)) {
            Ok(text) => self.text = text,
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                self.bytes = error.into_bytes();
                return Err(self.not_utf8(at));
            }
        }
        // A character split across two cells would look valid in `text`.
        let split = self.ends.iter().find(|&&end| !self.text.is_char_boundary(end));
        if let Some(&at) = split {
            self.bytes = std::mem::take(&mut self.text).into_bytes();
            return Err(self.not_utf8(at.saturating_sub(1)));
        }
        Ok(())
    }

    fn not_utf8(&self, at: usize) -> FileFault {
        let cell = self.cell_at(at);
        let end = |cell: usize| self.ends.get(cell).copied().unwrap_or_default();
        let start = cell.checked_sub(1).map_or(0, end);
        let bytes = self.bytes.get(start..end(cell)).unwrap_or_default();
        FileFault::NotUtf8 {
            row: self.number,
            column: letter(cell),
            guess: shown(&bytes.iter().map(|&b| char::from(b)).collect::<String>()),
        }
    }

    /// The cell that contains byte `at`.
    fn cell_at(&self, at: usize) -> usize {
        self.ends.partition_point(|&end| end <= at)
    }
}
