//! How many jobs a lane receives ahead of those that it can claim.
//!
//! Enough for a fast relay while groups are claimed and recorded, and for the broker to deliver in few large writes.
//! The dispatcher keeps about one second's work in a queue, but the broker hands a worker whatever its prefetch has
//! room for. So the first worker would hold all jobs of a slow relay for minutes, while the others are idle. A
//! worker that sees its jobs wait for longer than [`MAX_WAIT`] therefore gives them back, and receives only as many as
//! it claims in that time. The same holds for a rate limit of the relay. Pure: the time is an argument.

use shared::batch::Lane;
use std::time::Duration;
use tokio::time::Instant;

/// How long a job may wait to be claimed, as long as other workers might claim it sooner.
const MAX_WAIT: Duration = Duration::from_secs(3);

/// Minimum prefetch: one mail at the relay, one that waits for a token, and their successors.
const MIN: f64 = 4.0;

/// The prefetch of a lane, which follows the measured rate of claims.
pub(crate) struct Prefetch {
    most: u16,
    /// Jobs per second that the lane claims, if that is known to be few.
    rate: Option<f64>,
    sample: Option<Sample>,
}

/// The time until the jobs that wait at a moment are claimed.
struct Sample {
    began: Instant,
    jobs: usize,
    claimed: usize,
}

impl Prefetch {
    /// Creates the prefetch of a lane before anything is measured.
    pub(crate) const fn new(lane: Lane) -> Self {
        let most = match lane {
            Lane::Interactive => 256,
            Lane::Bulk => 2_048,
        };
        Self {
            most,
            rate: None,
            sample: None,
        }
    }

    /// The number of jobs to receive ahead, if the relay accepts `limit` mails per second.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to the limits of a lane"
    )]
    pub(crate) fn jobs(&self, limit: Option<f64>) -> u16 {
        let rate = match (self.rate, limit) {
            (Some(rate), Some(limit)) => Some(rate.min(limit)),
            (rate, limit) => rate.or(limit),
        };
        rate.map_or(self.most, |rate| {
            (rate * MAX_WAIT.as_secs_f64()).ceil().clamp(MIN, f64::from(self.most)) as u16
        })
    }

    /// Records that `claimed` jobs have just been claimed and that `waiting` are left, of which the consumer may hold
    /// `opened`. Lowers the prefetch if they wait for too long, and raises it again if they do not.
    pub(crate) fn observe(&mut self, claimed: usize, waiting: usize, opened: u16, now: Instant) {
        if let Some(sample) = &mut self.sample {
            sample.claimed += claimed;
            let is_over = sample.claimed >= sample.jobs;
            let waits_long = now - sample.began > MAX_WAIT;
            // A buffer that was not full says nothing about a larger one.
            let shows_speed = is_over && self.rate.is_some() && sample.jobs >= usize::from(opened) / 2;
            if waits_long || shows_speed {
                self.rate = Some(sample.rate(now));
            }
            if waits_long || is_over {
                self.sample = None;
            }
        }
        if self.sample.is_none() && waiting > 0 {
            self.sample = Some(Sample {
                began: now,
                jobs: waiting,
                claimed: 0,
            });
        }
    }

    /// Records that no job waits any more, because all were given back.
    pub(crate) fn given_back(&mut self) {
        self.sample = None;
    }
}

impl Sample {
    /// Jobs claimed per second.
    #[expect(clippy::cast_precision_loss, reason = "at most a prefetch")]
    fn rate(&self, now: Instant) -> f64 {
        self.claimed as f64 / (now - self.began).as_secs_f64().max(0.001)
    }
}

