//! Imports of users. A file is stored as a whole or not at all.
//!
//! In the console, an administrator reviews a file between [`steps`], and the file is kept in [`parts`] meanwhile.
//! An import by API is created and stored in one transaction. Both store its [`rows`] group by group.

pub mod file;
pub mod mappings;
mod mode;
pub mod parts;
pub mod rejects;
pub mod rows;
pub mod steps;
pub mod undo;

use super::{Db, StoreResult, within};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

pub use mode::ImportMode;

crate::named_enum! {
    /// The state of an import.
    ///
    /// ```text
    /// checking ─┬─▶ checked ──▶ storing ──▶ done ──▶ undone
    ///     │     └─▶ unreadable     │
    ///     └──────────┬─────────────┘
    ///                ▼ (each of these four)
    ///            discarded
    /// ```
    ///
    /// In `checking` and `storing` a process is at work. If it dies, the state remains and `progress_at` gets old, and
    /// another process may begin the work again.
    #[derive(Clone, Copy, Debug, Eq, PartialEq, Hash, Serialize, Deserialize, sqlx::Type)]
    #[sqlx(type_name = "import_state", rename_all = "snake_case")]
    #[serde(rename_all = "snake_case")]
    pub enum ImportState {
        /// The file is uploaded, and its rows are being checked.
        Checking = "checking",
        /// Its faulty rows are known, and the administrator decides whether to store the good ones.
        Checked = "checked",
        /// Its good rows are being stored, in one transaction.
        Storing = "storing",
        /// Its rows are users.
        Done = "done",
        /// The file cannot be read; `trouble` contains the cause.
        Unreadable = "unreadable",
        /// Discarded by an administrator before it was stored, or expired after a week.
        Discarded = "discarded",
        /// Undone after it was stored.
        Undone = "undone",
    }
}

crate::named_enum! {
    /// The effect of a row on its user.
    #[derive(Clone, Copy, Debug, Eq, PartialEq, Hash, Serialize, Deserialize, sqlx::Type)]
    #[sqlx(type_name = "import_effect", rename_all = "snake_case")]
    #[serde(rename_all = "snake_case")]
    pub enum ImportEffect {
        /// The user was created.
        Created = "created",
        /// The user existed and was changed.
        Updated = "updated",
        /// The user existed with the same values.
        Unchanged = "unchanged",
    }
}

/// The totals of an import. Until it is stored, `created`, `updated` and `unchanged` are a forecast.
#[derive(Clone, Debug, Default)]
pub struct ImportCounts {
    /// Data rows in the file, without blank ones.
    pub rows: i32,
    /// Users created.
    pub created: i32,
    /// Users changed.
    pub updated: i32,
    /// Users left unchanged.
    pub unchanged: i32,
    /// Rows ignored because of the mode.
    pub ignored: i32,
    /// Rows rejected.
    pub rejected: i32,
    /// Rejected rows with the address of an earlier row.
    pub duplicates: i32,
    /// Rejected rows that the administrator may accept.
    pub doubtful: i32,
    /// Blank rows, which are skipped.
    pub blank: i32,
}

/// What undoing an import did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct UndoneCounts {
    /// Number of users that the import created and that were removed.
    pub removed: i32,
    /// Number of users that the import updated and that got their former values back.
    pub restored: i32,
    /// Number of users that the import updated and that kept the new values, because they were changed since.
    pub kept: i32,
}

/// Why an import failed.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Trouble {
    /// The error code.
    pub code: String,
    /// The message for the administrator.
    pub message: String,
    /// The options, if the administrator only has to choose one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
    /// Whether only the mapping of columns is missing.
    #[serde(default)]
    pub is_about_columns: bool,
}

/// Which values that look damaged are imported as they are.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Accepting {
    /// None.
    #[default]
    Nothing,
    /// All.
    Everything,
    /// Those with problems of these codes.
    Problems(Vec<String>),
}

impl Accepting {
    fn of(accepts_doubtful: bool, problems: Option<Vec<String>>) -> Self {
        match problems {
            Some(codes) => Self::Problems(codes),
            None if accepts_doubtful => Self::Everything,
            None => Self::Nothing,
        }
    }

    fn is_everything(&self) -> bool {
        *self == Self::Everything
    }

    fn problems(&self) -> Option<&[String]> {
        match self {
            Self::Problems(codes) => Some(codes),
            Self::Nothing | Self::Everything => None,
        }
    }
}

