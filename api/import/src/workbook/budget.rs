//! Limits on the cost of reading a spreadsheet, whatever the file declares.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

/// Bytes that all parts of an archive may unpack to. A sheet of a million rows takes half of it.
const MAX_UNPACKED: u64 = 768 * 1024 * 1024;

/// Bytes of one XML token: a tag with its attributes, or the text between two tags.
const MAX_TOKEN_BYTES: u64 = 1024 * 1024;

/// Counts the unpacked bytes of all parts of a file.
#[derive(Clone, Default)]
pub(super) struct Budget(Rc<Spent>);

#[derive(Default)]
struct Spent {
    all: Cell<u64>,
    piece: Cell<u64>,
    is_over: Cell<bool>,
}

impl Budget {
    /// Starts an XML token.
    pub(super) fn begin_piece(&self) {
        self.0.piece.set(0);
    }

    /// Whether reading ended because the unpacked content is too large.
    pub(super) fn is_over(&self) -> bool {
        self.0.is_over.get()
    }

    fn spend(&self, bytes: usize) -> io::Result<()> {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.0.all.set(self.0.all.get().saturating_add(bytes));
        self.0.piece.set(self.0.piece.get().saturating_add(bytes));
        if self.0.all.get() > MAX_UNPACKED || self.0.piece.get() > MAX_TOKEN_BYTES {
            self.0.is_over.set(true);
            return Err(io::Error::other("too large inside"));
        }
        Ok(())
    }
}

/// A part of a file, read within a budget.
pub(super) struct Metered<R> {
    pub(super) part: R,
    pub(super) budget: Budget,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.part.read(buffer)?;
        self.budget.spend(read)?;
        Ok(read)
    }
}
