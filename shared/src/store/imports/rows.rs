//! The rows of a file, stored group by group.
//!
//! A group finds the users who exist, changes them, and creates the others. Creating fails if another writer has created
//! one of them in the meantime. That is rare, and the caller then stores the file again; expecting it in the statement
//! (`on conflict`) would take a quarter of the time of each import.

use super::ImportMode;
use crate::store::{StoreResult, Transaction, until_moved};
use serde_json::Value;
use std::collections::HashMap;
use uuid::Uuid;

/// A row to import. A missing value keeps the existing one, and an empty text clears it.
#[derive(Clone, Debug)]
pub struct Row {
    /// Where it stands in the file.
    pub number: i32,
    /// Address as typed.
    pub email: String,
    /// The normalised address, which identifies the user.
    pub email_key: String,
    /// First name.
    pub first_name: Option<String>,
    /// Last name.
    pub last_name: Option<String>,
    /// Language tag.
    pub language: Option<String>,
    /// Merge fields: an object of strings. A null removes the field.
    pub fields: Value,
}

/// What storing a group of rows does, or would do.
#[derive(Clone, Copy, Debug, Default)]
pub struct RowEffects {
    /// Users created.
    pub created: i32,
    /// Users changed.
    pub updated: i32,
    /// Users left unchanged.
    pub unchanged: i32,
    /// Rows ignored because of the mode.
    pub ignored: i32,
}

/// The columns of a group of rows, as arguments of a statement.
struct Columns<'r> {
    numbers: Vec<i32>,
    keys: Vec<&'r str>,
    first_names: Vec<Option<&'r str>>,
    last_names: Vec<Option<&'r str>>,
    languages: Vec<Option<&'r str>>,
    fields: Vec<&'r Value>,
}

impl<'r> Columns<'r> {
    fn of(rows: &[&'r Row]) -> Self {
        Self {
            numbers: rows.iter().map(|row| row.number).collect(),
            keys: rows.iter().map(|row| row.email_key.as_str()).collect(),
            first_names: rows.iter().map(|row| row.first_name.as_deref()).collect(),
            last_names: rows.iter().map(|row| row.last_name.as_deref()).collect(),
            languages: rows.iter().map(|row| row.language.as_deref()).collect(),
            fields: rows.iter().map(|row| &row.fields).collect(),
        }
    }
}

/// Stores a group of rows; new users are created in their order. Each user may occur once in the file.
///
/// # Errors
///
/// [`StoreError::is_conflict`] is true if another writer has just created one of the users. Nothing of the file is
/// stored then, and a second attempt finds the user.
///
/// [`StoreError::is_conflict`]: crate::store::StoreError::is_conflict
pub async fn store(
    transaction: &mut Transaction,
    import: Uuid,
    rows: &[Row],
    mode: ImportMode,
) -> StoreResult<RowEffects> {
    let known = find(transaction, rows).await?;
    let (old, new): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|row| known.contains_key(&row.number));
    let ids: Vec<Uuid> = old.iter().filter_map(|row| known.get(&row.number)).copied().collect();
    let (old_count, new_count) = (count(&old), count(&new));
    let mut effects = RowEffects::default();
    if mode == ImportMode::CreateOnly {
        effects.ignored += old_count;
    } else if !old.is_empty() {
        effects.updated = update(transaction, import, &old, &ids).await?;
        effects.unchanged = old_count - effects.updated;
    }
    if mode == ImportMode::UpdateOnly {
        effects.ignored += new_count;
    } else if !new.is_empty() {
        create(transaction, import, &new).await?;
        effects.created = new_count;
    }
    Ok(effects)
}

fn count(rows: &[&Row]) -> i32 {
    i32::try_from(rows.len()).unwrap_or(i32::MAX)
}

