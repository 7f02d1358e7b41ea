//! The schema: migrating it to this release, and checking its version.
//!
//! During an upgrade two releases run side by side. The schema is migrated first, and running processes
//! continue with it: migrations keep what the previous release needs (`migrations/README.md`). So a database
//! with more migrations than this release knows is fine, even for a program started then. A program waits for
//! a database with fewer.

use super::{Db, StoreError, StoreResult, partitions, within};
use sqlx::migrate::Migrator;

/// Why the schema could not be migrated to this release.
pub type MigrateError = sqlx::migrate::MigrateError;

/// Postgres's error code for an undefined table.
const NO_TABLE: &str = "42P01";

fn migrator() -> Migrator {
    let mut migrator = sqlx::migrate!("./migrations");
    migrator.set_ignore_missing(true);
    migrator
}

/// Migrates the schema to this release, and creates the partitions for the current month and the next.
///
/// # Errors
///
/// Postgres's error, or a migration that was applied differs from the one with the same number in this
/// release.
pub async fn migrate(db: &Db) -> Result<(), MigrateError> {
    migrator().run(db).await?;
    match partitions::make(db).await {
        Ok(_) => Ok(()),
        Err(StoreError::Unavailable(cause) | StoreError::Refused(cause)) => Err(MigrateError::Execute(cause)),
    }
}

/// The numbers of the migrations that this release needs and the database lacks.
///
/// # Errors
///
/// Postgres does not answer.
pub async fn missing(db: &Db) -> StoreResult<Vec<i64>> {
    // Not checked at compile time: the table is sqlx's, and in no migration of ours.
    let asking = sqlx::query_scalar("select version from _sqlx_migrations where success");
    let applied: Vec<i64> = match within(asking.fetch_all(db)).await {
        Err(fault) if fault.code().as_deref() == Some(NO_TABLE) => Vec::new(),
        answer => answer?,
    };
    let needed = migrator();
    let needed = needed.iter().map(|migration| migration.version);
    Ok(needed.filter(|version| !applied.contains(version)).collect())
}

/// Describes the missing migrations in a message.
pub fn describe(missing: &[i64]) -> String {
    let numbers: Vec<String> = missing.iter().map(i64::to_string).collect();
    let (noun, numbers) = (
        if missing.len() == 1 { "migration" } else { "migrations" },
        numbers.join(", "),
    );
    format!("the database lacks {noun} {numbers} of this release; run `beckon-api migrate`")
}
