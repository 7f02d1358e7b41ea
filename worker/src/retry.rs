//! When a delivery is retried. Pure: randomness and the present time come from the caller.
//!
//! RFC 5321 4.5.4.1 asks for at least 30 minutes between tries "in general" and allows a sender to be more
//! sophisticated if it knows the reason. The usual reason for a first 4xx is greylisting, which accepts a
//! retry after about five minutes; Postfix retries after 300 s and at most every 4,000 s. So the first pause
//! is five minutes and each pause doubles, up to four hours: that makes eight tries per day, acceptable for
//! both an invitation and a relay.
//!
//! A full mailbox is not emptied within five minutes, so its first pause is half an hour. An unsure attempt
//! waits like any other: an earlier retry would mostly meet the same problem, and the mail may have arrived.
//!
//! A jitter of 20 % spreads the retries of ten thousand mails that were refused in the same second. Giving up
//! depends on age and is decided in Postgres, where the delivery is.

use std::time::Duration;

use rand::{Rng, RngExt as _};

use crate::send::TroubleClass;

/// First pause after a full mailbox, which its owner has to empty.
const MAILBOX_FULL_FIRST: Duration = Duration::from_mins(30);

/// Maximum fraction by which a pause is longer or shorter.
const JITTER: f64 = 0.2;

/// The pauses between attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetrySettings {
    /// After the first attempt.
    pub first: Duration,
    /// The longest pause.
    pub longest: Duration,
}

impl Default for RetrySettings {
    fn default() -> Self {
        Self {
            first: Duration::from_mins(5),
            longest: Duration::from_hours(4),
        }
    }
}

/// Returns how long a delivery waits after its `attempt`-th attempt (the first is 1).
///
/// `class` is the attempt's trouble, or `None` if it was unsure.
pub fn next_try(
    attempt: u32,
    class: Option<TroubleClass>,
    settings: &RetrySettings,
    rng: &mut (impl Rng + ?Sized),
) -> Duration {
    let first = match class {
        Some(TroubleClass::MailboxFull) => settings.first.max(MAILBOX_FULL_FIRST),
        _ => settings.first,
    };
    let doublings = attempt.saturating_sub(1).min(31);
    let pause = first.saturating_mul(1 << doublings).min(settings.longest);
    pause.mul_f64(rng.random_range(1.0 - JITTER..=1.0 + JITTER))
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    use super::*;

    fn minutes(attempt: u32, class: Option<TroubleClass>) -> std::ops::Range<u64> {
        let settings = RetrySettings::default();
        let mut rng = StdRng::seed_from_u64(7);
        let pauses: Vec<_> = (0..500)
            .map(|_| next_try(attempt, class, &settings, &mut rng).as_secs())
            .collect();
        let (shortest, longest) = (pauses.iter().min().unwrap(), pauses.iter().max().unwrap());
        shortest / 60..longest.div_ceil(60)
    }

    #[test]
    fn pauses_double_from_five_minutes_to_four_hours_with_a_fifth_of_jitter() {
        let throttled = Some(TroubleClass::Throttled);
        assert_eq!(minutes(1, throttled), 4..6);
        assert_eq!(minutes(2, throttled), 8..12);
        assert_eq!(minutes(3, throttled), 16..24);
        assert_eq!(minutes(7, throttled), 192..288);
        assert_eq!(minutes(u32::MAX, throttled), 192..288);
    }

    #[test]
    fn an_unsure_attempt_waits_like_any_other() {
        assert_eq!(minutes(1, None), 4..6);
    }

    #[test]
    fn a_full_mailbox_is_retried_after_half_an_hour() {
        assert_eq!(minutes(1, Some(TroubleClass::MailboxFull)), 24..36);
        assert_eq!(minutes(2, Some(TroubleClass::MailboxFull)), 48..72);
        assert_eq!(minutes(9, Some(TroubleClass::MailboxFull)), 192..288);
    }

    #[test]
    fn an_attempt_numbered_zero_is_treated_as_the_first() {
        assert_eq!(minutes(0, None), 4..6);
    }
}
