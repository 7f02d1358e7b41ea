//! What came of an import, as the API shows it.

use super::changes::ChangeView;
use super::request::{EmptyCells, How};
use import::{Mapping, ReadColumn, read_columns};
use serde::{Deserialize, Serialize};
use shared::store::imports::rows::File;
use shared::store::imports::{ImportMode, ImportState, Totals};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

/// What came of an import. `rows` = created + updated + unchanged + ignored + rejected.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ImportView {
    /// Its id; absent for a dry run.
    pub id: Option<Uuid>,
    /// The file's name.
    pub file_name: String,
    /// Where it stands. What came by API is `done`, or `undone` later; a file from the console is
    /// `checking`, `checked` and `storing` before, or `unreadable`, or `discarded`.
    #[schema(value_type = String)]
    pub state: ImportState,
    /// Rows with something in them.
    pub rows: i32,
    /// New people.
    pub created: i32,
    /// People whose details changed.
    pub updated: i32,
    /// People who were there already, just so.
    pub unchanged: i32,
    /// Rows that the mode leaves out: of people who were there already with `create_only`, of others with `update_only`.
    #[serde(default)]
    pub ignored: i32,
    /// Rows that were not taken.
    pub rejected: i32,
    /// Of the rejected rows, those whose address an earlier row has. They are no faults and not in the file of rows
    /// to mend.
    #[serde(default)]
    pub duplicates: i32,
    /// Of the rejected rows, those whose every problem is `acceptable`: the same request with `accept_doubtful=true`
    /// takes them as they are.
    #[serde(default)]
    pub doubtful: i32,
    /// Blank rows, which are skipped.
    pub blank: i32,
    /// The kind of the file: `csv`, `json`, `xlsx`, `xls` or `ods`.
    #[serde(default)]
    pub format: String,
    /// The sheet of a spreadsheet that was read.
    #[serde(default)]
    pub sheet: Option<String>,
    /// The row with the names of the columns. What stands above it is passed over.
    #[serde(default)]
    pub header_row: i32,
    /// Rows that the spreadsheet does not show. They are read like the others.
    #[serde(default)]
    pub hidden_rows: i32,
    /// Which people it creates or updates: `create_and_update`, `create_only` or `update_only`.
    #[serde(default)]
    #[schema(value_type = String)]
    pub mode: ImportMode,
    /// What an empty cell does: `keep` leaves the value as it is, `clear` removes it.
    #[serde(default)]
    #[schema(value_type = String)]
    pub empty: EmptyCells,
    /// How each column of the file is read; empty before it is checked.
    #[serde(default)]
    pub columns: Vec<ReadColumn>,
    /// The same as a `mapping` that can be sent with the next file: the field of each column, or null.
    #[serde(default)]
    #[schema(value_type = std::collections::BTreeMap<String, Option<String>>)]
    pub mapping: Mapping,
    /// The first hundred things wrong with rows.
    #[schema(value_type = Vec<import::Problem>)]
    pub problems: Vec<serde_json::Value>,
    /// The first hundred values that change, or have changed, for people who were there already. Empty once they are
    /// not kept any longer.
    #[serde(default)]
    pub changes: Vec<ChangeView>,
    /// Where all rejected rows but duplicates can be downloaded, each with its problems, ready to mend.
    pub problems_url: Option<String>,
    /// Since when its rejected rows are not kept any longer (`BECKON_DETAILS_KEPT`); its numbers stay.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub details_dropped_at: Option<OffsetDateTime>,
}

impl ImportView {
    pub(super) fn new(
        id: Option<Uuid>,
        state: ImportState,
        file_name: String,
        file: &File,
        how: How,
        totals: &Totals,
        problems: Vec<serde_json::Value>,
    ) -> Self {
        let mapping: Option<Mapping> = file
            .mapping
            .clone()
            .and_then(|mapping| serde_json::from_value(mapping).ok());
        let columns = read_columns(&file.header, mapping.as_ref());
        let ending = if matches!(file.format.as_str(), "csv" | "json") {
            "csv"
        } else {
            "xlsx"
        };
        Self {
            problems_url: id
                .filter(|_| totals.rejected > totals.duplicates)
                .map(|id| format!("/v1/imports/{id}/problems.{ending}")),
            id,
            file_name,
            state,
            rows: totals.rows,
            created: totals.created,
            updated: totals.updated,
            unchanged: totals.unchanged,
            rejected: totals.rejected,
            duplicates: totals.duplicates,
            doubtful: totals.doubtful,
            changes: Vec::new(),
            ignored: totals.ignored,
            mode: how.mode,
            empty: how.empty,
            mapping: Mapping::of_columns(&columns),
            columns,
            blank: totals.blank,
            format: file.format.clone(),
            sheet: file.sheet.clone(),
            header_row: file.header_row,
            hidden_rows: file.hidden_rows,
            problems,
            details_dropped_at: None,
        }
    }
}
