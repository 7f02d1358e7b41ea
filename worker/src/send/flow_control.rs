//! Flow control towards the relay: the number of connections, and whether mail is sent at all.
//!
//! One controller receives the result of every connect and every answer. It is pure: the time is an argument.
//! - **Connections**: up to the configured number. When the relay refuses one, the limit drops to the open
//!   connections and grows again by one, two, four … after a quiet time.
//! - **Circuit breaker**: trouble of the relay itself (see [`Flow::trouble`]) opens the circuit. No mail is
//!   claimed, and one connection is tried after increasing pauses. Once the relay accepts it, a few mails go
//!   first, because a relay can accept connections and still refuse our sender. The first answer about a mail
//!   closes the circuit. A new process starts with the same trial. A used-up quota is probed more rarely: it
//!   is refilled after hours, and a refused mail costs reputation.
//! - **Rate** ([`super::pace`]): limited once the relay throttles. Throttling that lasts opens the circuit.
//! - **Doubt**: a connect that fails while other connections are open may mean a limit or an outage. If the
//!   others get no answer for a while, it is an outage.

use std::time::{Duration, Instant};

use prometheus::IntGauge;
use shared::reconnect::Delays;

use super::pace::Pace;
use super::redaction::log_circuit_opened;
use super::reply_table::Scope;
use super::settings::Settings;
use super::trouble::TroubleClass;
use super::verdict::{Answer, Verdict};

/// Consecutive failures, without a good answer in between, that count as trouble of the relay itself.
const PATIENCE: u32 = 3;

/// Time without another refusal after which the limit grows, first by one connection, then by two, then by
/// four. After a short disruption all of twenty connections are back within half a minute.
const WIDEN_AFTER: Duration = Duration::from_secs(5);

/// Maximum of that time, which doubles each time the relay refuses an added connection.
const MAX_WIDEN_AFTER: Duration = Duration::from_secs(80);

/// How long the first mail has the relay to itself before another one is tried, so that a mail that hangs
/// holds up the others for only a few seconds.
const TRIAL_PERIOD: Duration = Duration::from_secs(1);

/// The state of the circuit breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Circuit {
    /// Mails are sent.
    Closed,
    /// The relay accepted a connection. A few mails go first.
    HalfOpen,
    /// A connection is being tried.
    Probing,
    /// Nothing is sent. The next connection is tried at `retry_at`.
    Open { retry_at: Instant },
}

/// The controller's state.
pub(super) struct Flow {
    most: usize,
    limit: usize,
    widening: LimitGrowth,
    circuit: Circuit,
    /// Since when, and why, the relay is in trouble.
    down: Option<(Instant, Answer)>,
    /// Whether the relay has answered about a mail since the start or since the circuit opened.
    has_answered: bool,
    /// When the first mail after that was admitted.
    trial_began: Option<Instant>,
    troubles: u32,
    failed_connects: u32,
    good_answers: u64,
    doubt: Option<Doubt>,
    delays: Delays,
    /// The delays while the account's quota is used up.
    quota_delays: Delays,
    /// The same while the relay refuses us: see [`Settings::longest_refused_probe`].
    refused_delays: Delays,
    pub(super) pace: Pace,
    limit_gauge: IntGauge,
    up_gauge: IntGauge,
}

/// The other connections when one could not be opened.
pub(super) struct OtherConnections {
    pub(super) open: usize,
    pub(super) opening: usize,
    /// Time that they have for a good answer.
    pub(super) have: Duration,
}

struct Doubt {
    ends: Instant,
    /// Number of good answers when the doubt began. One more ends it.
    good_answers: u64,
    answer: Answer,
}

/// How the connection limit grows again.
struct LimitGrowth {
    changed_at: Option<Instant>,
    step: usize,
    pause: Duration,
    /// Whether the limit has grown since the relay last refused a connection.
    has_grown: bool,
}

