//! The schema: bringing it up to this release, and knowing whether it is.
//!
//! During an upgrade two releases run side by side. The schema goes first, and what is there already
//! goes on with it: migrations leave what the release before needs (`migrations/README.md`). So a
//! database that knows more migrations than we do is as good as our own, also for a program that is
//! started then. One that knows fewer is waited for.

use super::{Db, StoreError, StoreResult, months, within};
use sqlx::migrate::Migrator;

/// Why the schema could not be brought up to this release.
pub type MigrateError = sqlx::migrate::MigrateError;

/// Postgres's code for a table that is not there.
const NO_TABLE: &str = "42P01";

fn migrator() -> Migrator {
    let mut migrator = sqlx::migrate!("./migrations");
    migrator.set_ignore_missing(true);
    migrator
}

/// Brings the schema up to this release, with room for the mails of this month and the next.
///
/// # Errors
///
/// What stood in the way, in Postgres's words; also when a migration that was applied is not the one
/// we know under its number.
pub async fn migrate(db: &Db) -> Result<(), MigrateError> {
    migrator().run(db).await?;
    match months::make(db).await {
        Ok(_) => Ok(()),
        Err(StoreError::Unavailable(cause) | StoreError::Refused(cause)) => Err(MigrateError::Execute(cause)),
    }
}

/// The numbers of the migrations that this release needs and the database does not have yet.
///
/// # Errors
///
/// When Postgres does not answer.
pub async fn missing(db: &Db) -> StoreResult<Vec<i64>> {
    // Not checked when compiled: the table is sqlx's, and in no migration of ours.
    let asking = sqlx::query_scalar("select version from _sqlx_migrations where success");
    let applied: Vec<i64> = match within(asking.fetch_all(db)).await {
        Err(fault) if fault.code().as_deref() == Some(NO_TABLE) => Vec::new(),
        answer => answer?,
    };
    let needed = migrator();
    let needed = needed.iter().map(|migration| migration.version);
    Ok(needed.filter(|version| !applied.contains(version)).collect())
}

/// What to tell whoever waits for these migrations.
pub fn told(missing: &[i64]) -> String {
    let numbers: Vec<String> = missing.iter().map(i64::to_string).collect();
    let (thing, numbers) = (
        if missing.len() == 1 { "migration" } else { "migrations" },
        numbers.join(", "),
    );
    format!("the database lacks {thing} {numbers} of this release; `beckon-api migrate` brings it up")
}
