//! Noticing that another server, with another history, answers in Postgres's place.
//!
//! A standby that is promoted begins another timeline. Behind asynchronous replication it lacks the last moments
//! before, and emails sent in them count as not sent. Nothing is published and nothing is claimed until the
//! dispatcher has looked (`sending_is_open` in the schema), and then either sending goes on or it is held.

use super::audit::{self, Act, Action, Actor};
use super::dispatcher_lease::Turn;
use super::{Db, StoreResult, begin, commit, within};
use time::OffsetDateTime;
use uuid::Uuid;

/// What a look found.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// The timeline on which the server writes.
    pub timeline: i32,
    /// The one before, if this look found it changed.
    pub changed_from: Option<i32>,
    /// When it was last found changed.
    pub changed_at: Option<OffsetDateTime>,
    /// Since when sending is held.
    pub held_at: Option<OffsetDateTime>,
}

/// Looks, and notes a change. With `holds`, a change holds sending.
pub async fn look(db: &Db, turn: Turn, holds: bool) -> StoreResult<Look> {
    let looking = sqlx::query_file_as!(Look, "src/store/database_history.sql", turn.epoch, holds);
    within(looking.fetch_one(db)).await
}

/// Lets sending go on. The time it was held does not count as age of an email. Returns since when it was held;
/// nothing when it was not.
pub async fn resume(db: &Db) -> StoreResult<Option<OffsetDateTime>> {
    let mut transaction = begin(db).await?;
    let asking = sqlx::query_scalar!(
        r#"select held_at as "held_at!" from database_history where held_at is not null for update"#
    );
    let Some(held_at) = within(asking.fetch_optional(&mut *transaction)).await? else {
        return Ok(None);
    };
    let ageing = sqlx::query!(
        // In seconds, because a day that an interval has may be one of 23 hours.
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
    let act = Act {
        actor: &Actor::command_line(),
        action: Action::SendingResumed,
        subject: None,
        details: serde_json::json!({ "held_at": held_at.unix_timestamp() }),
    };
    audit::note(&mut transaction, &act).await?;
    commit(transaction).await?;
    Ok(Some(held_at))
}

/// What became of deliveries that a person says were sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Marked {
    /// Invites that count as sent now.
    pub marked: i64,
    /// Had ended before.
    pub ended: i64,
    /// Password emails, which are sent again: the password in the one that was sent is lost.
    pub passwords: i64,
    /// Are not in the database: their batch was lost.
    pub unknown: i64,
}

/// Marks invites as sent that are in the relay's log. Password emails stay due, because the verifier of the password
/// that was mailed was lost together with the record of the email.
pub async fn mark_sent(db: &Db, deliveries: &[Uuid]) -> StoreResult<Marked> {
    let mut transaction = begin(db).await?;
    let marking = sqlx::query_file_as!(Marked, "src/store/mark_sent.sql", deliveries);
    let marked = within(marking.fetch_one(&mut *transaction)).await?;
    let act = Act {
        actor: &Actor::command_line(),
        action: Action::MarkedSent,
        subject: None,
        details: serde_json::json!({ "marked": marked.marked }),
    };
    audit::note(&mut transaction, &act).await?;
    commit(transaction).await?;
    Ok(marked)
}
