//! Detects that Postgres was replaced by a server with a different history.
//!
//! A standby that is promoted begins a new timeline. With asynchronous replication it lacks the last moments
//! before, so emails sent then count as not sent. The same applies to a dump restored into another cluster. Nothing
//! is published or claimed until the dispatcher has checked timeline and cluster (`sending_is_open` in the schema);
//! then sending continues or is held.

use super::audit::{Action, Actor, AuditEntry};
use super::dispatcher_lease::DispatcherLease;
use super::{Db, StoreResult, begin, commit, within};
use time::OffsetDateTime;
use uuid::Uuid;

/// The result of a check.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// The timeline on which the server writes.
    pub timeline: i32,
    /// The previous timeline, if this check found a change.
    pub changed_from: Option<i32>,
    /// When a change was last found.
    pub changed_at: Option<OffsetDateTime>,
    /// Since when sending is held.
    pub held_at: Option<OffsetDateTime>,
    /// The time by the server's clock.
    pub server_time: OffsetDateTime,
}

/// Checks the timeline and records a change. With `holds`, a change holds sending.
pub async fn check(db: &Db, lease: DispatcherLease, holds: bool) -> StoreResult<Reading> {
    let checking = sqlx::query_file_as!(Reading, "src/store/database_history.sql", lease.epoch, holds);
    within(checking.fetch_one(db)).await
}

/// Resumes sending. The time on hold does not count towards the age of an email. Returns since when sending
/// was held, or `None` if it was not.
pub async fn resume(db: &Db) -> StoreResult<Option<OffsetDateTime>> {
    let mut transaction = begin(db).await?;
    let asking = sqlx::query_scalar!(
        r#"select held_at as "held_at!" from database_history where held_at is not null for update"#
    );
    let Some(held_at) = within(asking.fetch_optional(&mut *transaction)).await? else {
        return Ok(None);
    };
    let ageing = sqlx::query!(
        // In seconds, because a day in an interval may have 23 hours.
        "update batches b
         set stale_at = b.stale_at + held.lasted, deadline_at = b.deadline_at + held.lasted,
             paused_for = b.paused_for + held.lasted
         from (
             select id, make_interval(secs => extract(epoch from now() - greatest($1, start_at))::float8) as lasted
             from batches where finished_at is null and state = 'running' and start_at < now()
             for update
         ) held
         where b.id = held.id",
        held_at,
    );
    within(ageing.execute(&mut *transaction)).await?;
    within(sqlx::query!("update database_history set held_at = null").execute(&mut *transaction)).await?;
    AuditEntry::new(&Actor::command_line(), Action::SendingResumed)
        .details(serde_json::json!({ "held_at": held_at.unix_timestamp() }))
        .record(&mut transaction)
        .await?;
    commit(transaction).await?;
    Ok(Some(held_at))
}

/// The result of marking deliveries as sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct MarkedCounts {
    /// Invites that are now marked as sent.
    pub marked: i64,
    /// Deliveries that had already ended.
    pub ended: i64,
    /// Password emails, which are sent again, because the verifier of the mailed password is lost.
    pub passwords: i64,
    /// Deliveries missing from the database, because their batch is lost.
    pub unknown: i64,
}

/// Marks invites found in the relay's log as sent. Password emails remain due, because the verifier of the
/// mailed password was lost together with the record of the email.
pub async fn mark_sent(db: &Db, deliveries: &[Uuid]) -> StoreResult<MarkedCounts> {
    let mut transaction = begin(db).await?;
    let marking = sqlx::query_file_as!(MarkedCounts, "src/store/mark_sent.sql", deliveries);
    let marked = within(marking.fetch_one(&mut *transaction)).await?;
    AuditEntry::new(&Actor::command_line(), Action::MarkedSent)
        .details(serde_json::json!({ "marked": marked.marked }))
        .record(&mut transaction)
        .await?;
    commit(transaction).await?;
    Ok(marked)
}
