//! Flow control towards the relay: how many connections, and whether to send at all.
//!
//! One controller, fed by every connect and every answer. It is pure: the time is an argument.
//!
//! - **Connections**: as many as set. When the relay refuses one, the limit falls to those that are
//!   open, and grows again by one, two, four … after a quiet time.
//! - **Circuit breaker**: trouble of the relay's own (see [`Flow::trouble`]) opens the circuit. No
//!   mail is claimed, and after growing pauses one connection is tried. Once the relay lets it in, a
//!   few mails go first, because a relay can accept connections and still refuse our sender. The
//!   first answer about a mail closes the circuit. A new process begins in this state too.
//! - **Rate** ([`super::pace`]): limited once the relay throttles.
//! - **Doubt**: a connect that fails while others are open may be a limit or an outage. If those
//!   others bring no answer for a while, it is an outage.

use std::time::{Duration, Instant};

use prometheus::IntGauge;
use shared::reconnect::Delays;

use super::pace::Pace;
use super::settings::Settings;
use super::told::warn_of;
use super::verdict::Answer;

/// Troubles in a row, with no good answer between, that make them the relay's own.
const PATIENCE: u32 = 3;

/// After this time without another refusal, one more connection is allowed; after as long again two
/// more, then four. A relay that was short for a moment has all of twenty after half a minute.
const WIDEN_AFTER: Duration = Duration::from_secs(5);

/// A relay that refuses what was tried is tried half as often, down to this.
const WIDEN_AFTER_AT_MOST: Duration = Duration::from_secs(80);

/// How long the first mail has the relay for itself before another one is tried beside it, so that
/// a mail that hangs holds up the others for seconds only.
const TRIAL_TAKES: Duration = Duration::from_secs(1);

/// The state of the circuit breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Circuit {
    /// Mails are sent.
    Closed,
    /// The relay let a connection in; a few mails go first.
    HalfOpen,
    /// A connection is being tried.
    Probing,
    /// Nothing is sent; the next connection is tried then.
    Open { retry_at: Instant },
}

/// The controller's state.
pub(super) struct Flow {
    most: usize,
    limit: usize,
    widening: Widening,
    circuit: Circuit,
    /// Since when and why the relay is in trouble.
    down: Option<(Instant, Answer)>,
    /// Whether the relay has answered about a mail since the start or since the circuit opened.
    has_answered: bool,
    /// When the first mail was admitted since then.
    trial_began: Option<Instant>,
    troubles: u32,
    failed_connects: u32,
    good_answers: u64,
    doubt: Option<Doubt>,
    delays: Delays,
    pub(super) pace: Pace,
    limit_gauge: IntGauge,
    up_gauge: IntGauge,
}

/// The connections beside one that could not be opened.
pub(super) struct Others {
    pub(super) open: usize,
    pub(super) opening: usize,
    /// How long they have for a good answer.
    pub(super) have: Duration,
}

struct Doubt {
    ends: Instant,
    /// One more takes the doubt away.
    good_answers: u64,
    answer: Answer,
}

/// How the limit grows again.
struct Widening {
    changed_at: Option<Instant>,
    step: usize,
    pause: Duration,
    /// Whether the limit grew since the relay last refused a connection.
    has_grown: bool,
}

impl Default for Widening {
    fn default() -> Self {
        Self {
            changed_at: None,
            step: 1,
            pause: WIDEN_AFTER,
            has_grown: false,
        }
    }
}

impl Flow {
    pub(super) fn new(settings: &Settings, pace: Pace, limit_gauge: IntGauge, up_gauge: IntGauge) -> Self {
        let most = settings.connections.max(1);
        limit_gauge.set(i64::try_from(most).unwrap_or(i64::MAX));
        Self {
            most,
            limit: most,
            widening: Widening::default(),
            circuit: Circuit::Closed,
            down: None,
            has_answered: false,
            trial_began: None,
            troubles: 0,
            failed_connects: 0,
            good_answers: 0,
            doubt: None,
            delays: Delays::between(settings.first_probe, settings.longest_probe),
            pace,
            limit_gauge,
            up_gauge,
        }
    }

    /// Connections that may be open.
    pub(super) const fn limit(&self) -> usize {
        self.limit
    }

    pub(super) const fn circuit(&self) -> Circuit {
        self.circuit
    }

    /// Since when and why the relay is in trouble.
    pub(super) const fn down(&self) -> Option<&(Instant, Answer)> {
        self.down.as_ref()
    }

    /// Whether connections may be opened for mails that wait.
    pub(super) const fn may_connect(&self) -> bool {
        matches!(self.circuit, Circuit::Closed | Circuit::HalfOpen)
    }

    /// Whether the relay has answered about a mail since the start or since the circuit opened.
    pub(super) const fn has_answered(&self) -> bool {
        self.has_answered
    }

    /// How many mails may be in hand at once, of which `in_hand` are, until the relay has answered
    /// about one; none when it has, and the connections alone decide.
    pub(super) fn trial(&mut self, in_hand: usize, now: Instant) -> Option<usize> {
        if self.has_answered {
            return None;
        }
        if in_hand == 0 {
            self.trial_began = None;
        }
        let began = *self.trial_began.get_or_insert(now);
        let more = now.duration_since(began).as_secs() / TRIAL_TAKES.as_secs();
        let mails = usize::try_from(more).unwrap_or(usize::MAX).saturating_add(1);
        Some(mails.min(self.limit))
    }

    /// Whether a first connection after a pause is due; it counts as being tried from now on.
    pub(super) fn begin_probe(&mut self, now: Instant) -> bool {
        let is_due = matches!(self.circuit, Circuit::Open { retry_at } if retry_at <= now);
        if is_due {
            self.circuit = Circuit::Probing;
        }
        is_due
    }

