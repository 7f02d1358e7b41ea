//! The result of the first pass over a file.

use super::column::Column;
use super::mapping::Mapping;
use super::{FileFault, Limits};

/// What the first pass found.
pub(super) struct Survey {
    pub(super) columns: Vec<Column>,
    pub(super) rows: u32,
    pub(super) blank_rows: u32,
    pub(super) header_row: u32,
    pub(super) mapping: Option<Mapping>,
}

impl Survey {
    /// Refuses a file with too few or too many rows.
    pub(super) fn within(self, limits: Limits) -> Result<Self, FileFault> {
        if self.rows == 0 {
            return Err(FileFault::NoRows);
        }
        if self.rows > limits.rows {
            return Err(FileFault::TooManyRows {
                limit: limits.rows,
                found: self.rows,
            });
        }
        Ok(self)
    }
}
