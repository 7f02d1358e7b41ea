//! What became of attempts, written once and for good.

use super::{Db, StoreResult, despite_deadlocks, within};
use crate::delivery::DeliveryState;
use std::collections::HashSet;
use std::time::Duration;
use time::OffsetDateTime;
use uuid::Uuid;

/// What an attempt came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Which delivery,
    pub delivery: Uuid,
    /// which attempt,
    pub attempt: i32,
    /// and the token of the claim, without which nothing is written.
    pub token: Uuid,
    /// When the attempt began.
    pub began_at: OffsetDateTime,
    /// What follows.
    pub ending: Ending,
    /// How far the conversation came.
    pub phase: &'static str,
    /// The relay's code.
    pub code: Option<u16>,
    /// Its enhanced code (RFC 3463).
    pub enhanced_code: Option<String>,
    /// Its words, or ours when it said nothing.
    pub reply: String,
    /// The address, where the relay is certain that nobody has it: no more mail goes there.
    pub unknown: Option<UnknownAddress>,
}

/// An address that does not exist.
#[derive(Clone, Debug)]
pub struct UnknownAddress {
    /// As identity.
    pub key: String,
    /// As typed.
    pub email: String,
}

/// What follows an attempt.
#[derive(Clone, Debug)]
pub enum Ending {
    /// The relay took it. A password in it lives for `password_lifetime` from now.
    Sent {
        /// See above; absent for mails without one.
        password_lifetime: Option<Duration>,
    },
    /// The relay refused it for good, or it could not be built.
    Failed {
        /// The class of the trouble.
        reason: &'static str,
    },
    /// Try again, or give up when that would be too late.
    Retry {
        /// The class of the trouble.
        reason: &'static str,
        /// After this long, unless that is past the time to give up.
        after: Duration,
        /// The relay may have taken it: the person may get it twice, and a password in it stays.
        is_unsure: bool,
        /// After this many attempts it has failed, whatever the time.
        attempts_most: i32,
    },
    /// It had not really begun: no attempt is spent, and it is due after `after`, unless that is
    /// past the time to give up.
    GivenBack {
        /// See above.
        after: Duration,
    },
}

impl Ending {
    /// The word for the attempt's record and for metrics.
    pub const fn verdict(&self) -> &'static str {
        match self {
            Self::Sent { .. } => "accepted",
            Self::Failed { .. } => "refused",
            Self::Retry { is_unsure: true, .. } => "unsure",
            Self::Retry { .. } => "try_later",
            Self::GivenBack { .. } => "given_back",
        }
    }

    /// The class of the trouble, as it is recorded.
    pub const fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Failed { reason } | Self::Retry { reason, .. } => Some(reason),
            Self::Sent { .. } | Self::GivenBack { .. } => None,
        }
    }

    /// The time that matters to it: a password's lifetime, or until the next try.
    fn time(&self) -> Option<f64> {
        match self {
            Self::Sent { password_lifetime } => password_lifetime.as_ref().map(Duration::as_secs_f64),
            Self::Retry { after, .. } | Self::GivenBack { after } => Some(after.as_secs_f64()),
            Self::Failed { .. } => None,
        }
    }

    const fn attempts_most(&self) -> i32 {
        match self {
            Self::Retry { attempts_most, .. } => *attempts_most,
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
    attempts_most: Vec<i32>,
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
            columns.attempts_most.push(outcome.ending.attempts_most());
            columns.phases.push(outcome.phase.to_owned());
            columns
                .codes
                .push(outcome.code.and_then(|code| i16::try_from(code).ok()));
            columns.enhanced_codes.push(outcome.enhanced_code.clone());
            // Postgres stores no NUL, whatever a relay sends.
            columns.replies.push(outcome.reply.replace('\0', "\u{fffd}"));
            let unknown = outcome.unknown.clone();
            let (key, email) = unknown.map(|address| (address.key, address.email)).unzip();
            columns.unknown_keys.push(key);
            columns.unknown_emails.push(email);
        }
        columns
    }
}

/// Where a delivery went.
#[derive(Clone, Debug)]
pub struct Settled {
    /// Which.
    pub delivery: Uuid,
    /// Its state now.
    pub state: DeliveryState,
}

/// A group of outcomes to record.
#[derive(Clone, Copy, Debug)]
pub struct Group<'a> {
    /// The outcomes.
    pub outcomes: &'a [Outcome],
    /// The worker's name.
    pub worker: &'a str,
    /// Groups of claims that nothing is left of.
    pub let_go: &'a [Uuid],
    /// Whether the same was asked for before and the answer was lost: what was recorded then is part of
    /// this answer.
    pub is_repeated: bool,
}

/// Settles a group of attempts. One that is missing from the answer was not ours any more: its claim had
/// run out, and another attempt has begun or it has ended.
///
/// Mails that the relay has taken are recorded first, by a statement that can do nothing else; the rest by
/// one that can do everything.
pub async fn settle(db: &Db, group: Group<'_>) -> StoreResult<Vec<Settled>> {
    let is_sent = |outcome: &&Outcome| !group.is_repeated && matches!(outcome.ending, Ending::Sent { .. });
    let sent: Vec<&Outcome> = group.outcomes.iter().filter(is_sent).collect();
    let is_all = sent.len() == group.outcomes.len();
    let mut settled = if sent.is_empty() {
        Vec::new()
    } else {
        // Claims are let go of when everything in them is recorded.
        settle_sent(db, &sent, group.worker, if is_all { group.let_go } else { &[] }).await?
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

async fn settle_sent(db: &Db, sent: &[&Outcome], worker: &str, let_go: &[Uuid]) -> StoreResult<Vec<Settled>> {
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
            let_go,
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
            &columns.attempts_most,
            &columns.phases,
            &columns.codes as &[Option<i16>],
            &columns.enhanced_codes as &[Option<String>],
            &columns.replies,
            group.is_repeated,
            &columns.unknown_keys as &[Option<String>],
            &columns.unknown_emails as &[Option<String>],
            group.worker,
            group.let_go,
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
