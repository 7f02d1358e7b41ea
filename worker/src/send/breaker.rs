//! Whether the relay is worth asking.
//!
//! When the relay is in trouble, ten thousand mails would each find that out for themselves, and
//! each would count it as an attempt. So the first ones close the way for all: [`Gate::Down`].
//! Then one probe at a time knocks, with growing pauses; when it is let in, one mail goes first
//! ([`Gate::TrialFree`]), because a relay can welcome us and still refuse our sender. If the relay
//! takes that mail, the way is free.
//!
//! Trouble is what the relay says of itself, and silence; an outage after the final dot would
//! otherwise make every mail unsure, one after the other.
//!
//! One connection's trouble is not the relay's. A failed connect closes the way at once when no other
//! connection is open. When some are, they decide: a relay that permits no more connections goes on
//! answering on those it has, and one that is gone does not, however long they hang. So such a
//! connect raises a [`Doubt`], and the way is closed if [`PATIENCE`] connects failed, or as many as
//! could be tried, and no good answer came within the time the doubt lasts. Trouble in an open
//! conversation closes the way when it comes [`PATIENCE`] times in a row with no good answer
//! between, or when the relay has not yet given a single good answer.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use prometheus::IntGauge;
use tokio::sync::watch;
use tokio::time::timeout;

use shared::reconnect::Delays;
use shared::trouble::WorkerTrouble;

use super::told::{told, told_on_pages, trouble, warn_of};
use super::trouble::TroubleClass;
use super::verdict::Answer;

/// Troubles in a row that make it the relay's own.
const PATIENCE: u32 = 3;

/// How long a mail that is already claimed waits for the trial mail's answer. Short beside a
/// lease; a mail that waited in vain spends no attempt.
const TRIAL_WAIT: Duration = Duration::from_secs(30);

/// Whether the relay takes mails, for readiness pages and the console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RelayState {
    /// Mails go out.
    Up,
    /// Mails are held back and spend no attempts.
    Down {
        /// When the trouble began.
        since: Instant,
        /// What kind of trouble it is.
        trouble: WorkerTrouble,
        /// What the relay said, or what became of the line; nothing that could name a recipient
        /// or repeat a login.
        reason: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gate {
    Up,
    /// The relay let the probe in; the next mail goes first.
    TrialFree,
    /// One mail is on its way; the others wait for its answer.
    TrialTaken,
    Down,
}

/// Counts trouble and decides who may ask.
pub(super) struct Breaker {
    gate: watch::Sender<Gate>,
    record: Mutex<Record>,
    relay_up: IntGauge,
}

struct Record {
    /// Troubles in open conversations in a row.
    troubles: u32,
    /// Failed connects in a row.
    failed_connects: u32,
    /// Good answers, ever.
    good_answers: u64,
    /// Whether the relay has given a good answer since the start or since it was last down.
    has_answered: bool,
    down: Option<(Instant, Answer)>,
    delays: Delays,
    closings: u64,
}

/// Leave to ask the relay, once.
pub(super) enum Leave {
    Ordinary,
    /// This mail goes first. Dropped without an answer, it lets another one go first.
    Trial,
}

/// The way is closed; a probe is due after `length`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pause {
    pub(super) length: Duration,
    /// Which closing this belongs to: a probe that outlives its own has nothing to do.
    closing: u64,
}

/// What a trouble comes to.
pub(super) enum Stumble {
    /// It is one connection's.
    Passing,
    /// It may be the relay's: [`Breaker::doubt_ended`] is to be asked after a while.
    InDoubt(Doubt),
    /// The way has just been closed; a first probe is due.
    Closed(Pause),
}

/// A connect failed while others were open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Doubt {
    /// One more takes the doubt away.
    good_answers: u64,
}

