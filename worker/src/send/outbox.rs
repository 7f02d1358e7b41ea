//! Mails that are ready to be sent, and the connections that send them.
//!
//! Every connection is a task ([`sender`]) that takes the next mail when it is free: interactive mail
//! first, and bulk mail only while it leaves connections to the other lane. A mail that waits longer than
//! [`Settings::queue_limit`] is finished as not begun, and another worker gets it. Connections are opened
//! when mails wait and none is idle. The most recently used idle one goes first, so the others age and are
//! closed.

mod admission;
mod sender;
mod slot;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use shared::batch::Lane;
use shared::lifecycle::Lifecycle;
use tokio::sync::{Notify, watch};

use self::admission::Admissions;
use self::slot::Slot;
use super::dialogue::Terms;
use super::evidence::Answers;
use super::flow_control::{Circuit, Flow};
use super::pace::Pace;
use super::phase::Phase;
use super::pipelining::Ahead;
use super::redaction::describe;
use super::settings::Settings;
use super::shipment::{Queued, Shipment};
use super::trouble::TroubleClass;
use super::verdict::Answer;

/// One in ten connections, but at least one, is reserved for the interactive lane.
const KEPT_DIVISOR: usize = 10;

/// Interactive mails sent for each bulk mail while the rate is limited and both lanes wait.
const IN_A_ROW: u32 = 4;

/// How often a mail is offered on another connection because an idle one turned out to be dead.
pub(super) const ROUNDS: u8 = 3;

/// How many of `connections` bulk mail may use. A single connection is not reserved.
const fn for_bulk(connections: usize) -> usize {
    let kept = connections / KEPT_DIVISOR;
    let kept = if kept == 0 { 1 } else { kept };
    match connections.saturating_sub(kept) {
        0 => 1,
        some => some,
    }
}

/// Whether mails are sent, for tasks that wait for a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Health {
    /// Mails are sent.
    Up,
    /// A few mails are sent after trouble.
    Trial,
    /// No mails are sent.
    Down,
}

/// What all parts of a mailer share.
pub(super) struct Outbox<S> {
    state: Mutex<State<S>>,
    pub(super) terms: Arc<Terms>,
    pub(super) settings: Settings,
    pub(super) lifecycle: Lifecycle,
    pub(super) health: watch::Sender<Health>,
}

/// The mutable state, under one lock that is never held across an await.
pub(super) struct State<S> {
    interactive: VecDeque<Queued<S>>,
    bulk: VecDeque<Queued<S>>,
    /// Connections without a mail, the most recently used at the end.
    idle: Vec<Arc<Notify>>,
    pub(super) connections: Connections,
    /// Number of connections with a bulk mail.
    bulk_busy: usize,
    pub(super) admissions: Admissions,
    pub(super) flow: Flow,
    pub(super) answers: Answers<S>,
    pub(super) ahead: Ahead,
    /// Interactive mails sent in a row while the rate was limited.
    in_a_row: u32,
}

/// Number of connections in each stage.
#[derive(Default)]
pub(super) struct Connections {
    pub(super) opening: usize,
    pub(super) open: usize,
    pub(super) closing: usize,
}

