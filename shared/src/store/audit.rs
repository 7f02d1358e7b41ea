//! What was done by whom, kept for good.

mod action;

pub use action::Action;

use super::{Db, StoreResult, Transaction};
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

/// How what is done on the machine itself is signed.
pub const COMMAND_LINE: &str = "the command line";

/// How an attempt to sign in is signed that did not succeed.
const SOMEBODY: &str = "somebody";

/// Names in the list of those who did something. More than that nobody chooses from.
const NAMES_MOST: i64 = 200;

/// One act.
#[derive(Clone, Debug)]
pub struct Act<'a> {
    /// Who did it: an administrator's name or `key <name>`.
    pub who: &'a str,
    /// What.
    pub action: Action,
    /// To what: the kind and id of a thing, where there is one.
    pub subject: Option<String>,
    /// Counts and ids; never an address of a recipient, a text or a secret.
    pub details: Value,
}

/// Puts an act on record, in the transaction that does it: neither is without the other.
pub async fn note(transaction: &mut Transaction, act: &Act<'_>) -> StoreResult<()> {
    sqlx::query!(
        "insert into audit (who, action, subject, details) values ($1, $2, $3, $4)",
        act.who,
        act.action.as_str(),
        act.subject,
        act.details,
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Puts on record that somebody tried to sign in and did not succeed: once a minute for each
/// administrator, and once a minute for all addresses that are nobody's. What was typed there may
/// be a password, so it is not kept.
pub async fn note_failed_sign_in(db: &Db, administrator: Option<Uuid>) -> StoreResult<()> {
    sqlx::query!(
        "insert into audit (who, action, subject)
         select $1::text, $3::text, $2
         where pg_try_advisory_xact_lock(hashtextextended($3::text || ' ' || coalesce($2, ''), 0))
           and not exists (
               select from audit
               where at > now() - interval '1 minute' and action = $3
                 and subject is not distinct from $2)",
        SOMEBODY,
        administrator.map(|id| format!("administrator {id}")),
        Action::SignInFailed.as_str(),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A line of the log.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its id, which sorts by time.
    pub id: Uuid,
    /// When.
    pub at: OffsetDateTime,
    /// Who.
    pub who: String,
    /// What, as a word.
    pub action: String,
    /// To what.
    pub subject: Option<String>,
    /// Counts and ids.
    pub details: Value,
}

/// Which lines to read. Parts that are absent match all.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Filter {
    /// By this one,
    pub who: Option<String>,
    /// of these actions; none for all,
    pub actions: Vec<String>,
    /// not before this moment,
    pub from: Option<OffsetDateTime>,
    /// and before this one.
    pub until: Option<OffsetDateTime>,
}

/// Up to `limit` lines, newest first, before or after the one of these ids.
pub async fn list(
    db: &Db,
    filter: &Filter,
    before: Option<Uuid>,
    after: Option<Uuid>,
    limit: i64,
) -> StoreResult<Vec<Entry>> {
    let mut found = sqlx::query_as!(
        Entry,
        "select id, at, who, action, subject, details
         from audit
         where ($1::text is null or who = $1)
           and ($2::text[] = '{}' or action = any($2))
           and ($3::timestamptz is null or at >= $3)
           and ($4::timestamptz is null or at < $4)
           and ($5::uuid is null or id < $5) and ($6::uuid is null or id > $6)
         order by case when $6::uuid is null then id end desc, id
         limit $7",
        filter.who,
        &filter.actions,
        filter.from,
        filter.until,
        before,
        after,
        limit,
    )
    .fetch_all(db)
    .await?;
    found.sort_by_key(|entry| std::cmp::Reverse(entry.id));
    Ok(found)
}

/// Everybody who did something, by name. Reads one line for each, however long the log is.
pub async fn everybody(db: &Db) -> StoreResult<Vec<String>> {
    let rows = sqlx::query!(
        r#"with recursive names as (
               (select who from audit order by who limit 1)
               union all
               select (select who from audit where who > names.who order by who limit 1)
               from names where names.who is not null
           )
           select who as "who!" from names where who is not null limit $1"#,
        NAMES_MOST,
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| row.who).collect())
}
