//! What an answer of the relay means for a delivery, and the one log line about it. Pure, but for
//! the log.

use crate::retry::{RetrySettings, next_try};
use crate::send::{Answer, Phase, TroubleClass, Verdict};
use crate::settle::Recorded;
use rand::SeedableRng as _;
use shared::delivery::ATTEMPTS_MOST;
use shared::password::os_randomness;
use shared::store::claims::Claim;
use shared::store::settle::{Ending, Outcome};
use std::time::Duration;
use tracing::{info, warn};
use uuid::Uuid;

/// A mail that had not begun waits a moment, so that a relay in trouble is not asked in a circle.
const GIVEN_BACK_AFTER: Duration = Duration::from_secs(1);

/// One whose recipient was named already waits longer: perhaps it is this mail that the relay
/// hangs up on, and each time costs a connection.
const GIVEN_BACK_LATE_AFTER: Duration = Duration::from_mins(1);

/// How retries are timed.
#[derive(Clone, Copy, Debug)]
pub struct Retries {
    /// The delays.
    pub settings: RetrySettings,
    /// How long after its first claim an invite is given up,
    pub invites_give_up_after: Duration,
    /// and a password mail.
    pub passwords_give_up_after: Duration,
}

impl Retries {
    fn retry(&self, claim: &Claim, class: Option<TroubleClass>) -> Ending {
        // Jitter needs no secrecy; a seed of the system's is at hand.
        let seeded = rand::rngs::SmallRng::try_from_rng(&mut os_randomness());
        let mut rng =
            seeded.unwrap_or_else(|_| rand::rngs::SmallRng::seed_from_u64(u64::from(claim.delivery.as_fields().0)));
        let attempt = u32::try_from(claim.attempt).unwrap_or(1);
        Ending::Retry {
            reason: class.map_or("unsure", TroubleClass::as_str),
            after: next_try(attempt, class, &self.settings, &mut rng),
            is_unsure: class.is_none(),
            attempts_most: ATTEMPTS_MOST,
        }
    }
}

/// What follows an answer.
pub fn of_answer(
    claim: &Claim,
    token: Uuid,
    answer: &Answer,
    password_lifetime: Option<Duration>,
    retries: &Retries,
) -> Outcome {
    let ending = match answer.verdict {
        Verdict::Accepted => Ending::Sent { password_lifetime },
        Verdict::Refused { class } => Ending::Failed { reason: class.as_str() },
        Verdict::TryLater { class } => retries.retry(claim, Some(class)),
        Verdict::Unsure => retries.retry(claim, None),
        Verdict::RelayTrouble { .. } if matches!(answer.phase, Phase::Rcpt | Phase::Data) => Ending::GivenBack {
            after: GIVEN_BACK_LATE_AFTER,
        },
        Verdict::RelayTrouble { .. } | Verdict::NotBegun => Ending::GivenBack {
            after: GIVEN_BACK_AFTER,
        },
    };
    Outcome {
        delivery: claim.delivery,
        attempt: claim.attempt,
        token,
        ending,
        phase: answer.phase.as_str(),
        code: answer.code,
        enhanced_code: answer.enhanced_code.clone(),
        reply: answer.reply.clone(),
    }
}

/// This delivery can never become a mail.
pub fn unbuildable(claim: &Claim, token: Uuid, why: String) -> Outcome {
    before_the_relay(claim, token, Ending::Failed { reason: "unbuildable" }, why)
}

/// The attempt had not begun.
pub fn given_back(claim: &Claim, token: Uuid, why: String) -> Outcome {
    before_the_relay(
        claim,
        token,
        Ending::GivenBack {
            after: GIVEN_BACK_AFTER,
        },
        why,
    )
}

fn before_the_relay(claim: &Claim, token: Uuid, ending: Ending, why: String) -> Outcome {
    Outcome {
        delivery: claim.delivery,
        attempt: claim.attempt,
        token,
        ending,
        phase: "compose",
        code: None,
        enhanced_code: None,
        reply: why,
    }
}

/// Says in one line what became of an attempt. The relay's words may name the person, so they
/// are in Postgres and not in the log.
pub fn tell(claim: &Claim, outcome: &Outcome, recorded: Recorded) {
    let mail = claim.kind.as_str();
    let state = match recorded {
        Recorded::Moved(state) => Some(state.as_str()),
        Recorded::NotOurs | Recorded::Unknown => None,
    };
    let (phase, code) = (outcome.phase, outcome.code);
    match (&outcome.ending, state) {
        (_, None) if recorded == Recorded::Unknown => warn!(
            mail,
            phase, code, "An outcome is not recorded; when its lease ends the attempt counts as unsure"
        ),
        (_, None) => warn!(
            mail,
            phase, code, "Dropped an outcome: the claim was lost, and whoever holds it now decides"
        ),
        (Ending::Sent { .. }, Some(_)) => info!(mail, batch.id = %claim.batch, "Sent a mail"),
        (Ending::Failed { reason }, Some(_)) => {
            warn!(mail, batch.id = %claim.batch, phase, code, reason, "The mail failed for good");
        }
        (Ending::Retry { reason, after, .. }, Some(state)) => {
            warn!(mail, batch.id = %claim.batch, phase, code, reason, state, retry_seconds = after.as_secs(), "The mail was not sent this time");
        }
        (Ending::GivenBack { .. }, Some(state)) => {
            info!(mail, batch.id = %claim.batch, phase, code, state, "Gave a mail back: its attempt had not begun and is not spent");
        }
    }
}