/// The users who exist, by the number of their row.
async fn find(transaction: &mut Transaction, rows: &[Row]) -> StoreResult<HashMap<i32, Uuid>> {
    let numbers: Vec<i32> = rows.iter().map(|row| row.number).collect();
    let keys: Vec<&str> = rows.iter().map(|row| row.email_key.as_str()).collect();
    // `offset 0` keeps the planner from reading all users.
    let finding = sqlx::query!(
        r#"select g.number as "number!", u.id
           from unnest($1::integer[], $2::text[]) as g (number, email_key)
           cross join lateral (select id from users where email_key = g.email_key offset 0) u"#,
        &numbers,
        &keys as &[&str],
    );
    let found = until_moved(finding.fetch_all(&mut **transaction)).await?;
    Ok(found.into_iter().map(|user| (user.number, user.id)).collect())
}

/// Updates users, unless they already have these values, and returns how many were updated.
async fn update(transaction: &mut Transaction, import: Uuid, rows: &[&Row], ids: &[Uuid]) -> StoreResult<i32> {
    let columns = Columns::of(rows);
    let updating = sqlx::query_file!(
        "src/store/import_known.sql",
        import,
        ids,
        &columns.numbers,
        &columns.keys as &[&str],
        &columns.first_names as &[Option<&str>],
        &columns.last_names as &[Option<&str>],
        &columns.languages as &[Option<&str>],
        &columns.fields as &[&Value],
    );
    Ok(until_moved(updating.fetch_one(&mut **transaction)).await?.updated)
}

/// Creates users.
async fn create(transaction: &mut Transaction, import: Uuid, rows: &[&Row]) -> StoreResult<()> {
    let columns = Columns::of(rows);
    let emails: Vec<&str> = rows.iter().map(|row| row.email.as_str()).collect();
    // Users are listed in the order of their ids. Cheaper here than in Postgres.
    let ids: Vec<Uuid> = rows.iter().map(|_| Uuid::now_v7()).collect();
    let creating = sqlx::query_file!(
        "src/store/import_new.sql",
        import,
        &columns.numbers,
        &ids,
        &emails as &[&str],
        &columns.keys as &[&str],
        &columns.first_names as &[Option<&str>],
        &columns.last_names as &[Option<&str>],
        &columns.languages as &[Option<&str>],
        &columns.fields as &[&Value],
    );
    until_moved(creating.execute(&mut **transaction)).await?;
    Ok(())
}

/// Computes the expected result of storing a group of rows, and stores up to `sample` of the changes. Each user may
/// occur once in the file.
pub async fn forecast(
    transaction: &mut Transaction,
    import: Uuid,
    rows: &[Row],
    sample: i64,
    mode: ImportMode,
) -> StoreResult<RowEffects> {
    let columns = Columns::of(&rows.iter().collect::<Vec<_>>());
    let forecasting = sqlx::query_file_as!(
        RowEffects,
        "src/store/import_check.sql",
        import,
        &columns.numbers,
        &columns.keys as &[&str],
        &columns.first_names as &[Option<&str>],
        &columns.last_names as &[Option<&str>],
        &columns.languages as &[Option<&str>],
        &columns.fields as &[&Value],
        sample,
        mode.as_str(),
    );
    until_moved(forecasting.fetch_one(&mut **transaction)).await
}

/// A change of a user by an import.
#[derive(Clone, Debug)]
pub struct Change {
    /// The row in the file.
    pub number: i32,
    /// The user.
    pub user: Uuid,
    /// Their current address.
    pub email: String,
    /// The former values of the changed fields. Null stands for a field that the user did not have.
    pub before: Value,
    /// The same fields with their new values.
    pub after: Value,
}

/// The first changes that an import made, or a sample of those that it would make.
pub async fn changes(db: impl sqlx::PgExecutor<'_>, import: Uuid, limit: i64) -> StoreResult<Vec<Change>> {
    let reading = sqlx::query_as!(
        Change,
        "select c.row_number as number, c.user_id as user, u.email, c.before, c.after
         from import_changes c join users u on u.id = c.user_id
         where c.import_id = $1 order by c.row_number limit $2",
        import,
        limit,
    );
    until_moved(reading.fetch_all(db)).await
}