impl Default for LimitGrowth {
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
            widening: LimitGrowth::default(),
            circuit: Circuit::Closed,
            down: None,
            has_answered: false,
            trial_began: None,
            troubles: 0,
            failed_connects: 0,
            good_answers: 0,
            doubt: None,
            delays: Delays::between(settings.first_probe, settings.longest_probe),
            quota_delays: Delays::between(settings.first_probe, settings.longest_quota_probe),
            refused_delays: Delays::between(settings.first_probe, settings.longest_refused_probe),
            pace,
            limit_gauge,
            up_gauge,
        }
    }

    /// Maximum number of open connections.
    pub(super) const fn limit(&self) -> usize {
        self.limit
    }

    pub(super) const fn circuit(&self) -> Circuit {
        self.circuit
    }

    /// Since when, and why, the relay is in trouble.
    pub(super) const fn down(&self) -> Option<&(Instant, Answer)> {
        self.down.as_ref()
    }

    /// Whether connections may be opened for waiting mails.
    pub(super) const fn may_connect(&self) -> bool {
        matches!(self.circuit, Circuit::Closed | Circuit::HalfOpen)
    }

    /// Whether the relay has answered about a mail since the start or since the circuit opened.
    pub(super) const fn has_answered(&self) -> bool {
        self.has_answered
    }

    /// Maximum number of mails in flight until the relay has answered about one; `in_flight` is their current
    /// number. `None` once it has answered, when only the connections limit them.
    pub(super) fn trial(&mut self, in_flight: usize, now: Instant) -> Option<usize> {
        if self.has_answered {
            return None;
        }
        if in_flight == 0 {
            self.trial_began = None;
        }
        let began = *self.trial_began.get_or_insert(now);
        let more = now.duration_since(began).as_secs() / TRIAL_PERIOD.as_secs();
        let mails = usize::try_from(more).unwrap_or(usize::MAX).saturating_add(1);
        Some(mails.min(self.limit))
    }

    /// Whether the first connection after a pause is due. If so, the probe has begun.
    pub(super) fn begin_probe(&mut self, now: Instant) -> bool {
        let is_due = matches!(self.circuit, Circuit::Open { retry_at } if retry_at <= now);
        if is_due {
            self.circuit = Circuit::Probing;
        }
        is_due
    }

    /// Whether the relay takes no mail because the quota of our account is used up.
    pub(super) fn awaits_quota(&self) -> bool {
        self.down.as_ref().is_some_and(|(_, answer)| is_used_up_quota(answer))
    }

    /// Makes the next probe due. Does nothing unless the circuit is open.
    pub(super) fn probe_now(&mut self, now: Instant) {
        if let Circuit::Open { retry_at } = &mut self.circuit {
            *retry_at = now.min(*retry_at);
        }
    }

    /// Records that a connection is ready for mails.
    pub(super) fn connected(&mut self) {
        if self.circuit == Circuit::Probing {
            self.circuit = Circuit::HalfOpen;
            self.trial_began = None;
        }
    }

    /// Records a failed connect beside `others`. Returns whether it opened the circuit.
    pub(super) fn connect_failed(&mut self, answer: &Answer, others: &OtherConnections, now: Instant) -> bool {
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

    /// Resolves a doubt whose time is over. `none_free` means that no further connection can be tried.
    /// Returns whether it opened the circuit.
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

    /// Records trouble with a mail. It is the relay's own if no mail has been answered yet, or after
    /// [`PATIENCE`] times in a row. Returns whether it opened the circuit.
    pub(super) fn trouble(&mut self, answer: &Answer, now: Instant) -> bool {
        // The mail was sent before the circuit opened.
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

    /// Records throttling that lasts. Returns whether it opened the circuit.
    pub(super) fn throttling_lasts(&mut self, answer: &Answer, now: Instant) -> bool {
        let is_open = matches!(self.circuit, Circuit::Open { .. } | Circuit::Probing);
        if !is_open {
            self.open(answer, now);
        }
        !is_open
    }

    /// Records trouble with mail to one domain before the relay has answered about any mail. It may be the
    /// domain's own, so the circuit stays closed and mails are tried one by one, until [`PATIENCE`] domains
    /// are affected. Returns whether it opened the circuit.
    pub(super) fn domain_trouble(&mut self, answer: &Answer, now: Instant) -> bool {
        if self.troubles + 1 >= PATIENCE || !self.may_connect() {
            return self.trouble(answer, now);
        }
        self.troubles += 1;
        if self.down.is_none() {
            log_circuit_opened(answer, Duration::ZERO);
            self.down = Some((now, answer.clone()));
            self.up_gauge.set(0);
        }
        self.circuit = Circuit::HalfOpen;
        self.trial_began = None;
        false
    }

    /// Records an answer about a mail, whatever it was. A mail sent before the circuit opened counts too: it
    /// is the best probe. Returns whether the relay had been in trouble.
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
        self.quota_delays.reset();
        self.refused_delays.reset();
        self.up_gauge.set(1);
        let seconds = now.duration_since(since).as_secs();
        tracing::info!(
            down_seconds = seconds,
            "The relay accepts emails again after {seconds} s; those held back are sent now"
        );
        true
    }

    fn open(&mut self, answer: &Answer, now: Instant) {
        let is_refused = answer.scope == Scope::Account || answer.code.is_some_and(|code| code >= 500);
        let pause = if is_used_up_quota(answer) {
            self.quota_delays.next_delay()
        } else if is_refused {
            self.refused_delays.next_delay()
        } else {
            self.delays.next_delay()
        };
        if self.down.is_none() {
            log_circuit_opened(answer, pause);
        }
        let since = self.down.as_ref().map_or(now, |(since, _)| *since);
        self.down = Some((since, answer.clone()));
        self.circuit = Circuit::Open { retry_at: now + pause };
        (self.has_answered, self.trial_began, self.doubt) = (false, None, None);
        (self.failed_connects, self.troubles) = (0, 0);
        // State from before the outage no longer applies.
        self.widening = LimitGrowth::default();
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

/// Whether the circuit opens because the account's quota is used up. Throttling of the account opens it only if it
/// lasts, and then means the same. A relay that is busy as a whole recovers within seconds, like any other trouble.
fn is_used_up_quota(answer: &Answer) -> bool {
    match answer.verdict {
        Verdict::SlowDown { .. } => answer.scope == Scope::Account,
        Verdict::RelayTrouble { class } => class == TroubleClass::Quota,
        _ => false,
    }
}

impl LimitGrowth {
    fn refused(&mut self, now: Instant) {
        let quiet = self.changed_at.map(|at| now.duration_since(at));
        if quiet.is_none_or(|quiet| quiet > 2 * MAX_WIDEN_AFTER) {
            self.pause = WIDEN_AFTER;
        } else if self.has_grown {
            self.pause = (self.pause * 2).min(MAX_WIDEN_AFTER);
        }
        (self.step, self.has_grown, self.changed_at) = (1, false, Some(now));
    }

    /// Returns by how much the limit grows, if growth is due.
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
