//! Settling the outcomes of attempts, each written once.

use super::{Db, StoreResult, despite_deadlocks, within};
use crate::delivery::DeliveryState;
use std::collections::HashSet;
use std::time::Duration;
use time::OffsetDateTime;
use uuid::Uuid;

/// The outcome of an attempt.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The delivery.
    pub delivery: Uuid,
    /// The attempt.
    pub attempt: i32,
    /// The token of the claim, without which nothing is written.
    pub token: Uuid,
    /// When the attempt began.
    pub began_at: OffsetDateTime,
    /// The consequence for the delivery.
    pub ending: Ending,
    /// The phase of the conversation that was reached.
    pub phase: &'static str,
    /// The relay's code.
    pub code: Option<u16>,
    /// Its enhanced code (RFC 3463).
    pub enhanced_code: Option<String>,
    /// The relay's words, or ours if it sent none.
    pub reply: String,
    /// The address, if the relay is certain that it does not exist: no more mail is sent to it.
    pub unknown: Option<UnknownAddress>,
}

/// An address that does not exist.
#[derive(Clone, Debug)]
pub struct UnknownAddress {
    /// The key of the address.
    pub key: String,
    /// The address as typed.
    pub email: String,
}

/// The consequence of an attempt.
#[derive(Clone, Debug)]
pub enum Ending {
    /// The relay accepted it.
    Sent {
        /// How long a password in it is valid from now; `None` for mails without one, and for those whose password
        /// was stored a short time ago and is valid long enough.
        password_lifetime: Option<Duration>,
    },
    /// The relay refused it permanently, or it could not be composed.
    Failed {
        /// The class of the trouble.
        reason: &'static str,
    },
    /// Retried, or abandoned if the retry would be too late.
    Retry {
        /// The class of the trouble.
        reason: &'static str,
        /// Delay before the retry.
        after: Duration,
        /// The relay may have accepted it: the user may get it twice, and a password in it remains valid.
        is_unsure: bool,
        /// Number of attempts after which it fails, whatever the time.
        max_attempts: i32,
    },
    /// The attempt had not begun. None is spent, and the delivery is due again unless that would be too late.
    GivenBack {
        /// Delay until it is due again.
        after: Duration,
    },
}

impl Ending {
    /// Its name in the record of the attempt and in metrics.
    pub const fn verdict(&self) -> &'static str {
        match self {
            Self::Sent { .. } => "accepted",
            Self::Failed { .. } => "refused",
            Self::Retry { is_unsure: true, .. } => "unsure",
            Self::Retry { .. } => "try_later",
            Self::GivenBack { .. } => "given_back",
        }
    }

    /// The class of the trouble, as recorded.
    pub const fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Failed { reason } | Self::Retry { reason, .. } => Some(reason),
            Self::Sent { .. } | Self::GivenBack { .. } => None,
        }
    }

    /// Its time parameter: the lifetime of the password, or the delay until the next attempt.
    fn time(&self) -> Option<f64> {
        match self {
            Self::Sent { password_lifetime } => password_lifetime.as_ref().map(Duration::as_secs_f64),
            Self::Retry { after, .. } | Self::GivenBack { after } => Some(after.as_secs_f64()),
            Self::Failed { .. } => None,
        }
    }

    const fn max_attempts(&self) -> i32 {
        match self {
            Self::Retry { max_attempts, .. } => *max_attempts,
            _ => i32::MAX,
        }
    }
}

/// Columns of a group of outcomes, in the order of the statement's parameters.
#[derive(Default)]
struct Columns {
    ids: Vec<Uuid>,
    attempts: Vec<i32>,
    tokens: Vec<Uuid>,
    verdicts: Vec<String>,
    reasons: Vec<Option<String>>,
    times: Vec<Option<f64>>,
    max_attempts: Vec<i32>,
    phases: Vec<String>,
    codes: Vec<Option<i16>>,
    enhanced_codes: Vec<Option<String>>,
    replies: Vec<String>,
    unknown_keys: Vec<Option<String>>,
    unknown_emails: Vec<Option<String>>,
}