/// How often a problem occurs.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct ProblemCount {
    /// The code of the problem.
    pub code: String,
    /// The affected field; `None` if it concerns the whole row.
    pub field: Option<String>,
    /// Whether the values can be imported as they are. Earlier releases do not record it.
    #[serde(default)]
    pub acceptable: bool,
    /// Number of rows.
    pub count: u32,
}

/// An import.
#[derive(Clone, Debug)]
pub struct Import {
    /// Its id.
    pub id: Uuid,
    /// The name of the file as given by the caller.
    pub file_name: String,
    /// When it was uploaded.
    pub created_at: OffsetDateTime,
    /// Who uploaded it.
    pub created_by: String,
    /// The state.
    pub state: ImportState,
    /// The header row as written.
    pub header: Vec<String>,
    /// The separator of cells.
    pub separator: char,
    /// The kind of the file: `csv`, `json`, `xlsx`, `xls` or `ods`.
    pub format: String,
    /// The sheet of a spreadsheet that was requested or read.
    pub sheet: Option<String>,
    /// The row of the header.
    pub header_row: i32,
    /// Number of rows that the spreadsheet hides.
    pub hidden_rows: i32,
    /// The hidden sheets of the spreadsheet that are not empty.
    pub hidden_sheets: Vec<String>,
    /// Which rows with acceptable problems are imported.
    pub accepting: Accepting,
    /// The chosen mapping of columns.
    pub mapping: Option<Value>,
    /// Whether the mapping was chosen for an earlier file with the same columns.
    pub mapping_is_remembered: bool,
    /// Whether users are created, updated or both.
    pub mode: ImportMode,
    /// Whether an empty cell clears the value.
    pub clears_empty: bool,
    /// The totals.
    pub totals: ImportCounts,
    /// Number of rows processed so far.
    pub progress_rows: i32,
    /// Rows processed per second, once that is known.
    pub rows_per_second: Option<i32>,
    /// Whether the process that checked or stored it has stopped.
    pub is_interrupted: bool,
    /// Why it failed.
    pub trouble: Option<Trouble>,
    /// The problems of its rows, most frequent first.
    pub problem_counts: Vec<ProblemCount>,
    /// When it was stored.
    pub done_at: Option<OffsetDateTime>,
    /// Who stored it.
    pub done_by: Option<String>,
    /// When it was discarded or undone.
    pub ended_at: Option<OffsetDateTime>,
    /// Who discarded or undid it; `None` if it expired.
    pub ended_by: Option<String>,
    /// The totals of undoing it.
    pub undone: UndoneCounts,
    /// When its rejected rows were deleted.
    pub details_dropped_at: Option<OffsetDateTime>,
}

#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
struct Found {
    id: Uuid,
    file_name: String,
    created_at: OffsetDateTime,
    created_by: String,
    state: ImportState,
    header: Vec<String>,
    separator: String,
    format: String,
    sheet: Option<String>,
    header_row: i32,
    hidden_row_count: i32,
    hidden_sheets: Vec<String>,
    doubtful_count: i32,
    accepts_doubtful: bool,
    accepted_problems: Option<Vec<String>>,
    mapping: Option<Value>,
    mapping_is_remembered: bool,
    mode: String,
    clears_empty: bool,
    ignored_count: i32,
    row_count: i32,
    created_count: i32,
    updated_count: i32,
    unchanged_count: i32,
    rejected_count: i32,
    duplicate_count: i32,
    blank_count: i32,
    progress_rows: i32,
    rows_per_second: Option<i32>,
    is_interrupted: bool,
    trouble: Option<Value>,
    problem_counts: Value,
    done_at: Option<OffsetDateTime>,
    done_by: Option<String>,
    ended_at: Option<OffsetDateTime>,
    ended_by: Option<String>,
    removed_count: i32,
    restored_count: i32,
    kept_count: i32,
    details_dropped_at: Option<OffsetDateTime>,
}

