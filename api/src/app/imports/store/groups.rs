//! Reads the rows of a file in groups, and converts rejected rows for Postgres.

use import::{FileFault, Lines, ParsedFile, ParsedRow, Rejected};
use shared::store::imports::rows::{File, Reject};
use std::io::{Read, Seek};
use tokio::sync::mpsc;

/// Rows per statement. Larger groups are no faster.
const GROUP: usize = 2_000;

/// Maximum size of a group with long rows. Four groups are in memory at a time, in their read and their sent form.
const GROUP_BYTES: usize = 4 * 1024 * 1024;

/// The stream of groups while a file is read.
pub struct Groups(mpsc::Receiver<Result<Vec<ParsedRow>, FileFault>>);

impl Groups {
    /// Starts reading on a blocking thread. Dropping the groups ends it.
    pub fn read<R: Read + Seek + Send + 'static>(mut lines: Lines<R>) -> Self {
        let (sender, receiver) = mpsc::channel(2);
        tokio::task::spawn_blocking(move || {
            loop {
                let group = lines.chunk(GROUP, GROUP_BYTES);
                let is_last = group.as_ref().map_or(true, Vec::is_empty);
                if group.as_ref().is_ok_and(Vec::is_empty) || sender.blocking_send(group).is_err() || is_last {
                    return;
                }
            }
        });
        Self(receiver)
    }

    /// The next group, or `None` after the last one.
    pub async fn next(&mut self) -> Option<Result<Vec<ParsedRow>, FileFault>> {
        self.0.recv().await
    }
}

/// Converts the properties of a sheet for Postgres, which cannot store NUL.
pub fn file_of(sheet: &ParsedFile) -> File {
    File {
        header: sheet.header.iter().map(|name| without_nul(name)).collect(),
        separator: char::from(sheet.separator),
        format: sheet.format.to_owned(),
        sheet: sheet.source.as_ref().map(|source| without_nul(&source.name)),
        header_row: number(sheet.header_row),
        hidden_rows: sheet.source.as_ref().map_or(0, |source| number(source.hidden_rows)),
        custom_fields: sheet
            .custom_fields
            .iter()
            .filter(|name| !name.contains('\0'))
            .cloned()
            .collect(),
        mapping: sheet
            .mapping
            .as_ref()
            .and_then(|mapping| serde_json::to_value(mapping).ok()),
    }
}

/// Converts rejected rows for Postgres.
pub fn storable(rejects: Vec<Rejected>) -> Vec<Reject> {
    let keep = |reject: Rejected| Reject {
        number: number(reject.row),
        problems: serde_json::to_value(&reject.problems).unwrap_or_default(),
        cells: reject.cells.iter().map(|cell| without_nul(cell)).collect(),
    };
    rejects.into_iter().map(keep).collect()
}

/// The number of a row as an integer of Postgres.
pub fn number(row: u32) -> i32 {
    i32::try_from(row).unwrap_or(i32::MAX)
}

fn without_nul(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
