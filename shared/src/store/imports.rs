//! Imports: people brought in, row by row, all of a file or none of it.
//!
//! An import that a person looks at in between lives through [`steps`]; its file lies in
//! [`parts`] meanwhile. One by API is created and done in the same transaction. Both store their
//! rows with [`rows`].

pub mod mappings;
mod mode;
pub mod parts;
pub mod rows;
pub mod steps;
pub mod undo;

use super::{Db, StoreResult};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

pub use mode::ImportMode;

/// Where an import stands.
///
/// ```text
/// checking ─┬─▶ checked ──▶ storing ──▶ done ──▶ undone
///     │     └─▶ unreadable     │
///     └──────────┬─────────────┘
///                ▼ (each of these four)
///            discarded
/// ```
///
/// `checking` and `storing` are work in hand. When the process that does it dies, the state stays
/// and `progress_at` grows old; anybody may then begin the work again.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash, Serialize, Deserialize, sqlx::Type)]
#[sqlx(type_name = "import_state", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum ImportState {
    /// The file is here; its rows are being judged.
    Checking,
    /// Its faulty rows are known; a person decides whether the good ones come in.
    Checked,
    /// Its good rows are being stored, in one transaction.
    Storing,
    /// They are users.
    Done,
    /// Nothing of the file can be read. `trouble` says why.
    Unreadable,
    /// Nobody wanted it any more before it was stored, or for a week.
    Discarded,
    /// It was done, and what it did was taken back.
    Undone,
}

impl ImportState {
    /// All of them, in the order of the schema.
    pub const ALL: [Self; 7] = [
        Self::Checking,
        Self::Checked,
        Self::Storing,
        Self::Done,
        Self::Unreadable,
        Self::Discarded,
        Self::Undone,
    ];

    /// The word used in SQL, JSON, logs and pages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Checking => "checking",
            Self::Checked => "checked",
            Self::Storing => "storing",
            Self::Done => "done",
            Self::Unreadable => "unreadable",
            Self::Discarded => "discarded",
            Self::Undone => "undone",
        }
    }
}

/// What a row did to its person.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash, Serialize, Deserialize, sqlx::Type)]
#[sqlx(type_name = "import_effect", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum ImportEffect {
    /// They are a user since.
    Created,
    /// They were one, and something about them changed.
    Updated,
    /// They were one, just so.
    Unchanged,
}

impl ImportEffect {
    /// All of them, in the order of the schema.
    pub const ALL: [Self; 3] = [Self::Created, Self::Updated, Self::Unchanged];

    /// The word used in SQL, JSON and URLs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
        }
    }
}

/// An import's totals. While it is only checked, the three in the middle say what storing it would do.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// Data rows in the file, blank ones not counted.
    pub rows: i32,
    /// New people.
    pub created: i32,
    /// Changed people.
    pub updated: i32,
    /// Unchanged people.
    pub unchanged: i32,
    /// Rows that the mode leaves out.
    pub ignored: i32,
    /// Rows not taken.
    pub rejected: i32,
    /// Of those, rows whose address an earlier row has.
    pub duplicates: i32,
    /// Of the rejected, rows whose every problem may be accepted.
    pub doubtful: i32,
    /// Blank rows, which are skipped.
    pub blank: i32,
}

/// What undoing an import did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct UndoneTotals {
    /// Users it had created, who were removed.
    pub removed: i32,
    /// Users it had updated, who got their former values back.
    pub restored: i32,
    /// Users it had updated, who kept the new values because they were changed since.
    pub kept: i32,
}

/// What stood in the way of an import, for programs and for people.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Trouble {
    /// The word for programs.
    pub code: String,
    /// The sentence for people.
    pub message: String,
    /// What there is to choose from, if a choice is all that is missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
    /// Whether all that is missing is what the columns are read as.
    #[serde(default)]
    pub is_about_columns: bool,
}

/// How many rows have one kind of problem.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct ProblemCount {
    /// The word for the problem.
    pub code: String,
    /// The field it is in; none when it is in the whole row.
    pub field: Option<String>,
    /// How often.
    pub count: u32,
}

