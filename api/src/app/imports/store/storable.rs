//! Converts a file and its rejected rows for Postgres.

use import::{ParsedFile, Rejected};
use shared::store::imports::file::File;
use shared::store::imports::rejects::Reject;

/// Converts the properties of a sheet for Postgres, which cannot store NUL.
pub fn file_of(sheet: &ParsedFile) -> File {
    File {
        header: sheet.header.iter().map(|name| without_nul(name)).collect(),
        separator: char::from(sheet.separator),
        format: sheet.format.to_owned(),
        sheet: sheet.source.as_ref().map(|source| without_nul(&source.name)),
        header_row: number(sheet.header_row),
        hidden_rows: sheet.source.as_ref().map_or(0, |source| number(source.hidden_rows)),
        hidden_sheets: sheet.source.as_ref().map_or_else(Vec::new, |source| {
            let own = source.is_hidden.then_some(&source.name);
            own.into_iter()
                .chain(&source.other_hidden_sheets)
                .map(|name| without_nul(name))
                .collect()
        }),
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