impl From<Found> for Import {
    fn from(row: Found) -> Self {
        Self {
            id: row.id,
            file_name: row.file_name,
            created_at: row.created_at,
            created_by: row.created_by,
            state: row.state,
            header: row.header,
            separator: row.separator.chars().next().unwrap_or(','),
            format: row.format,
            sheet: row.sheet,
            header_row: row.header_row,
            hidden_rows: row.hidden_row_count,
            hidden_sheets: row.hidden_sheets,
            accepting: Accepting::of(row.accepts_doubtful, row.accepted_problems),
            mapping: row.mapping,
            mapping_is_remembered: row.mapping_is_remembered,
            mode: ImportMode::of(&row.mode),
            clears_empty: row.clears_empty,
            totals: ImportCounts {
                rows: row.row_count,
                created: row.created_count,
                updated: row.updated_count,
                unchanged: row.unchanged_count,
                ignored: row.ignored_count,
                rejected: row.rejected_count,
                duplicates: row.duplicate_count,
                doubtful: row.doubtful_count,
                blank: row.blank_count,
            },
            progress_rows: row.progress_rows,
            rows_per_second: row.rows_per_second,
            is_interrupted: row.is_interrupted,
            trouble: row.trouble.and_then(|trouble| serde_json::from_value(trouble).ok()),
            problem_counts: serde_json::from_value(row.problem_counts).unwrap_or_default(),
            done_at: row.done_at,
            done_by: row.done_by,
            ended_at: row.ended_at,
            ended_by: row.ended_by,
            undone: UndoneCounts {
                removed: row.removed_count,
                restored: row.restored_count,
                kept: row.kept_count,
            },
            details_dropped_at: row.details_dropped_at,
        }
    }
}

macro_rules! imports {
    ($rest:literal, $($argument:expr),*) => {
        sqlx::query_as!(
            Found,
            r#"select id, file_name, created_at, created_by, state as "state: ImportState", header, separator,
                      format, sheet, header_row, hidden_row_count, hidden_sheets, doubtful_count, accepts_doubtful,
                      accepted_problems, mapping, mapping_is_remembered, mode, clears_empty, ignored_count, row_count, created_count, updated_count, unchanged_count, rejected_count, blank_count,
                      coalesce(duplicate_count, (
                          select count(*) from import_rejects r
                          where r.import_id = imports.id and r.problems @> '[{"code": "duplicate_of_row"}]'
                      )::integer) as "duplicate_count!",
                      progress_rows, rows_per_second,
                      state in ('checking', 'storing')
                          and progress_at < now() - make_interval(secs => $1::float8) as "is_interrupted!",
                      trouble, problem_counts, done_at, done_by, ended_at, ended_by, removed_count,
                      restored_count, kept_count, details_dropped_at
               from imports "# + $rest,
            super::seconds(steps::MAX_SILENCE),
            $($argument),*
        )
    };
}

/// The import with this id.
pub async fn find(db: &Db, id: Uuid) -> StoreResult<Option<Import>> {
    let found = within(imports!("where id = $2", id).fetch_optional(db)).await?;
    Ok(found.map(Import::from))
}

/// A page of imports: up to `limit`, newest first, before or after the one with the given id. Discarded imports are
/// not listed.
pub async fn list(db: &Db, before: Option<Uuid>, after: Option<Uuid>, limit: i64) -> StoreResult<Vec<Import>> {
    let found = imports!(
        "where state <> 'discarded' and ($2::uuid is null or id < $2) and ($3::uuid is null or id > $3)
         order by case when $3::uuid is null then id end desc, id
         limit $4",
        before,
        after,
        limit
    );
    let mut found: Vec<Import> = within(found.fetch_all(db))
        .await?
        .into_iter()
        .map(Import::from)
        .collect();
    found.sort_by_key(|import| std::cmp::Reverse(import.id));
    Ok(found)
}

/// An import that created, updated or confirmed a user.
#[derive(Clone, Debug)]
pub struct Appearance {
    /// The import.
    pub import: Uuid,
    /// The name of its file.
    pub file_name: String,
    /// Its effect on the user.
    pub effect: ImportEffect,
    /// When it was stored.
    pub done_at: Option<OffsetDateTime>,
}

/// The imports that contain a user, newest first, at most `limit`.
pub async fn of_user(db: &Db, user: Uuid, limit: i64) -> StoreResult<Vec<Appearance>> {
    let reading = sqlx::query_as!(
        Appearance,
        r#"select i.id as import, i.file_name, u.effect as "effect: ImportEffect", i.done_at
           from import_users u join imports i on i.id = u.import_id
           where u.user_id = $1 order by i.id desc limit $2"#,
        user,
        limit,
    );
    within(reading.fetch_all(db)).await
}