/// An import as it is.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Import {
    /// Its id.
    pub id: Uuid,
    /// The file's name as the caller gave it.
    pub file_name: String,
    /// When it came.
    pub created_at: OffsetDateTime,
    /// From whom.
    pub created_by: String,
    /// Where it stands.
    pub state: ImportState,
    /// The header row as written.
    pub header: Vec<String>,
    /// What stood between the cells.
    pub separator: char,
    /// The kind of the file: `csv`, `json`, `xlsx`, `xls` or `ods`.
    pub format: String,
    /// The sheet of a spreadsheet that was asked for, or read.
    pub sheet: Option<String>,
    /// The row of the header.
    pub header_row: i32,
    /// Rows that the spreadsheet does not show.
    pub hidden_rows: i32,
    /// Whether rows whose every problem may be accepted come in.
    pub accepts_doubtful: bool,
    /// What was chosen about its columns.
    pub mapping: Option<Value>,
    /// Whether that was chosen for an earlier file with the same columns.
    pub mapping_is_remembered: bool,
    /// What becomes of users who exist, and of those who do not.
    pub mode: ImportMode,
    /// Whether an empty cell clears the value.
    pub clears_empty: bool,
    /// What came of it.
    pub totals: Totals,
    /// Rows that the work in hand has gone through.
    pub progress_rows: i32,
    /// Whether work is in hand that nobody does any more.
    pub is_interrupted: bool,
    /// What stood in the way.
    pub trouble: Option<Trouble>,
    /// Which problems its rows have, most frequent first.
    pub problem_counts: Vec<ProblemCount>,
    /// When it was stored,
    pub done_at: Option<OffsetDateTime>,
    /// and by whom.
    pub done_by: Option<String>,
    /// When it was discarded or undone,
    pub ended_at: Option<OffsetDateTime>,
    /// and by whom; none if for its age.
    pub ended_by: Option<String>,
    /// What undoing it did.
    pub undone: UndoneTotals,
    /// Since when its rejected rows are not kept any longer.
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
    doubtful_count: i32,
    accepts_doubtful: bool,
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
            accepts_doubtful: row.accepts_doubtful,
            mapping: row.mapping,
            mapping_is_remembered: row.mapping_is_remembered,
            mode: ImportMode::of(&row.mode),
            clears_empty: row.clears_empty,
            totals: Totals {
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
            is_interrupted: row.is_interrupted,
            trouble: row.trouble.and_then(|trouble| serde_json::from_value(trouble).ok()),
            problem_counts: serde_json::from_value(row.problem_counts).unwrap_or_default(),
            done_at: row.done_at,
            done_by: row.done_by,
            ended_at: row.ended_at,
            ended_by: row.ended_by,
            undone: UndoneTotals {
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
                      format, sheet, header_row, hidden_row_count, doubtful_count, accepts_doubtful,
                      mapping, mapping_is_remembered, mode, clears_empty, ignored_count, row_count, created_count, updated_count, unchanged_count, rejected_count, blank_count,
                      coalesce(duplicate_count, (
                          select count(*) from import_rejects r
                          where r.import_id = imports.id and r.problems @> '[{"code": "duplicate_of_row"}]'
                      )::integer) as "duplicate_count!",
                      progress_rows,
                      state in ('checking', 'storing')
                          and progress_at < now() - make_interval(secs => $1::float8) as "is_interrupted!",
                      trouble, problem_counts, done_at, done_by, ended_at, ended_by, removed_count,
                      restored_count, kept_count, details_dropped_at
               from imports "# + $rest,
            super::seconds(steps::SILENCE_MOST),
            $($argument),*
        )
    };
}

/// One import.
pub async fn find(db: &Db, id: Uuid) -> StoreResult<Option<Import>> {
    let found = imports!("where id = $2", id).fetch_optional(db).await?;
    Ok(found.map(Import::from))
}

/// Up to `limit` imports, newest first, before or after the one of these ids. Those that were
/// discarded are no part of what happened.
pub async fn list(db: &Db, before: Option<Uuid>, after: Option<Uuid>, limit: i64) -> StoreResult<Vec<Import>> {
    let found = imports!(
        "where state <> 'discarded' and ($2::uuid is null or id < $2) and ($3::uuid is null or id > $3)
         order by case when $3::uuid is null then id end desc, id
         limit $4",
        before,
        after,
        limit
    );
    let mut found: Vec<Import> = found.fetch_all(db).await?.into_iter().map(Import::from).collect();
    found.sort_by_key(|import| std::cmp::Reverse(import.id));
    Ok(found)
}

/// An import that brought somebody in, or found them there.
#[derive(Clone, Debug)]
pub struct Appearance {
    /// The import.
    pub import: Uuid,
    /// Its file's name.
    pub file_name: String,
    /// What it did to them.
    pub effect: ImportEffect,
    /// When it was stored.
    pub done_at: Option<OffsetDateTime>,
}

/// The imports somebody was in, newest first, `limit` at most.
pub async fn of_user(db: &Db, user: Uuid, limit: i64) -> StoreResult<Vec<Appearance>> {
    let found = sqlx::query_as!(
        Appearance,
        r#"select i.id as import, i.file_name, u.effect as "effect: ImportEffect", i.done_at
           from import_users u join imports i on i.id = u.import_id
           where u.user_id = $1 order by i.id desc limit $2"#,
        user,
        limit,
    )
    .fetch_all(db)
    .await?;
    Ok(found)
}
