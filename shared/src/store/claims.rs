//! Claiming deliveries for a worker.

use super::{Db, StoreResult, despite_deadlocks, seconds, within};
use crate::job::Job;
use crate::system_email::SystemEmailKind;
use serde_json::Value;
use std::time::Duration;
use time::OffsetDateTime;
use uuid::Uuid;

/// A claimed delivery with everything that is needed to compose its mail.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The delivery.
    pub delivery: Uuid,
    /// The attempt that begins with this claim.
    pub attempt: i32,
    /// Its batch.
    pub batch: Uuid,
    /// The system email.
    pub kind: SystemEmailKind,
    /// The version that the batch uses.
    pub version: i32,
    /// Seconds between the delivery becoming due and this claim.
    pub waited_seconds: f64,
    /// Seconds until the batch's deadline, negative after it; `None` without a deadline.
    pub seconds_left: Option<f64>,
    /// When the batch started, for measuring the time until the mail is sent.
    pub start_at: OffsetDateTime,
    /// The current time in Postgres.
    pub claimed_at: OffsetDateTime,
    /// The address of a test mail.
    pub test_address: Option<String>,
    /// The language of the recipient or of the test mail; may be empty.
    pub language: String,
    /// The recipient; `None` for a test mail.
    pub recipient: Option<Recipient>,
}

/// The user that a claimed mail is for.
#[derive(Clone, Debug)]
pub struct Recipient {
    /// The user's id.
    pub user: Uuid,
    /// The address as typed.
    pub email: String,
    /// The key of the address.
    pub email_key: String,
    /// First name, or empty.
    pub first_name: String,
    /// Last name, or empty.
    pub last_name: String,
    /// The other merge fields: an object of strings.
    pub fields: Value,
    /// Whether they have signed in before. Their password mail is then a reset and not their first.
    pub has_signed_in: bool,
}

/// The result of claiming a group.
#[derive(Debug, Default)]
pub struct Claims {
    /// Deliveries that were claimed.
    pub taken: Vec<Claim>,
    /// Deliveries cancelled because their user is deleted.
    pub orphaned: usize,
    /// Password mails cancelled because their user is locked.
    pub locked: usize,
    /// Deliveries suppressed because their address is blocked.
    pub suppressed: Vec<Suppressed>,
}

impl Claims {
    /// Records a delivery that ended instead of being claimed.
    fn record_ended(&mut self, reason: &str, ended: Suppressed) {
        match reason {
            "address_blocked" => self.suppressed.push(ended),
            "user_locked" => self.locked += 1,
            _ => self.orphaned += 1,
        }
    }
}

/// A delivery that ended because its address is blocked.
#[derive(Clone, Copy, Debug)]
pub struct Suppressed {
    /// The delivery.
    pub delivery: Uuid,
    /// Its batch.
    pub batch: Uuid,
    /// The system email of the batch.
    pub kind: SystemEmailKind,
    /// The number of earlier attempts.
    pub attempts: i32,
}

/// The worker that claims, and its settings.
#[derive(Clone, Copy, Debug)]
pub struct Claimant<'a> {
    /// The worker's name, for the record.
    pub worker: &'a str,
    /// Unique to this group. Repeating a claim with the same token after a lost answer returns the same claims.
    pub token: Uuid,
    /// How long a claim lasts.
    pub lease: Duration,
    /// How long after its first claim an invite is retried.
    pub invites_give_up_after: Duration,
    /// How long after its first claim a password mail is retried.
    pub passwords_give_up_after: Duration,
}

/// Claims a group of deliveries.
///
/// A delivery is missing from the result if another worker was faster, its batch was paused or stopped, or it
/// has ended. Deliveries to blocked addresses end here, and so do password mails of locked users: this is the
/// last check before the relay, however long they waited.
pub async fn claim(db: &Db, jobs: &[Job], claimant: Claimant<'_>) -> StoreResult<Claims> {
    despite_deadlocks(|| claim_once(db, jobs, claimant)).await
}

async fn claim_once(db: &Db, jobs: &[Job], claimant: Claimant<'_>) -> StoreResult<Claims> {
    let ids: Vec<Uuid> = jobs.iter().map(|job| job.delivery).collect();
    let attempts: Vec<i32> = jobs.iter().map(|job| job.attempt).collect();
    let claiming = sqlx::query_file!(
        "src/store/claim.sql",
        &ids,
        &attempts,
        claimant.token,
        seconds(claimant.lease),
        claimant.worker,
        seconds(claimant.invites_give_up_after),
        seconds(claimant.passwords_give_up_after),
    );
    let rows = within(claiming.fetch_all(db)).await?;
    let mut claims = Claims::default();
    for row in rows {
        if let Some(reason) = row.ends_for.as_deref() {
            let ended = Suppressed {
                delivery: row.delivery,
                batch: row.batch,
                kind: row.kind,
                attempts: row.attempt,
            };
            claims.record_ended(reason, ended);
            continue;
        }
        let recipient = row.user.map(|user| Recipient {
            user,
            email: row.email.unwrap_or_default(),
            email_key: row.email_key.unwrap_or_default(),
            first_name: row.first_name.unwrap_or_default(),
            last_name: row.last_name.unwrap_or_default(),
            fields: row.fields.unwrap_or_default(),
            has_signed_in: row.has_signed_in,
        });
        claims.taken.push(Claim {
            delivery: row.delivery,
            attempt: row.attempt,
            batch: row.batch,
            kind: row.kind,
            version: row.version,
            waited_seconds: row.waited_seconds,
            seconds_left: row.seconds_left,
            start_at: row.start_at,
            claimed_at: row.claimed_at,
            test_address: row.test_address,
            language: row.language,
            recipient,
        });
    }
    Ok(claims)
}

/// Renews the leases of claims by the tokens of their groups. Returns how many groups are still claimed.
pub async fn renew(db: &Db, tokens: &[Uuid], lease: Duration) -> StoreResult<u64> {
    let renewing = sqlx::query!(
        "update claims set lease_until = now() + make_interval(secs => $2) where token = any($1)",
        tokens,
        seconds(lease),
    );
    Ok(within(renewing.execute(db)).await?.rows_affected())
}
