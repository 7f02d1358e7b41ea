//! The rate that the relay accepts, learnt from its throttling.
//!
//! There is no limit until the relay answers with [`Verdict::SlowDown`](super::Verdict::SlowDown). Then
//! sending pauses, and one mail probes the relay after increasing pauses. The rate is the number of mails
//! accepted until then, divided by the time it took: the limit of a relay that takes 60 in 20 s is found in
//! one round. From then on a token bucket limits the mails, and its rate grows by a few per cent every two
//! seconds until the relay throttles again. A relay that accepts no mail for minutes has no rate: its quota is
//! used up, and the circuit breaker ([`super::flow_control`]) decides when to probe it. Pure: the time is an argument.

use std::time::{Duration, Instant};

use prometheus::{Gauge, IntCounter};

/// Pause after the first throttled mail.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The same once the rate is known, because the limit was barely exceeded.
const SHORT_PAUSE: Duration = Duration::from_millis(250);

const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How long the relay must have throttled every probe to be taken for one whose quota is used up. Longer than
/// limits per minute last.
const LASTS: Duration = Duration::from_mins(2);

/// Time without an accepted mail after which counting starts again.
const QUIET: Duration = Duration::from_secs(5);

/// How often the rate grows.
const GROWTH_INTERVAL: Duration = Duration::from_secs(2);

/// Growth of the rate: a fraction of itself plus a number of mails per second. The fraction doubles each
/// time, up to eightfold, until the relay throttles again.
const GROWTH: (f64, f64) = (0.03, 0.05);
const GROWS_FASTER: i32 = 3;

/// Factor applied to a known rate when the relay throttles.
const KEPT: f64 = 0.93;

/// Minimum rate, however strict the relay. Below it a worker would make no progress.
const LEAST: f64 = 0.05;

/// Rate above which the limit is removed.
const UNLIMITED: f64 = 5_000.0;

/// Seconds of work that may be claimed ahead while the rate is limited.
const AHEAD: f64 = 0.5;

/// The state of the rate limiter.
pub(super) struct Pace {
    /// Mails per second; `None` until the relay throttles.
    rate: Option<f64>,
    tokens: f64,
    filled_at: Option<Instant>,
    pause: Option<Pause>,
    /// Since when accepted mails are counted, and their number.
    counted: Option<(Instant, f64)>,
    accepted_at: Option<Instant>,
    grown_at: Option<Instant>,
    /// How often the rate has grown since the relay last throttled.
    growths: i32,
    /// Whether a mail had to wait for a token since the rate last grew.
    is_short: bool,
    rate_gauge: Gauge,
    throttled: IntCounter,
}

/// A pause in which only one mail is sent, as a probe.
struct Pause {
    /// When the first of these pauses began, with no accepted mail since.
    first_began: Instant,
    began: Instant,
    ends: Instant,
    length: Duration,
    /// When the probe was sent.
    probed_at: Option<Instant>,
}

impl Pace {
    pub(super) fn new(rate_gauge: Gauge, throttled: IntCounter) -> Self {
        Self {
            rate: None,
            tokens: 0.0,
            filled_at: None,
            pause: None,
            counted: None,
            accepted_at: None,
            grown_at: None,
            growths: 0,
            is_short: false,
            rate_gauge,
            throttled,
        }
    }

    /// The learnt rate in mails per second, if the relay has throttled.
    pub(super) const fn rate(&self) -> Option<f64> {
        self.rate
    }

    /// Whether mails are subject to a rate limit.
    pub(super) const fn is_limited(&self) -> bool {
        self.rate.is_some() || self.pause.is_some()
    }

    /// Maximum number of mails that may be sent now.
    fn available(&mut self, now: Instant) -> usize {
        if let Some(pause) = &self.pause {
            return usize::from(pause.probed_at.is_none() && pause.ends <= now);
        }
        let Some(rate) = self.rate else { return usize::MAX };
        let elapsed = self.filled_at.map_or(0.0, |at| now.duration_since(at).as_secs_f64());
        self.filled_at = Some(now);
        self.tokens = (self.tokens + elapsed * rate).min((rate * 0.1).max(1.0));
        whole(self.tokens)
    }

    /// Number of `waiting` mails that may be sent now.
    pub(super) fn available_for(&mut self, waiting: usize, now: Instant) -> usize {
        let available = self.available(now);
        self.is_short |= available < waiting;
        available.min(waiting)
    }

