//! Refusals by the relay that are about our sender, login or account and not about a recipient.

use super::{Db, StoreResult, despite_deadlocks, seconds, within};
use std::time::Duration;
use time::OffsetDateTime;
use uuid::Uuid;

/// Mails of a batch that met the same class of refusal.
#[derive(Clone, Debug)]
pub struct RelayRefusal {
    /// The batch.
    pub batch: Uuid,
    /// The class of the trouble.
    pub class: String,
    /// The phase of the conversation that was reached.
    pub phase: String,
    /// The relay's code.
    pub code: Option<i16>,
    /// The relay's enhanced code.
    pub enhanced_code: Option<String>,
    /// The relay's words, without addresses and names of recipients.
    pub words: String,
    /// Number of affected mails since the batch was last resumed.
    pub affected: i32,
    /// Whether nearly all recipients got the same words.
    pub is_everybodys: bool,
}

/// A running batch, with the refusal that it should pause for.
#[derive(Clone, Debug)]
pub struct RefusedBatch {
    /// When the batch was last resumed.
    pub resumed_at: Option<OffsetDateTime>,
    /// The refusal.
    pub refusal: RelayRefusal,
}

/// Adds refusals to the recorded ones. After a resume the mails of a batch are counted from zero.
pub async fn record(db: &Db, refusals: &[RelayRefusal]) -> StoreResult<()> {
    for refusal in refusals {
        let noting = || async {
            let noting = sqlx::query!(
                "insert into relay_refusals as r
                     (batch_id, class, phase, code, enhanced_code, words, affected, is_everybodys)
                 select b.id, $2, $3, $4, $5, $6, $7, $8 from batches b where b.id = $1
                 on conflict (batch_id, class) do update
                 set affected = excluded.affected + case
                         when r.last_at < (select coalesce(b.resumed_at, b.created_at) from batches b where b.id = $1)
                         then 0 else r.affected end,
                     is_everybodys = excluded.is_everybodys,
                     phase = excluded.phase, code = excluded.code, enhanced_code = excluded.enhanced_code,
                     words = excluded.words, last_at = now()",
                refusal.batch,
                refusal.class,
                refusal.phase,
                refusal.code,
                refusal.enhanced_code,
                // Postgres cannot store NUL, whatever a relay sends.
                refusal.words.replace('\0', "\u{fffd}"),
                refusal.affected,
                refusal.is_everybodys,
            );
            within(noting.execute(db)).await
        };
        despite_deadlocks(noting).await?;
    }
    Ok(())
}

/// The latest refusal of this class within this time, whichever batch it is of.
pub async fn latest(db: &Db, class: &str, since: Duration) -> StoreResult<Option<RelayRefusal>> {
    let reading = sqlx::query_as!(
        RelayRefusal,
        "select batch_id as batch, class, phase, code, enhanced_code, words, affected, is_everybodys
         from relay_refusals
         where class = $1 and last_at > now() - make_interval(secs => $2)
         order by last_at desc limit 1",
        class,
        seconds(since),
    );
    within(reading.fetch_optional(db)).await
}

/// The running batches of the bulk lane of which, since they last resumed, nearly all mails are refused in
/// the same words or at least `affected` are refused because of our account.
pub async fn refused(db: &Db, affected: i32) -> StoreResult<Vec<RefusedBatch>> {
    let reading = sqlx::query!(
        "select distinct on (r.batch_id) b.resumed_at,
                r.batch_id, r.class, r.phase, r.code, r.enhanced_code, r.words, r.affected, r.is_everybodys
         from relay_refusals r join batches b on b.id = r.batch_id
         where b.finished_at is null and b.state = 'running' and b.lane = 'bulk'
           and r.last_at >= coalesce(b.resumed_at, b.created_at)
           and (r.is_everybodys or r.affected >= $1)
         order by r.batch_id, r.affected desc",
        affected,
    );
    let rows = within(reading.fetch_all(db)).await?;
    let refused = rows.into_iter().map(|row| RefusedBatch {
        resumed_at: row.resumed_at,
        refusal: RelayRefusal {
            batch: row.batch_id,
            class: row.class,
            phase: row.phase,
            code: row.code,
            enhanced_code: row.enhanced_code,
            words: row.words,
            affected: row.affected,
            is_everybodys: row.is_everybodys,
        },
    });
    Ok(refused.collect())
}
