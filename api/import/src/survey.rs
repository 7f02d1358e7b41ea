//! The result of the first pass over a file.

use super::cells::Row;
use super::column::{Column, Role};
use super::mapping::Mapping;
use super::text::{is_unseen, letter};
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

/// The columns without a name, each with the first row that has content in it.
pub(super) struct Unnamed(Vec<(usize, Option<u32>)>);

impl Unnamed {
    /// The columns without a name among the first `width`.
    pub(super) fn of(columns: &[Column], width: usize) -> Self {
        let has_name = |place: &usize| columns.get(*place).is_some_and(|column| column.role != Role::Nothing);
        Self(
            (0..width)
                .filter(|place| !has_name(place))
                .map(|place| (place, None))
                .collect(),
        )
    }

    /// Records the content of a row.
    pub(super) fn see(&mut self, row: &Row) {
        if self.0.iter().all(|(_, first)| first.is_some()) {
            return;
        }
        let mut unnamed = self.0.iter_mut().peekable();
        for (place, cell) in row.cells().enumerate() {
            if let Some((_, first)) = unnamed.next_if(|(unnamed, _)| *unnamed == place)
                && first.is_none()
                && !cell.chars().all(is_unseen)
            {
                *first = Some(row.number());
            }
        }
    }

    /// The fault of those with content, if there are any.
    pub(super) fn fault(self) -> Option<FileFault> {
        let with_content = self
            .0
            .into_iter()
            .filter_map(|(place, first)| Some((letter(place), first?)));
        let columns: Vec<(String, u32)> = with_content.collect();
        (!columns.is_empty()).then_some(FileFault::BlankHeaders { columns })
    }
}
