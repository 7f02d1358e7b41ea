//! Everything that was sent, newest first: batches, including those for a single user.

use super::counts::DeliveryCount;
use super::cursor::PageCursor;
use super::{Db, StoreResult, within};
use crate::batch::BatchState;
use crate::delivery::DeliveryState;
use crate::system_email::SystemEmailKind;
use time::OffsetDateTime;
use uuid::Uuid;

/// A batch in the list of all batches. Its totals are available once it has finished: counting every running
/// batch would make the list slow.
#[derive(Clone, Debug)]
pub struct Sending {
    /// The batch.
    pub id: Uuid,
    /// Its system email.
    pub kind: SystemEmailKind,
    /// Its state.
    pub state: BatchState,
    /// When it was accepted.
    pub created_at: OffsetDateTime,
    /// Who created it.
    pub created_by: String,
    /// When it may start.
    pub start_at: OffsetDateTime,
    /// When its last delivery ended.
    pub finished_at: Option<OffsetDateTime>,
    /// Why it is paused or stopped.
    pub why: Option<String>,
    /// Number of selected users.
    pub selected: i32,
    /// Number of deliveries.
    pub accepted: i32,
    final_counts: Option<serde_json::Value>,
    /// The delivery of a batch of one.
    pub delivery: Option<Uuid>,
    /// The address of that delivery.
    pub email: Option<String>,
    /// The name of its user.
    pub name: Option<String>,
    /// Its state.
    pub delivery_state: Option<DeliveryState>,
    /// The reason for its state.
    pub reason: Option<String>,
}

impl Sending {
    /// The outcomes of its deliveries. Empty while it runs.
    pub fn delivery_counts(&self) -> Vec<DeliveryCount> {
        let counted = self.final_counts.clone();
        counted
            .and_then(|counted| serde_json::from_value(counted).ok())
            .unwrap_or_default()
    }
}

/// Which batches to list. Unset parts match everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct ActivityFilter {
    /// The system email.
    pub kind: Option<SystemEmailKind>,
    /// The state.
    pub state: Option<BatchState>,
}

macro_rules! sendings {
    ($filter:expr; $rest:literal; $($argument:expr),*) => {
        sqlx::query_as!(
            Sending,
            r#"select b.id, b.kind as "kind: SystemEmailKind", b.state as "state: BatchState", b.created_at,
                      b.created_by, b.start_at, b.finished_at, b.reason as why, b.selected_count as selected,
                      b.accepted_count as accepted, b.final_counts,
                      one.id as "delivery?", one.email as "email?", one.name as "name?",
                      one.state as "delivery_state?: DeliveryState", one.reason as "reason?"
               from batches b
               left join lateral (
                   select d.id, coalesce(former.email, u.email) as email,
                          u.first_name || ' ' || u.last_name as name,
                          shown_state(d.batch_id, d.id, d.state, d.retry_at) as state, d.reason
                   from deliveries d left join users u on u.id = d.user_id
                   left join lateral former_address_of(d.user_id, d.id, d.attempt, d.state, d.moved_at) former on true
                   where d.batch_id = b.id
                   limit 1
               ) one on b.accepted_count = 1
               where not b.is_test
                 and ($1::mail_kind is null or b.kind = $1)
                 and ($2::batch_state is null or b.state = $2) "#
                + $rest,
            $filter.kind as _,
            $filter.state as _,
            $($argument),*
        )
    };
}

/// A page of all batches, newest first, without test mails.
pub async fn list(db: &Db, filter: ActivityFilter, cursor: PageCursor<Uuid>, limit: i64) -> StoreResult<Vec<Sending>> {
    if let PageCursor::Before(before) = cursor {
        let found = sendings!(filter; "and b.id > $3 order by b.id limit $4"; before, limit);
        return within(found.fetch_all(db)).await;
    }
    let found = sendings!(
        filter;
        "and ($3::uuid is null or b.id < $3) order by b.id desc limit $4";
        cursor.after(),
        limit
    );
    within(found.fetch_all(db)).await
}