impl<S: Shipment> Outbox<S> {
    pub(super) fn new(terms: Terms, settings: Settings, lifecycle: Lifecycle) -> Arc<Self> {
        let (limit, up) = (terms.metrics.allowed.clone(), terms.metrics.relay_up.clone());
        let pace = Pace::new(terms.metrics.rate.clone(), terms.metrics.throttled.clone());
        Arc::new(Self {
            state: Mutex::new(State {
                interactive: VecDeque::new(),
                bulk: VecDeque::new(),
                idle: Vec::new(),
                connections: Connections::default(),
                bulk_busy: 0,
                admissions: Admissions::default(),
                flow: Flow::new(&settings, pace, limit, up),
                answers: Answers::default(),
                ahead: Ahead::default(),
                in_a_row: 0,
            }),
            terms: Arc::new(terms),
            settings,
            lifecycle,
            health: watch::Sender::new(Health::Up),
        })
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State<S>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues mails to be sent.
    pub(super) fn push(self: &Arc<Self>, mails: Vec<S>) {
        let now = Instant::now();
        let mut state = self.state();
        // Checked under the lock, so that no mail is queued after a stop has given back the waiting ones.
        let held_back = match state.held_back() {
            None if self.lifecycle.is_stopping() => Some(stopping()),
            held_back => held_back,
        };
        if let Some(answer) = held_back {
            drop(state);
            return finish_all(mails, &answer);
        }
        let mut set_aside = Vec::new();
        for mail in mails {
            match state.answers.set_aside_for(&mail, now) {
                Some(answer) => set_aside.push((mail, answer)),
                None => state.queue(mail.lane()).push_back(Queued {
                    mail,
                    since: now,
                    rounds: 0,
                    taken_at: now,
                }),
            }
        }
        self.balance(&mut state);
        drop(state);
        for (mail, answer) in set_aside {
            mail.finish(answer);
        }
    }

    /// Returns the next mail for a connection, or marks the connection idle if there is none.
    pub(super) fn pop_or_idle(&self, wake: &Arc<Notify>) -> Option<Queued<S>> {
        let mut state = self.state();
        let next = state.pop();
        match &next {
            Some(queued) => self.observe_wait(queued),
            None => state.idle.push(Arc::clone(wake)),
        }
        self.show_connections(&state);
        next
    }

    /// Removes a connection from the idle ones.
    pub(super) fn leave_idle(&self, wake: &Arc<Notify>) {
        let mut state = self.state();
        state.idle.retain(|other| !Arc::ptr_eq(other, wake));
        self.show_connections(&state);
    }

    /// Whether a connection should end instead of taking another mail.
    pub(super) fn is_unwanted(&self) -> bool {
        let state = self.state();
        let is_circuit_open = matches!(state.flow.circuit(), Circuit::Open { .. } | Circuit::Probing);
        is_circuit_open || state.connections.open > state.flow.limit() || self.lifecycle.is_stopping()
    }

    /// A bulk mail whose envelope may be sent behind another mail's body on this connection. Interactive mail
    /// never waits for another dot.
    pub(super) fn pop_ahead(&self, connection: u64) -> Option<Queued<S>> {
        let mut state = self.state();
        if !state.interactive.is_empty() || state.flow.pace.is_limited() || state.bulk.is_empty() {
            return None;
        }
        if !state.ahead.may(connection) {
            return None;
        }
        let mut next = state.bulk.pop_front()?;
        next.taken_at = Instant::now();
        self.observe_wait(&next);
        Some(next)
    }

    /// Puts a mail that was not offered back to the front.
    pub(super) fn put_back(self: &Arc<Self>, queued: Queued<S>) {
        let mut state = self.state();
        state.queue(queued.mail.lane()).push_front(queued);
        self.balance(&mut state);
    }

    /// Records that a connection no longer has a mail of this lane.
    pub(super) fn release(self: &Arc<Self>, lane: Lane) {
        if lane == Lane::Bulk {
            let mut state = self.state();
            state.bulk_busy = state.bulk_busy.saturating_sub(1);
            self.balance(&mut state);
        }
    }

    /// Gives back the waiting mails, with the answer of their failed connect if there is one, and ends idle
    /// connections, which date from before the trouble.
    pub(super) fn circuit_opened(&self, mut state: MutexGuard<'_, State<S>>, connect: Option<&Answer>) {
        let answer = connect.cloned().or_else(|| state.held_back());
        let mails = state.take_waiting(None);
        state.wake_idle(usize::MAX);
        drop(state);
        self.set_health(Health::Down);
        if let Some(answer) = answer {
            finish_all(mails, &answer);
        }
    }

    pub(super) fn set_health(&self, health: Health) {
        self.health
            .send_if_modified(|before| std::mem::replace(before, health) != health);
    }

    /// Gives back waiting mails: all of them, or those that have waited longer than `limit`.
    pub(super) fn release_waiting(&self, limit: Option<Duration>, answer: &Answer) {
        let mails = self.state().take_waiting(limit);
        finish_all(mails, answer);
    }

    /// Wakes idle connections for waiting mails, and opens more.
    pub(super) fn balance(self: &Arc<Self>, state: &mut State<S>) {
        let bulk_room = for_bulk(state.flow.limit()).saturating_sub(state.bulk_busy);
        let waiting = state.interactive.len() + state.bulk.len().min(bulk_room);
        let waiting = state.flow.pace.available_for(waiting, Instant::now());
        let woken = state.wake_idle(waiting);
        let wanted = (waiting - woken).saturating_sub(state.connections.opening);
        let room = state.flow.limit().saturating_sub(state.connections.total());
        if state.flow.may_connect() {
            (0..wanted.min(room)).for_each(|_| self.open_connection(state));
        }
    }

    /// Starts a connection's task.
    pub(super) fn open_connection(self: &Arc<Self>, state: &mut State<S>) {
        let slot = Slot::opening(self, state);
        self.lifecycle.spawn(sender::run(slot));
    }

    fn observe_wait(&self, queued: &Queued<S>) {
        self.terms.metrics.wait.observe(queued.since.elapsed().as_secs_f64());
    }

    /// Updates the gauges of busy and idle connections.
    pub(super) fn show_connections(&self, state: &State<S>) {
        let show = |gauge: &prometheus::IntGauge, value: usize| gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        show(&self.terms.metrics.idle, state.idle.len());
        show(
            &self.terms.metrics.in_use,
            state.connections.open.saturating_sub(state.idle.len()),
        );
    }
}

impl Connections {
    /// All connections that count at the relay.
    pub(super) const fn total(&self) -> usize {
        self.opening + self.open + self.closing
    }
}

impl<S: Shipment> State<S> {
    fn queue(&mut self, lane: Lane) -> &mut VecDeque<Queued<S>> {
        match lane {
            Lane::Interactive => &mut self.interactive,
            Lane::Bulk => &mut self.bulk,
        }
    }