impl Columns {
    fn of(outcomes: &[&Outcome]) -> Self {
        let mut columns = Self::default();
        for outcome in outcomes {
            columns.ids.push(outcome.delivery);
            columns.attempts.push(outcome.attempt);
            columns.tokens.push(outcome.token);
            columns.verdicts.push(outcome.ending.verdict().to_owned());
            columns.reasons.push(outcome.ending.reason().map(str::to_owned));
            columns.times.push(outcome.ending.time());
            columns.max_attempts.push(outcome.ending.max_attempts());
            columns.phases.push(outcome.phase.to_owned());
            columns
                .codes
                .push(outcome.code.and_then(|code| i16::try_from(code).ok()));
            columns.enhanced_codes.push(outcome.enhanced_code.clone());
            // Postgres cannot store NUL, whatever a relay sends.
            columns.replies.push(outcome.reply.replace('\0', "\u{fffd}"));
            let unknown = outcome.unknown.clone();
            let (key, email) = unknown.map(|address| (address.key, address.email)).unzip();
            columns.unknown_keys.push(key);
            columns.unknown_emails.push(email);
        }
        columns
    }
}

/// A settled delivery.
#[derive(Clone, Debug)]
pub struct Settled {
    /// The delivery.
    pub delivery: Uuid,
    /// Its new state.
    pub state: DeliveryState,
}

/// A group of outcomes to record.
#[derive(Clone, Copy, Debug)]
pub struct Group<'a> {
    /// The outcomes.
    pub outcomes: &'a [Outcome],
    /// The worker's name.
    pub worker: &'a str,
    /// Tokens of claims whose deliveries are all recorded.
    pub released: &'a [Uuid],
    /// Whether this repeats a request whose answer was lost. The result then includes what was recorded
    /// before.
    pub is_repeated: bool,
}

/// Settles a group of attempts. A delivery is missing from the result if its lease had expired and another
/// attempt has begun or it has ended.
///
/// Accepted mails are recorded first, by a statement for this case alone; the rest by the general one.
pub async fn settle(db: &Db, group: Group<'_>) -> StoreResult<Vec<Settled>> {
    let is_sent = |outcome: &&Outcome| !group.is_repeated && matches!(outcome.ending, Ending::Sent { .. });
    let sent: Vec<&Outcome> = group.outcomes.iter().filter(is_sent).collect();
    let is_all = sent.len() == group.outcomes.len();
    let mut settled = if sent.is_empty() {
        Vec::new()
    } else {
        // Claims are released once everything in them is recorded.
        settle_sent(db, &sent, group.worker, if is_all { group.released } else { &[] }).await?
    };
    let done: HashSet<Uuid> = settled.iter().map(|one| one.delivery).collect();
    let rest: Vec<&Outcome> = group
        .outcomes
        .iter()
        .filter(|one| !done.contains(&one.delivery))
        .collect();
    if !rest.is_empty() {
        settled.extend(settle_any(db, &rest, group).await?);
    }
    Ok(settled)
}

async fn settle_sent(db: &Db, sent: &[&Outcome], worker: &str, released: &[Uuid]) -> StoreResult<Vec<Settled>> {
    let mut sent = sent.to_vec();
    sent.sort_unstable_by_key(|outcome| outcome.delivery);
    let began_at: Vec<OffsetDateTime> = sent.iter().map(|outcome| outcome.began_at).collect();
    let columns = Columns::of(&sent);
    let settling = || async {
        let settling = sqlx::query_file!(
            "src/store/settle_sent.sql",
            &columns.ids,
            &columns.attempts,
            &columns.tokens,
            &began_at,
            &columns.times as &[Option<f64>],
            &columns.phases,
            &columns.codes as &[Option<i16>],
            &columns.enhanced_codes as &[Option<String>],
            &columns.replies,
            worker,
            released,
        );
        within(settling.fetch_all(db)).await
    };
    let rows = despite_deadlocks(settling).await?;
    let settled = rows.into_iter().map(|row| Settled {
        delivery: row.id,
        state: DeliveryState::Sent,
    });
    Ok(settled.collect())
}

async fn settle_any(db: &Db, outcomes: &[&Outcome], group: Group<'_>) -> StoreResult<Vec<Settled>> {
    let columns = Columns::of(outcomes);
    let settling = || async {
        let settling = sqlx::query_file!(
            "src/store/settle.sql",
            &columns.ids,
            &columns.attempts,
            &columns.tokens,
            &columns.verdicts,
            &columns.reasons as &[Option<String>],
            &columns.times as &[Option<f64>],
            &columns.max_attempts,
            &columns.phases,
            &columns.codes as &[Option<i16>],
            &columns.enhanced_codes as &[Option<String>],
            &columns.replies,
            group.is_repeated,
            &columns.unknown_keys as &[Option<String>],
            &columns.unknown_emails as &[Option<String>],
            group.worker,
            group.released,
        );
        within(settling.fetch_all(db)).await
    };
    let rows = despite_deadlocks(settling).await?;
    let settled = rows.into_iter().map(|row| Settled {
        delivery: row.id,
        state: row.state,
    });
    Ok(settled.collect())
}
