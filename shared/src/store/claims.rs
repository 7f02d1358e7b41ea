//! A worker takes deliveries on.

use super::{Db, StoreResult, despite_deadlocks, seconds, within};
use crate::job::Job;
use crate::system_email::SystemEmailKind;
use serde_json::Value;
use std::time::Duration;
use time::OffsetDateTime;
use uuid::Uuid;

/// A delivery that is ours until its lease ends, with all that is needed to write its letter.
#[derive(Clone, Debug)]
pub struct Claim {
    /// Which delivery.
    pub delivery: Uuid,
    /// The attempt that has begun with this claim.
    pub attempt: i32,
    /// Its batch.
    pub batch: Uuid,
    /// Which system email,
    pub kind: SystemEmailKind,
    /// and the version the batch was sent with.
    pub version: i32,
    /// Seconds between the moment it fell due and this claim.
    pub waited_seconds: f64,
    /// Seconds until its batch's deadline, below nought past it; absent where nothing was promised.
    pub seconds_left: Option<f64>,
    /// When the batch began, for the time until the mail has left.
    pub start_at: OffsetDateTime,
    /// Now, as Postgres has it.
    pub claimed_at: OffsetDateTime,
    /// Where to, for a test mail.
    pub test_address: Option<String>,
    /// Whom to; absent for a test mail.
    pub recipient: Option<Recipient>,
}

/// The person a claimed mail is for.
#[derive(Clone, Debug)]
pub struct Recipient {
    /// Their id.
    pub user: Uuid,
    /// Their address as typed,
    pub email: String,
    /// and as identity.
    pub email_key: String,
    /// First name, or empty.
    pub first_name: String,
    /// Last name, or empty.
    pub last_name: String,
    /// Language tag, or empty.
    pub language: String,
    /// Their other merge fields: an object of strings.
    pub fields: Value,
    /// Whether they have signed in before: a password for them is a reset, not their first.
    pub has_signed_in: bool,
}

/// What a group of claims came to.
#[derive(Debug, Default)]
pub struct Claims {
    /// Ours now.
    pub taken: Vec<Claim>,
    /// Whose user is gone; cancelled.
    pub orphaned: usize,
    /// Password mails whose user is locked; cancelled.
    pub locked: usize,
    /// Whose address is blocked; suppressed.
    pub suppressed: Vec<Suppressed>,
}

impl Claims {
    /// Records a delivery that ended instead of being claimed.
    fn note_ended(&mut self, reason: &str, ended: Suppressed) {
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
    /// Which,
    pub delivery: Uuid,
    /// of which batch,
    pub batch: Uuid,
    /// which sends this.
    pub kind: SystemEmailKind,
    /// The attempts it had before.
    pub attempts: i32,
}

/// Who claims, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Claimant<'a> {
    /// The worker's name, for the record.
    pub worker: &'a str,
    /// This group's own. Asking again with it after a lost answer gives the same claims again.
    pub token: Uuid,
    /// How long a claim lasts.
    pub lease: Duration,
    /// How long after its first claim an invite is tried,
    pub invites_give_up_after: Duration,
    /// and a password mail.
    pub passwords_give_up_after: Duration,
}

/// Takes a group of deliveries on. One that is missing from the answer is not for us: somebody
/// was faster, its batch was paused or stopped, or it has ended. One whose address is blocked ends
/// here, and so does a password mail whose user is locked: this is the last look at it before the
/// relay, wherever it waited and for how long.
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
            claims.note_ended(reason, ended);
            continue;
        }
        let recipient = row.user.map(|user| Recipient {
            user,
            email: row.email.unwrap_or_default(),
            email_key: row.email_key.unwrap_or_default(),
            first_name: row.first_name.unwrap_or_default(),
            last_name: row.last_name.unwrap_or_default(),
            language: row.language.unwrap_or_default(),
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
            recipient,
        });
    }
    Ok(claims)
}

/// Keeps claims alive that take long, by the tokens of their groups; returns how many groups are still
/// claimed.
pub async fn renew(db: &Db, tokens: &[Uuid], lease: Duration) -> StoreResult<u64> {
    let renewing = sqlx::query!(
        "update claims set lease_until = now() + make_interval(secs => $2) where token = any($1)",
        tokens,
        seconds(lease),
    );
    Ok(within(renewing.execute(db)).await?.rows_affected())
}