impl Breaker {
    pub(super) fn new(delays: Delays, relay_up: IntGauge) -> Self {
        Self {
            gate: watch::Sender::new(Gate::Up),
            record: Mutex::new(Record {
                troubles: 0,
                failed_connects: 0,
                good_answers: 0,
                has_answered: false,
                down: None,
                delays,
                closings: 0,
            }),
            relay_up,
        }
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits while mails are held back.
    pub(super) async fn ready(&self) {
        if *self.gate.borrow() == Gate::Up {
            return;
        }
        // An error would mean that the sender, which is ours, is gone.
        let _ = self
            .gate
            .subscribe()
            .wait_for(|gate| matches!(gate, Gate::Up | Gate::TrialFree))
            .await;
    }

    /// Whether mails are held back at this moment.
    pub(super) fn is_ready(&self) -> bool {
        matches!(*self.gate.borrow(), Gate::Up | Gate::TrialFree)
    }

    /// Waits until mails are held back.
    pub(super) async fn in_trouble(&self) {
        let _ = self.gate.subscribe().wait_for(|gate| *gate == Gate::Down).await;
    }

    /// Waits until the relay is in trouble, if it `was_up`, or else until it is well.
    pub(super) async fn changed(&self, was_up: bool) {
        let has_changed = |gate: &Gate| (*gate == Gate::Up) != was_up;
        let _ = self.gate.subscribe().wait_for(has_changed).await;
    }

    /// Leave to ask the relay, or the answer that stands for the relay's.
    pub(super) async fn leave(&self) -> Result<Leave, Answer> {
        if *self.gate.borrow() == Gate::Up {
            return Ok(Leave::Ordinary);
        }
        let mut gate = self.gate.subscribe();
        let waiting = async {
            loop {
                match *gate.borrow_and_update() {
                    Gate::Up => return Some(Leave::Ordinary),
                    Gate::Down => return None,
                    Gate::TrialFree | Gate::TrialTaken => {}
                }
                if self.turn(Gate::TrialFree, Gate::TrialTaken) {
                    return Some(Leave::Trial);
                }
                gate.changed().await.ok()?;
            }
        };
        timeout(TRIAL_WAIT, waiting)
            .await
            .ok()
            .flatten()
            .ok_or_else(|| self.held_back())
    }

    /// The answer for a mail that comes while the way is closed.
    pub(super) fn refusal_while_down(&self) -> Option<Answer> {
        (*self.gate.borrow() == Gate::Down).then(|| self.held_back())
    }

    fn held_back(&self) -> Answer {
        let record = self.record();
        let (class, told) = match &record.down {
            Some((_, answer)) => (answer.class(), told(answer)),
            None => (None, "found a moment ago".to_owned()),
        };
        let class = class.unwrap_or(TroubleClass::Throttled);
        Answer::relay_is_down(class, format!("not asked, because the relay is in trouble: {told}"))
    }

    /// The relay gave an answer about a mail. Says whether it has just been found well by a mail
    /// that went first.
    ///
    /// A mail that was on its way when the way was closed counts too: it is the best probe. But it
    /// says nothing of further connections.
    pub(super) fn worked(&self) -> bool {
        let mut record = self.record();
        record.troubles = 0;
        record.failed_connects = 0;
        record.good_answers += 1;
        record.has_answered = true;
        let gate = *self.gate.borrow();
        if gate == Gate::Up {
            return false;
        }
        record.delays.reset();
        self.gate.send_replace(Gate::Up);
        self.relay_up.set(1);
        if let Some((since, _)) = record.down.take() {
            let seconds = since.elapsed().as_secs();
            tracing::info!(
                down_seconds = seconds,
                "The relay takes mails again after {seconds} s; those held back go out now"
            );
        }
        gate != Gate::Down
    }

    /// The relay was in trouble; `others_work` says whether another connection is open.
    pub(super) fn stumbled(&self, answer: &Answer, others_work: bool) -> Stumble {
        let mut record = self.record();
        let is_trial = match *self.gate.borrow() {
            Gate::Up => false,
            Gate::TrialFree | Gate::TrialTaken => true,
            // A mail that was on its way when the way was closed.
            Gate::Down => return Stumble::Passing,
        };
        let is_connect = answer.phase.is_before_mail();
        let is_the_relays = if is_connect {
            record.failed_connects += 1;
            !others_work
        } else {
            record.troubles += 1;
            !record.has_answered || record.troubles >= PATIENCE
        };
        if is_the_relays || is_trial {
            Stumble::Closed(self.close(&mut record, answer))
        } else if is_connect {
            Stumble::InDoubt(Doubt {
                good_answers: record.good_answers,
            })
        } else {
            Stumble::Passing
        }
    }

    /// The time of a doubt is over; `none_free` says that no further connection could be tried.
    /// Gives the pause before the first probe if this has closed the way.
    pub(super) fn doubt_ended(&self, doubt: Doubt, answer: &Answer, none_free: bool) -> Option<Pause> {
        let mut record = self.record();
        let is_silent = *self.gate.borrow() == Gate::Up && record.good_answers == doubt.good_answers;
        let is_enough = none_free || record.failed_connects >= PATIENCE;
        (is_silent && is_enough).then(|| self.close(&mut record, answer))
    }

    fn close(&self, record: &mut Record, answer: &Answer) -> Pause {
        let pause = record.delays.next_delay();
        if record.down.is_none() {
            warn_of(answer, pause);
        }
        let since = record.down.as_ref().map_or_else(Instant::now, |(since, _)| *since);
        record.down = Some((since, answer.clone()));
        record.has_answered = false;
        record.failed_connects = 0;
        record.closings += 1;
        self.gate.send_replace(Gate::Down);
        self.relay_up.set(0);
        Pause {
            length: pause,
            closing: record.closings,
        }
    }

    /// Whether the way is still closed by the closing this pause belongs to.
    pub(super) fn is_still_closed(&self, pause: &Pause) -> bool {
        self.record().closings == pause.closing && *self.gate.borrow() == Gate::Down
    }

    /// The probe was not let in: the pause before the next one.
    pub(super) fn next_pause(&self, pause: &Pause, answer: &Answer) -> Option<Pause> {
        if !self.is_still_closed(pause) {
            return None;
        }
        let mut record = self.record();
        if let Some((_, reason)) = &mut record.down {
            reason.clone_from(answer);
        }
        Some(Pause {
            length: record.delays.next_delay(),
            ..*pause
        })
    }

    /// The probe was let in: one mail goes first.
    pub(super) fn let_one_try(&self, pause: &Pause) {
        if self.is_still_closed(pause) {
            self.turn(Gate::Down, Gate::TrialFree);
        }
    }

    /// The mail that went first has no answer that decides.
    pub(super) fn trial_ended(&self) {
        self.turn(Gate::TrialTaken, Gate::TrialFree);
    }

    fn turn(&self, from: Gate, to: Gate) -> bool {
        self.gate.send_if_modified(|gate| {
            let turns = *gate == from;
            if turns {
                *gate = to;
            }
            turns
        })
    }

    pub(super) fn state(&self) -> RelayState {
        match &self.record().down {
            None => RelayState::Up,
            Some((since, answer)) => RelayState::Down {
                since: *since,
                trouble: trouble(answer),
                reason: told_on_pages(answer),
            },
        }
    }
}
