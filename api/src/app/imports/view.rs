//! The result of an import in the API.

use super::changes::ChangeView;
use super::request::{EmptyCells, ImportOptions};
use import::{Mapping, ReadColumn, read_columns};
use serde::{Deserialize, Serialize};
use shared::store::imports::file::File;
use shared::store::imports::{ImportCounts, ImportMode, ImportState};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

/// The result of an import. `rows` = created + updated + unchanged + ignored + rejected.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ImportView {
    /// The id; absent for a dry run.
    pub id: Option<Uuid>,
    /// The name of the file.
    pub file_name: String,
    /// The state. An import by API is `done`, and later possibly `undone`. A file uploaded in the console is
    /// `checking`,
    /// `checked` and `storing` before that, or ends as `unreadable` or `discarded`.
    #[schema(value_type = String)]
    pub state: ImportState,
    /// Number of rows that are not blank.
    pub rows: i32,
    /// Number of users created.
    pub created: i32,
    /// Number of users updated.
    pub updated: i32,
    /// Number of users who already had the same values.
    pub unchanged: i32,
    /// Number of rows ignored because of `mode`: existing users with `create_only`, unknown users with `update_only`.
    #[serde(default)]
    pub ignored: i32,
    /// Number of rejected rows.
    pub rejected: i32,
    /// Number of rejected rows with the address of an earlier row. They need no correction and are not in the file of
    /// rejected rows.
    #[serde(default)]
    pub duplicates: i32,
    /// Number of rejected rows whose problems are all `acceptable`: the same request with `accept_doubtful=true`
    /// imports them as they are.
    #[serde(default)]
    pub doubtful: i32,
    /// Number of blank rows, which are skipped.
    pub blank: i32,
    /// The format of the file: `csv`, `json`, `xlsx`, `xls` or `ods`.
    #[serde(default)]
    pub format: String,
    /// The sheet that was read, for a spreadsheet.
    #[serde(default)]
    pub sheet: Option<String>,
    /// The row with the names of the columns. Rows above it are skipped.
    #[serde(default)]
    pub header_row: i32,
    /// Number of rows that the spreadsheet hides. They are imported like the others.
    #[serde(default)]
    pub hidden_rows: i32,
    /// The hidden sheets of the spreadsheet that are not empty. Only the sheet in `sheet` is read.
    #[serde(default)]
    pub hidden_sheets: Vec<String>,
    /// Which users it creates or updates: `create_and_update`, `create_only` or `update_only`.
    #[serde(default)]
    #[schema(value_type = String)]
    pub mode: ImportMode,
    /// Effect of an empty cell: `keep` keeps the existing value, `clear` removes it.
    #[serde(default)]
    #[schema(value_type = String)]
    pub empty: EmptyCells,
    /// How each column of the file is read; empty until the file is checked.
    #[serde(default)]
    pub columns: Vec<ReadColumn>,
    /// The same as a `mapping` for the next file: the field of each column, or null.
    #[serde(default)]
    #[schema(value_type = std::collections::BTreeMap<String, Option<String>>)]
    pub mapping: Mapping,
    /// The first hundred problems in rows.
    #[schema(value_type = Vec<import::Problem>)]
    pub problems: Vec<serde_json::Value>,
    /// The first hundred changes to values of existing users, made or expected. Empty once the details are deleted.
    #[serde(default)]
    pub changes: Vec<ChangeView>,
    /// The URL of a file with all rejected rows except duplicates, each with its problems, to correct and import again.
    pub problems_url: Option<String>,
    /// When its rejected rows were deleted (`BECKON_DETAILS_KEPT`). Its numbers are kept.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub details_dropped_at: Option<OffsetDateTime>,
}

impl ImportView {
    pub(super) fn new(
        id: Option<Uuid>,
        state: ImportState,
        file_name: String,
        file: &File,
        options: ImportOptions,
        totals: &ImportCounts,
        problems: Vec<serde_json::Value>,
    ) -> Self {
        let mapping = Mapping::from_stored(file.mapping.as_ref());
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
            mode: options.mode,
            empty: options.empty,
            mapping: Mapping::of_columns(&columns),
            columns,
            blank: totals.blank,
            format: file.format.clone(),
            sheet: file.sheet.clone(),
            header_row: file.header_row,
            hidden_rows: file.hidden_rows,
            hidden_sheets: file.hidden_sheets.clone(),
            problems,
            details_dropped_at: None,
        }
    }
}