    /// A connection is ready for mails.
    pub(super) fn connected(&mut self) {
        if self.circuit == Circuit::Probing {
            self.circuit = Circuit::HalfOpen;
            self.trial_began = None;
        }
    }

    /// A connect failed beside `others`. Whether this opened the circuit.
    pub(super) fn connect_failed(&mut self, answer: &Answer, others: &Others, now: Instant) -> bool {
        if matches!(self.circuit, Circuit::Open { .. }) {
            return false;
        }
        self.failed_connects += 1;
        if others.open == 0 || self.circuit == Circuit::Probing {
            self.open(answer, now);
            return true;
        }
        self.widening.refused(now);
        self.set_limit(others.open + others.opening);
        self.doubt.get_or_insert_with(|| Doubt {
            ends: now + others.have,
            good_answers: self.good_answers,
            answer: answer.clone(),
        });
        false
    }

    /// Looks at a doubt whose time is over; `none_free` says that no further connection can be
    /// tried. Whether this opened the circuit.
    pub(super) fn end_doubt(&mut self, none_free: bool, now: Instant) -> bool {
        let Some(doubt) = self.doubt.take_if(|doubt| doubt.ends <= now) else {
            return false;
        };
        let is_silent = doubt.good_answers == self.good_answers && self.may_connect();
        let is_outage = is_silent && (none_free || self.failed_connects >= PATIENCE);
        if is_outage {
            self.open(&doubt.answer, now);
        }
        is_outage
    }

    /// The relay was in trouble with a mail: it is the relay's own when nothing has gone well yet,
    /// or when it comes [`PATIENCE`] times in a row. Whether this opened the circuit.
    pub(super) fn trouble(&mut self, answer: &Answer, now: Instant) -> bool {
        // Mails that were under way when the circuit opened.
        if matches!(self.circuit, Circuit::Open { .. } | Circuit::Probing) {
            return false;
        }
        self.troubles += 1;
        let is_the_relays = !self.has_answered || self.troubles >= PATIENCE;
        if is_the_relays {
            self.open(answer, now);
        }
        is_the_relays
    }

    /// Before the relay has answered about any mail, mail to one domain met trouble. It may be the domain's, so
    /// the circuit stays closed, and one mail after the other is tried, until [`PATIENCE`] domains have it.
    /// Whether this opened the circuit.
    pub(super) fn suspect(&mut self, answer: &Answer, now: Instant) -> bool {
        if self.troubles + 1 >= PATIENCE || !self.may_connect() {
            return self.trouble(answer, now);
        }
        self.troubles += 1;
        if self.down.is_none() {
            warn_of(answer, Duration::ZERO);
            self.down = Some((now, answer.clone()));
            self.up_gauge.set(0);
        }
        self.circuit = Circuit::HalfOpen;
        self.trial_began = None;
        false
    }

    /// The relay gave an answer about a mail, whatever it was. A mail that was under way when the
    /// circuit opened counts too: it is the best probe. Whether the relay had been in trouble.
    pub(super) fn answered(&mut self, now: Instant) -> bool {
        self.troubles = 0;
        self.failed_connects = 0;
        self.good_answers += 1;
        self.has_answered = true;
        self.circuit = Circuit::Closed;
        let Some((since, _)) = self.down.take() else {
            self.widen(now);
            return false;
        };
        self.delays.reset();
        self.up_gauge.set(1);
        let seconds = now.duration_since(since).as_secs();
        tracing::info!(
            down_seconds = seconds,
            "The relay takes mails again after {seconds} s; those held back go out now"
        );
        true
    }

    fn open(&mut self, answer: &Answer, now: Instant) {
        let pause = self.delays.next_delay();
        if self.down.is_none() {
            warn_of(answer, pause);
        }
        let since = self.down.as_ref().map_or(now, |(since, _)| *since);
        self.down = Some((since, answer.clone()));
        self.circuit = Circuit::Open { retry_at: now + pause };
        (self.has_answered, self.trial_began, self.doubt) = (false, None, None);
        (self.failed_connects, self.troubles) = (0, 0);
        // What was learnt before the outage counts no more.
        self.widening = Widening::default();
        self.set_limit(self.most);
        self.up_gauge.set(0);
    }

    fn widen(&mut self, now: Instant) {
        if self.limit < self.most
            && let Some(step) = self.widening.step(now)
        {
            self.set_limit(self.limit.saturating_add(step));
        }
    }

    fn set_limit(&mut self, limit: usize) {
        self.limit = limit.clamp(1, self.most);
        self.limit_gauge.set(i64::try_from(self.limit).unwrap_or(i64::MAX));
    }
}

impl Widening {
    fn refused(&mut self, now: Instant) {
        let quiet = self.changed_at.map(|at| now.duration_since(at));
        if quiet.is_none_or(|quiet| quiet > 2 * WIDEN_AFTER_AT_MOST) {
            self.pause = WIDEN_AFTER;
        } else if self.has_grown {
            self.pause = (self.pause * 2).min(WIDEN_AFTER_AT_MOST);
        }
        (self.step, self.has_grown, self.changed_at) = (1, false, Some(now));
    }

    /// By how much the limit grows now, if it is time.
    fn step(&mut self, now: Instant) -> Option<usize> {
        let is_time = self.changed_at.is_none_or(|at| now.duration_since(at) >= self.pause);
        is_time.then(|| {
            let step = self.step;
            (self.step, self.has_grown, self.changed_at) = (step * 2, true, Some(now));
            step
        })
    }
}

#[cfg(test)]
mod tests;
