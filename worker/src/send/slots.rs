//! Who gets which connection.
//!
//! A slot is the right to have one connection open. A mail takes a slot, then the connection that
//! was used last, because the freshest is the likeliest to be alive and the others may grow old and
//! be closed; only if none is idle does it open one. An idle connection needs no slot, because it is
//! given to whoever has one; everything else that has a connection holds a slot as long as it has
//! it: mails, probes, goodbyes. So there are never more connections than slots.
//!
//! Bulk mail may have most slots but not all, so that a mail that somebody waits for finds one: see
//! `width`.
//!
//! A relay may close an idle connection at any time, and a mail must not pay for that: if a
//! connection that was idle proves dead before it took the mail, the mail goes over another one, and
//! neither an attempt nor anybody's notice is spent. A relay that takes fewer connections than it
//! is offered gets fewer: a slot whose connect fails while others are open is put away for a while.
//! Whether those others work or merely hang is for `breaker` to find out.

use std::sync::Arc;
use std::time::Instant;

use prometheus::IntGauge;
use tokio::time::timeout_at;

use shared::batch::Lane;

use super::breaker::{Breaker, Leave, Pause, Stumble};
use super::connection::{Connection, Terms};
use super::idle::IdleConnections;
use super::phase::Phase;
use super::settings::Settings;
use super::transfer::Outgoing;
use super::verdict::{Answer, Verdict};
use super::width::{Slot, Width};

/// How often a mail looks for a working connection before it reports trouble.
const ROUNDS: usize = 3;

/// What the clones of a mailer share.
pub(super) struct Slots {
    pub(super) terms: Arc<Terms>,
    pub(super) settings: Settings,
    pub(super) width: Arc<Width>,
    pub(super) breaker: Breaker,
    pub(super) idle: IdleConnections,
    /// Connections that are ready and have a mail on them.
    pub(super) talking: IntGauge,
}

impl Slots {
    /// Offers a mail, over another connection where the first is none.
    pub(super) async fn send(self: &Arc<Self>, mail: Outgoing<'_>, lane: Lane) -> Answer {
        let mut answer = Answer::not_begun(Phase::Connect, "no connection was free in time");
        for _ in 0..ROUNDS {
            if let Some(held_back) = self.breaker.refusal_while_down() {
                return held_back;
            }
            let Some(slot) = self.slot(lane, mail.ends).await else {
                return answer;
            };
            let leave = match self.breaker.leave().await {
                Ok(leave) => matches!(leave, Leave::Trial).then(|| Trial(&self.breaker)),
                Err(held_back) => return held_back,
            };
            answer = self.send_in_slot(mail).await;
            let is_worth_another = self.learn(&answer);
            drop(leave);
            if !is_worth_another {
                return answer;
            }
            slot.put_away(Instant::now());
        }
        answer
    }

    async fn slot(&self, lane: Lane, ends: Instant) -> Option<Slot> {
        let started = Instant::now();
        let slot = timeout_at(ends.into(), self.width.slot(lane)).await.ok().flatten();
        self.terms.metrics.wait.observe(started.elapsed().as_secs_f64());
        slot
    }

    async fn send_in_slot(self: &Arc<Self>, mail: Outgoing<'_>) -> Answer {
        let _counted = Counted::by(&self.terms.metrics.in_use);
        if !mail.has_time_for_the_dot(&self.settings.deadlines) {
            return Answer::not_begun(Phase::Connect, "a connection was free too late");
        }
        if let Some(connection) = self.idle_connection().await {
            let answer = self.converse(connection, mail).await;
            if !had_died(&answer) {
                return answer;
            }
        }
        match Connection::open(&self.terms, mail.ends).await {
            Ok(connection) => self.converse(connection, mail).await,
            Err(answer) => answer,
        }
    }

    /// An idle connection that may carry a mail. Those past their time end on the way, each before
    /// the next is looked at, so that the caller's slot is enough for it.
    async fn idle_connection(&self) -> Option<Connection> {
        let mut answers = true;
        loop {
            let (connection, is_fit) = self.idle.freshest()?;
            if is_fit {
                return Some(connection);
            }
            // Where one goodbye was waited for in vain, the others end without.
            answers = answers && connection.quit().await;
        }
    }

    async fn converse(&self, mut connection: Connection, mail: Outgoing<'_>) -> Answer {
        let answer = {
            let _talking = Counted::by(&self.talking);
            connection.transfer(mail).await
        };
        if let Some(unwanted) = self.idle.park(connection) {
            unwanted.quit().await;
        }
        answer
    }

    /// Tells the breaker. Says whether the mail is worth another connection: it found none, and
    /// others work.
    fn learn(self: &Arc<Self>, answer: &Answer) -> bool {
        if is_relays_own(answer) {
            let has_no_connection = answer.phase.is_before_mail();
            let others_work = has_no_connection && self.others_work();
            self.stumbled(answer, others_work);
            return others_work;
        }
        // Any reply but those says that the relay took the sender and looked at the mail.
        if answer.code.is_some() {
            if self.breaker.worked() {
                self.width.restore();
            }
            self.width.widen(Instant::now());
        }
        false
    }

    fn stumbled(self: &Arc<Self>, answer: &Answer, others_work: bool) {
        match self.breaker.stumbled(answer, others_work) {
            Stumble::Passing => {}
            Stumble::InDoubt(doubt) => super::upkeep::end_doubt(self, doubt, answer.clone()),
            Stumble::Closed(pause) => self.closed(pause),
        }
    }

    /// The way has just been closed.
    pub(super) fn closed(self: &Arc<Self>, pause: Pause) {
        // What is idle belongs to the relay as it was.
        drop(self.idle.take_all());
        super::upkeep::probe_until_well(self, pause);
    }

    /// Whether a connection other than the caller's, which has none, is open and not known dead.
    /// It may hang all the same.
    fn others_work(&self) -> bool {
        self.idle.any_works() || self.talking.get() > 0
    }
}

/// Lets the next mail go first if this one, which did, comes to no decision.
struct Trial<'a>(&'a Breaker);

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        self.0.trial_ended();
    }
}

/// Counts something as long as it lasts, also when its mail is cancelled.
struct Counted<'a>(&'a IntGauge);

impl<'a> Counted<'a> {
    fn by(gauge: &'a IntGauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Whether a connection that had been idle ended before the relay took notice of the mail. A 421 to
/// the first command is how many relays end one, after a time or after a number of mails.
fn had_died(answer: &Answer) -> bool {
    let is_trouble = matches!(answer.verdict, Verdict::TryLater { .. } | Verdict::RelayTrouble { .. });
    answer.phase == Phase::Mail && is_trouble && matches!(answer.code, None | Some(421))
}

/// Whether the answer tells of the relay and not of the mail. Silence does, in whatever phase: if it
/// is this mail that the relay cannot bear, the good answers to the others will outweigh it.
fn is_relays_own(answer: &Answer) -> bool {
    match answer.verdict {
        Verdict::RelayTrouble { .. } | Verdict::Unsure => true,
        Verdict::TryLater { .. } => matches!(answer.code, None | Some(421)),
        Verdict::Accepted | Verdict::Refused { .. } | Verdict::NotBegun => false,
    }
}
