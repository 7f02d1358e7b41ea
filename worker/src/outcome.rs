//! Maps the relay's answer to the outcome of a delivery, and logs it in one line. Pure, except for the log.

use crate::retry::{RetrySettings, next_try};
use crate::send::{Answer, Phase, TroubleClass, Verdict};
use rand::SeedableRng as _;
use shared::batch::Lane;
use shared::delivery::{DeliveryState, MAX_ATTEMPTS};
use shared::password::os_randomness;
use shared::store::claims::{Claim, Suppressed};
use shared::store::settle::{Ending, Outcome, UnknownAddress};
use std::time::Duration;
use tracing::{info, warn};
use uuid::Uuid;

/// Delay for a mail whose transaction had not begun, so that a failing relay is not retried in a tight loop.
const GIVEN_BACK_AFTER: Duration = Duration::from_secs(1);

/// Delay if the recipient had already been named: this mail may be why the relay hangs up, and each time
/// costs a connection.
const GIVEN_BACK_LATE_AFTER: Duration = Duration::from_mins(1);

/// When attempts are retried and abandoned.
#[derive(Clone, Copy, Debug)]
pub struct Retries {
    /// The backoff.
    pub settings: RetrySettings,
    /// How long after its first claim an invite is abandoned.
    pub invites_give_up_after: Duration,
    /// How long after its first claim a password mail is abandoned.
    pub passwords_give_up_after: Duration,
}

impl Retries {
    fn retry(&self, claim: &Claim, class: Option<TroubleClass>) -> Ending {
        // Jitter needs no cryptographic randomness, so a small generator with a system seed will do.
        let seeded = rand::rngs::SmallRng::try_from_rng(&mut os_randomness());
        let mut rng =
            seeded.unwrap_or_else(|_| rand::rngs::SmallRng::seed_from_u64(u64::from(claim.delivery.as_fields().0)));
        let attempt = u32::try_from(claim.attempt).unwrap_or(1);
        Ending::Retry {
            reason: class.map_or("unsure", TroubleClass::as_str),
            after: next_try(attempt, class, &self.settings, &mut rng),
            is_unsure: class.is_none(),
            max_attempts: MAX_ATTEMPTS,
        }
    }
}

/// The result of recording an outcome.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Recorded {
    /// The delivery moved to this state.
    Moved(DeliveryState),
    /// The claim was lost. The worker that holds it now decides.
    NotOurs,
    /// Postgres rejected the outcome, or has not answered and the process is ending. The job must not be
    /// acknowledged, because its outcome is not recorded.
    Unknown,
}

/// Returns the outcome that follows from an answer. With `password_lifetime`, an accepted mail's password is valid for
/// so long from then on.
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
        Verdict::SlowDown { .. } | Verdict::RelayTrouble { .. } | Verdict::NotBegun => Ending::GivenBack {
            after: answer.retry_after.unwrap_or_else(|| given_back_after(answer)),
        },
    };
    Outcome {
        delivery: claim.delivery,
        attempt: claim.attempt,
        token,
        began_at: claim.claimed_at,
        ending,
        phase: answer.phase.as_str(),
        code: answer.code,
        enhanced_code: answer.enhanced_code.clone(),
        reply: answer.reply.clone(),
        unknown: unknown(claim, answer),
    }
}

fn given_back_after(answer: &Answer) -> Duration {
    let is_late = matches!(answer.verdict, Verdict::RelayTrouble { .. }) && answer.phase >= Phase::Rcpt;
    if is_late {
        GIVEN_BACK_LATE_AFTER
    } else {
        GIVEN_BACK_AFTER
    }
}