    fn pop(&mut self) -> Option<Queued<S>> {
        let now = Instant::now();
        let may_bulk = !self.bulk.is_empty() && self.bulk_busy < for_bulk(self.flow.limit());
        if (self.interactive.is_empty() && !may_bulk) || !self.flow.pace.take(now) {
            return None;
        }
        let is_bulks_turn = self.interactive.is_empty() || (self.flow.pace.is_limited() && self.in_a_row >= IN_A_ROW);
        let mut queued = if may_bulk && is_bulks_turn {
            self.bulk_busy += 1;
            self.in_a_row = 0;
            self.bulk.pop_front()?
        } else {
            self.in_a_row += 1;
            self.interactive.pop_front()?
        };
        queued.taken_at = now;
        Some(queued)
    }

    /// Whether no mail waits and none is with the relay.
    pub(super) fn is_at_rest(&self) -> bool {
        self.interactive.is_empty() && self.bulk.is_empty() && self.connections.open <= self.idle.len()
    }

    /// Removes the waiting mails that are set aside, with their answers.
    pub(super) fn take_set_aside(&mut self, now: Instant) -> Vec<(S, Answer)> {
        let mut taken = Vec::new();
        for queue in [&mut self.interactive, &mut self.bulk] {
            for queued in std::mem::take(queue) {
                match self.answers.set_aside_for(&queued.mail, now) {
                    Some(answer) => taken.push((queued.mail, answer)),
                    None => queue.push_back(queued),
                }
            }
        }
        taken
    }

    /// Wakes at most `most` idle connections and returns how many.
    fn wake_idle(&mut self, most: usize) -> usize {
        let woken = most.min(self.idle.len());
        let first = self.idle.len() - woken;
        self.idle.drain(first..).rev().for_each(|wake| wake.notify_one());
        woken
    }

    fn take_waiting(&mut self, longer_than: Option<Duration>) -> Vec<S> {
        let mut taken = Vec::new();
        for queue in [&mut self.interactive, &mut self.bulk] {
            // The oldest mails are at the front, where mails are also put back.
            let is_due = |queued: &mut Queued<S>| longer_than.is_none_or(|limit| queued.since.elapsed() > limit);
            while let Some(queued) = queue.pop_front_if(is_due) {
                taken.push(queued.mail);
            }
        }
        taken
    }

    /// The answer given instead of the relay's while the circuit is open.
    fn held_back(&self) -> Option<Answer> {
        let (_, answer) = match self.flow.circuit() {
            Circuit::Open { .. } | Circuit::Probing => self.flow.down()?,
            Circuit::Closed | Circuit::HalfOpen => return None,
        };
        let class = answer.class().unwrap_or(TroubleClass::Throttled);
        let words = format!("not attempted, because the relay is in trouble: {}", describe(answer));
        Some(Answer::relay_unavailable(class, words))
    }
}

/// The answer for mails that are given back because of a stop.
pub(super) fn stopping() -> Answer {
    Answer::not_begun(Phase::Connect, "the worker stopped before the body was begun")
}

fn finish_all<S: Shipment>(mails: Vec<S>, answer: &Answer) {
    for mail in mails {
        mail.finish(answer.clone());
    }
}