    /// Takes a token for one mail. Returns whether there was one.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        if self.available_for(1, now) == 0 {
            return false;
        }
        if let Some(pause) = &mut self.pause {
            pause.probed_at = Some(now);
        } else if self.rate.is_some() {
            self.tokens -= 1.0;
        }
        true
    }

    /// Maximum number of mails in flight, or `None` if only the connections limit them.
    pub(super) fn max_in_flight(&self, now: Instant) -> Option<usize> {
        match (&self.pause, self.rate) {
            (Some(pause), _) => Some(usize::from(pause.ends <= now)),
            (None, Some(rate)) => Some(whole((rate * AHEAD).ceil().max(1.0))),
            (None, None) => None,
        }
    }

    /// Records an accepted mail whose transaction began at `began`.
    pub(super) fn accepted(&mut self, began: Instant, now: Instant) {
        if self.pause.is_none() && self.accepted_at.is_some_and(|at| now.duration_since(at) > QUIET) {
            self.counted = None;
        }
        self.accepted_at = Some(now);
        let (since, count) = self.counted.get_or_insert((now, 0.0));
        if self.pause.as_ref().is_some_and(|pause| began > pause.began) {
            let seconds = now.duration_since(*since).as_secs_f64().max(0.1);
            let measured = *count / seconds;
            let next = match self.rate {
                Some(rate) => measured.clamp(rate * 0.5, rate * KEPT),
                None => measured * KEPT,
            };
            self.set_rate(Some(next.max(LEAST)));
            (self.pause, self.tokens, self.filled_at) = (None, 0.0, Some(now));
            (self.counted, self.grown_at, self.is_short) = (Some((now, 1.0)), Some(now), false);
            return;
        }
        *count += 1.0;
        self.grow(now);
    }

    /// Records a throttled mail whose transaction began at `began`. Returns whether the relay has throttled
    /// every mail for [`LASTS`]. From then on the pace adds no pause of its own.
    pub(super) fn throttled(&mut self, began: Instant, now: Instant) -> bool {
        self.throttled.inc();
        self.growths = 0;
        // Without mail there is no probe, and an older throttled mail says nothing about the time since.
        let is_recent = |pause: &&Pause| now.saturating_duration_since(pause.ends) <= 2 * LONGEST_PAUSE;
        let recent = self.pause.as_ref().filter(is_recent);
        let first_began = recent.map_or(now, |pause| pause.first_began);
        let lasts = now.duration_since(first_began) >= LASTS;
        let length = match recent {
            // It was being sent when the pause began.
            Some(pause) if began <= pause.began => return lasts,
            Some(_) if lasts => Duration::ZERO,
            Some(pause) => (pause.length * 2).min(LONGEST_PAUSE),
            None if self.rate.is_some() => SHORT_PAUSE,
            None => FIRST_PAUSE,
        };
        self.counted.get_or_insert((now, 0.0));
        self.pause = Some(Pause {
            first_began,
            began: now,
            ends: now + length,
            length,
            probed_at: None,
        });
        lasts
    }

    /// Records any other end of a mail begun at `began`. If it was the probe, another one may be sent.
    pub(super) fn ended(&mut self, began: Instant) {
        if let Some(pause) = &mut self.pause
            && pause.probed_at.is_some_and(|probed_at| began >= probed_at)
        {
            pause.probed_at = None;
        }
    }

    /// How long a throttled mail waits before it is due again.
    pub(super) fn retry_after(&self, now: Instant) -> Duration {
        let pause = self.pause.as_ref();
        pause.map_or(FIRST_PAUSE, |pause| {
            pause.ends.saturating_duration_since(now) + FIRST_PAUSE
        })
    }

    fn grow(&mut self, now: Instant) {
        let Some(rate) = self.rate else { return };
        let is_time = self.grown_at.is_none_or(|at| now.duration_since(at) >= GROWTH_INTERVAL);
        if self.pause.is_some() || !is_time || !self.is_short {
            return;
        }
        let share = GROWTH.0 * 2.0_f64.powi(self.growths.min(GROWS_FASTER));
        let next = rate * (1.0 + share) + GROWTH.1;
        self.growths += 1;
        self.set_rate(Some(next).filter(|next| *next < UNLIMITED));
        (self.grown_at, self.is_short) = (Some(now), false);
    }

    fn set_rate(&mut self, rate: Option<f64>) {
        self.rate = rate;
        self.rate_gauge.set(rate.unwrap_or(0.0));
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "never negative, and at most some thousands"
)]
const fn whole(tokens: f64) -> usize {
    tokens as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace() -> Pace {
        Pace::new(
            Gauge::new("gauge", "A test's.").unwrap(),
            IntCounter::new("counter", "A test's.").unwrap(),
        )
    }

    /// Sends `mails` mails, 50 concurrently, to a relay that takes `most` per `window`. As in the outbox, a
    /// mail is only taken when there is a token for it. Returns the seconds taken and the number of throttled
    /// mails.
    fn simulate(mails: usize, most: usize, window: Duration) -> (f64, usize) {
        let (mut pace, start) = (pace(), Instant::now());
        let (mut taken, mut throttled): (Vec<Instant>, usize) = (Vec::new(), 0);
        let step = Duration::from_millis(5);
        let mut now = start;
        while taken.len() < mails {
            let began = now;
            let in_flight = pace.max_in_flight(now).unwrap_or(50).min(50);
            let free = pace.available_for(in_flight, now);
            let sent = (0..free).take_while(|_| pace.take(now)).count();
            now += step;
            for _ in 0..sent {
                let recent = taken.iter().rev().take_while(|at| now.duration_since(**at) < window);
                if recent.count() < most {
                    taken.push(now);
                    pace.accepted(began + Duration::from_nanos(1), now);
                } else {
                    throttled += 1;
                    pace.throttled(began + Duration::from_nanos(1), now);
                }
            }
            assert!(now.duration_since(start) < Duration::from_hours(2), "it stands still");
        }
        (now.duration_since(start).as_secs_f64(), throttled)
    }

    #[test]
    fn a_relay_that_never_throttles_is_not_limited() {
        let mut pace = pace();
        let now = Instant::now();
        for _ in 0..1_000 {
            assert!(pace.take(now));
            pace.accepted(now, now);
        }
        assert!(!pace.is_limited() && pace.max_in_flight(now).is_none());
    }

    #[test]
    fn a_relay_with_a_limit_of_twenty_per_second_is_used_well() {
        let (seconds, throttled) = simulate(1_200, 20, Duration::from_secs(1));
        assert!(seconds < 72.0 && throttled < 240, "{seconds} s, {throttled} throttled");
    }

    #[test]
    fn a_limit_over_a_long_window_is_detected() {
        for (most, window) in [(60, 20_u32), (14, 1), (100, 60), (1, 1)] {
            let mails = most * 10;
            let (seconds, throttled) = simulate(mails, most, Duration::from_secs(1) * window);
            #[expect(clippy::cast_precision_loss, reason = "a test")]
            let [best, throttled_f, mails_f] = [9 * window as usize, throttled, mails].map(|n| n as f64);
            assert!(
                seconds < best * 1.6 + 10.0 && throttled_f < 0.3 * mails_f + 50.0,
                "{most} in {window} s: {seconds} s instead of {best} s, {throttled} of {mails} throttled"
            );
        }
    }

    #[test]
    fn a_rate_learnt_in_a_bad_moment_grows_with_one_mail_in_flight() {
        let (mut pace, start) = (pace(), Instant::now());
        pace.accepted(start, start);
        let mut now = start + Duration::from_secs(100);
        pace.throttled(start, start);
        pace.accepted(now, now);
        let learnt = pace.rate().unwrap();
        let until = now + Duration::from_mins(2);
        while now < until {
            now += Duration::from_millis(20);
            assert_eq!(pace.max_in_flight(now).map(|mails| mails.min(1)), Some(1));
            if pace.available_for(1, now) == 1 {
                assert!(pace.take(now));
                pace.accepted(now, now);
            }
        }
        assert!(learnt < 0.1 && pace.rate().unwrap() > 5.0, "{:?}", pace.rate());
    }

    #[test]
    fn mails_in_progress_during_a_throttle_count_once() {
        let (mut pace, start) = (pace(), Instant::now());
        pace.accepted(start, start);
        let later = start + Duration::from_millis(10);
        for _ in 0..40 {
            pace.throttled(start, later);
        }
        assert!(!pace.take(start + Duration::from_millis(900)));
        assert!(pace.take(start + Duration::from_millis(1_100)));
        assert!(!pace.take(start + Duration::from_millis(1_200)), "one mail asks");
    }

    #[test]
    fn time_without_mail_is_not_time_throttled() {
        let (mut pace, start) = (pace(), Instant::now());
        pace.throttled(start, start);
        let later = start + Duration::from_hours(1);
        assert!(pace.take(later));
        assert!(!pace.throttled(later, later));
    }

    #[test]
    fn a_limit_per_minute_does_not_last_and_a_used_up_quota_does() {
        for (accepted_after, expected) in [(60, false), (24 * 3_600, true)] {
            let (mut pace, start) = (pace(), Instant::now());
            let (mut now, mut probes, mut lasts) = (start, 0, false);
            lasts |= pace.throttled(now, now);
            while now.duration_since(start) < Duration::from_secs(accepted_after) && !lasts {
                now += Duration::from_millis(20);
                if pace.take(now) {
                    probes += 1;
                    lasts = pace.throttled(now, now);
                }
            }
            assert_eq!(lasts, expected, "{accepted_after} s");
            assert!(probes <= 10, "{probes} probes");
        }
    }

    #[test]
    fn a_probing_mail_that_ends_otherwise_lets_another_probe() {
        let (mut pace, start) = (pace(), Instant::now());
        pace.throttled(start, start);
        let probed_at = start + Duration::from_secs(2);
        assert!(pace.take(probed_at) && !pace.take(probed_at));
        pace.ended(probed_at);
        assert!(pace.take(probed_at));
    }
}