/// Returns the address if the relay is certain that it does not exist. Test mails do not count: an
/// administrator typed their address and sees the answer at once.
fn unknown(claim: &Claim, answer: &Answer) -> Option<UnknownAddress> {
    let is_unknown = matches!(
        answer.verdict,
        Verdict::Refused {
            class: TroubleClass::AddressUnknown
        }
    );
    let person = claim.recipient.as_ref().filter(|_| is_unknown)?;
    Some(UnknownAddress {
        key: person.email_key.clone(),
        email: person.email.clone(),
    })
}

/// The outcome of a delivery that can never be composed.
pub fn unbuildable(claim: &Claim, token: Uuid, why: String) -> Outcome {
    without_attempt(claim, token, Ending::Failed { reason: "unbuildable" }, why)
}

/// The outcome of an attempt that had not begun.
pub fn given_back(claim: &Claim, token: Uuid, why: String) -> Outcome {
    without_attempt(
        claim,
        token,
        Ending::GivenBack {
            after: GIVEN_BACK_AFTER,
        },
        why,
    )
}

fn without_attempt(claim: &Claim, token: Uuid, ending: Ending, why: String) -> Outcome {
    Outcome {
        delivery: claim.delivery,
        attempt: claim.attempt,
        token,
        began_at: claim.claimed_at,
        ending,
        phase: "compose",
        code: None,
        enhanced_code: None,
        reply: why,
        unknown: None,
    }
}

/// Logs a delivery that ended before the relay was contacted.
pub fn log_suppressed(suppressed: &Suppressed) {
    info!(
        delivery.id = %suppressed.delivery,
        batch.id = %suppressed.batch,
        mail = suppressed.kind.as_str(),
        state = DeliveryState::Suppressed.as_str(),
        "Did not send an email: its address is blocked"
    );
}

/// Logs the outcome of an attempt in one line. The relay's words may name the recipient, so they are in
/// Postgres and not in the log. The ids of delivery, attempt and trace are fields of the span.
pub fn log(claim: &Claim, lane: Lane, outcome: &Outcome, recorded: Recorded, relay_duration: Option<Duration>) {
    let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let state = match recorded {
        Recorded::Moved(state) => Some(state.as_str()),
        Recorded::NotOurs | Recorded::Unknown => None,
    };
    let retry_seconds = match &outcome.ending {
        Ending::Retry { after, .. } | Ending::GivenBack { after } => Some(after.as_secs()),
        Ending::Sent { .. } | Ending::Failed { .. } => None,
    };
    macro_rules! line {
        ($level:ident, $message:literal) => {
            $level!(
                batch.id = %claim.batch,
                mail = claim.kind.as_str(),
                lane = lane.as_str(),
                verdict = outcome.ending.verdict(),
                class = outcome.ending.reason(),
                phase = outcome.phase,
                code = outcome.code,
                enhanced_code = outcome.enhanced_code,
                state,
                retry_seconds,
                wait_ms = milliseconds(Duration::try_from_secs_f64(claim.waited_seconds).unwrap_or_default()),
                smtp_ms = relay_duration.map(milliseconds),
                $message
            )
        };
    }
    match (&outcome.ending, recorded) {
        (_, Recorded::Unknown) => {
            line!(
                warn,
                "An outcome is not recorded; when its lease expires, the attempt counts as unsure"
            );
        }
        (Ending::GivenBack { .. }, Recorded::NotOurs) => {
            line!(
                info,
                "Gave an email back that is no longer claimed by this worker; nothing is lost"
            );
        }
        (_, Recorded::NotOurs) => {
            line!(
                warn,
                "Dropped an outcome: the claim had expired, and the attempt counts as unsure, another attempt has \
                 begun, or the delivery has ended"
            );
        }
        (Ending::Sent { .. }, _) => line!(info, "Sent an email"),
        (Ending::Failed { .. }, _) => line!(warn, "An email failed permanently"),
        (Ending::Retry { .. }, _) => line!(warn, "An email was not sent in this attempt"),
        (Ending::GivenBack { .. }, _) => {
            line!(info, "Gave an email back: its attempt had not begun and does not count");
        }
    }
}