/// Whether a consumer with this prefetch is worth replacing by one with another: the prefetch of a consumer is
/// fixed, and replacing it costs a few round trips.
///
/// A learnt rate moves by some per cent every two seconds and never falls by more than half at once. A factor of
/// two in either direction leaves the consumer alone while the rate swings around the relay's limit.
pub(crate) const fn is_far_from(opened: u16, wanted: u16) -> bool {
    opened > wanted.saturating_mul(2) || wanted > opened.saturating_mul(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefetch(lane: Lane, limit: Option<f64>) -> u16 {
        Prefetch::new(lane).jobs(limit)
    }

    #[test]
    fn a_limited_lane_receives_a_few_seconds_of_work() {
        for (rate, bulk, interactive) in [
            (None, 2_048, 256),
            (Some(0.05), 4, 4),
            (Some(1.0), 4, 4),
            (Some(14.0), 42, 42),
            (Some(100.0), 300, 256),
            (Some(4_999.0), 2_048, 256),
        ] {
            assert_eq!(prefetch(Lane::Bulk, rate), bulk, "{rate:?}");
            assert_eq!(prefetch(Lane::Interactive, rate), interactive, "{rate:?}");
        }
    }

    #[test]
    fn a_consumer_is_replaced_when_the_limit_comes_and_goes_and_not_while_the_rate_swings() {
        let bulk = |rate| prefetch(Lane::Bulk, rate);
        let limited = bulk(Some(14.0));

        assert!(is_far_from(bulk(None), limited) && is_far_from(limited, bulk(None)));
        for rate in [7.0, 9.1, 12.0, 14.0, 17.4, 25.0, 28.0] {
            assert!(!is_far_from(limited, bulk(Some(rate))), "{rate}");
        }
        assert!(is_far_from(limited, bulk(Some(6.5))) && is_far_from(limited, bulk(Some(29.0))));
    }

    /// A lane that claims `per_second` from a queue that is never empty, for `seconds`. Returns the prefetch at the end
    /// and how often the consumer was replaced.
    fn after(prefetch: &mut Prefetch, per_second: f64, seconds: u32) -> (u16, usize) {
        const STEPS: u32 = 20;
        let start = Instant::now();
        let (mut opened, mut replaced) = (prefetch.jobs(None), 0);
        let (mut waiting, mut room) = (0, 0.0_f64);
        for step in 1..=seconds * STEPS {
            let now = start + Duration::from_secs(1) * step / STEPS;
            // All that fit arrive together, and no more until half of them are claimed.
            if waiting < usize::from(opened).div_ceil(2) {
                waiting = usize::from(opened);
                prefetch.observe(0, waiting, opened, now);
            }
            room = (room + per_second / f64::from(STEPS)).min(per_second.max(1.0));
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a test")]
            let claimed = (room as usize).min(waiting);
            #[expect(clippy::cast_precision_loss, reason = "a test")]
            let claimed_share = claimed as f64;
            room -= claimed_share;
            waiting -= claimed;
            prefetch.observe(claimed, waiting, opened, now);
            if is_far_from(opened, prefetch.jobs(None)) {
                (opened, waiting, replaced) = (prefetch.jobs(None), 0, replaced + 1);
                prefetch.given_back();
            }
        }
        assert!(waiting <= usize::from(opened));
        (opened, replaced)
    }

    #[test]
    fn a_slow_lane_receives_what_it_claims_in_three_seconds() {
        for (per_second, expected) in [(0.1, 4..=4), (10.0, 20..=45), (44.0, 90..=180), (200.0, 400..=900)] {
            let (opened, replaced) = after(&mut Prefetch::new(Lane::Bulk), per_second, 60);
            assert!(expected.contains(&opened), "{per_second}/s: {opened}");
            assert!(replaced <= 3, "{per_second}/s: replaced {replaced} times");
        }
    }

    #[test]
    fn a_fast_lane_keeps_its_prefetch() {
        for per_second in [800.0, 3_000.0, 20_000.0] {
            assert_eq!(after(&mut Prefetch::new(Lane::Bulk), per_second, 60), (2_048, 0));
        }
    }

    #[test]
    fn a_lane_that_was_slow_receives_more_within_seconds_of_becoming_fast() {
        let mut prefetch = Prefetch::new(Lane::Bulk);
        assert_eq!(after(&mut prefetch, 0.1, 60).0, 4);

        let (opened, _) = after(&mut prefetch, 5_000.0, 5);

        assert!(opened >= 1_024, "{opened}");
    }

    #[test]
    fn jobs_that_arrived_together_are_measured_to_the_last() {
        let (mut prefetch, start) = (Prefetch::new(Lane::Bulk), Instant::now());
        let mut waiting = 0;
        for (step, received) in (1..).zip([20, 1_280, 0, 0, 0, 0, 0, 0]) {
            waiting += received;
            prefetch.observe(20, waiting, 2_048, start + Duration::from_secs(step));
            waiting -= 20;
        }
        assert!(prefetch.jobs(None) < 100, "{}", prefetch.jobs(None));
    }

    #[test]
    fn an_idle_lane_keeps_its_prefetch() {
        let (mut prefetch, start) = (Prefetch::new(Lane::Interactive), Instant::now());
        for second in 0..60 {
            let now = start + Duration::from_secs(second);
            prefetch.observe(0, 1, 256, now);
            prefetch.observe(1, 0, 256, now + Duration::from_millis(30));
        }
        assert_eq!(prefetch.jobs(None), 256);
    }
}
