//! The recorded attempts at a delivery.

use super::{Db, StoreResult, within};
use time::OffsetDateTime;
use uuid::Uuid;

/// An attempt.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Its number, counted from 1.
    pub n: i32,
    /// The worker that made it.
    pub worker: String,
    /// The address it was sent to.
    pub email: Option<String>,
    /// When it began.
    pub started_at: OffsetDateTime,
    /// When it ended; `None` while it runs.
    pub ended_at: Option<OffsetDateTime>,
    /// `accepted`, `try_later`, `refused` or `unsure`.
    pub verdict: Option<String>,
    /// The phase of the conversation that was reached.
    pub phase: Option<String>,
    /// The relay's code.
    pub code: Option<i16>,
    /// Its enhanced code.
    pub enhanced_code: Option<String>,
    /// The relay's words, or ours if it sent none.
    pub reply: Option<String>,
}

/// All attempts at a delivery, oldest first.
pub async fn of_delivery(db: &Db, delivery: Uuid) -> StoreResult<Vec<Attempt>> {
    let reading = sqlx::query_as!(
        Attempt,
        // An attempt is recorded once it has ended. A running one is derived from its claim.
        r#"select a.n as "n!", a.worker as "worker!", coalesce(former.email, u.email, d.test_address) as email,
                  a.started_at as "started_at!", a.ended_at, a.verdict, a.phase, a.code, a.enhanced_code, a.reply
           from deliveries d
           cross join lateral (
               select n, worker, started_at, ended_at, verdict, phase, code, enhanced_code, reply
               from attempts where delivery_id = d.id
               union all
               select d.attempt, c.worker, d.moved_at, null, null, null, null, null, null
               from claims c where c.token = d.lease_token and d.state = 'sending'
           ) a
           left join users u on u.id = d.user_id
           left join lateral former_address(d.user_id, a.started_at) former on true
           where d.id = $1 order by a.n"#,
        delivery,
    );
    within(reading.fetch_all(db)).await
}
