//! The task of one connection: opens it, sends one mail after the other, closes it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use shared::batch::Lane;
use tokio::sync::Notify;

use super::slot::Slot;
use super::{Outbox, stopping};
use crate::send::connection::Connection;
use crate::send::phase::Phase;
use crate::send::shipment::{Queued, Shipment};
use crate::send::verdict::Answer;

/// Envelopes are sent ahead only while dots are answered faster than this. With a slow relay it gains
/// nothing.
const AHEAD_BELOW: Duration = Duration::from_millis(250);

/// Consecutive refusals after which a connection is closed. Postfix slows down after ten errors and
/// disconnects after twenty; others suspect a dictionary attack sooner.
const MAX_REFUSALS: u32 = 5;

/// Runs a connection until it is closed.
pub(super) async fn run<S: Shipment>(mut slot: Slot<S>) {
    let outbox = Arc::clone(&slot.outbox);
    let opened = tokio::select! {
        biased;
        () = outbox.lifecycle.stopping().cancelled() => return,
        opened = Connection::open(&outbox.terms) => opened,
    };
    match opened {
        Ok(connection) => {
            slot.opened();
            let mut sender = Sender {
                outbox,
                connection,
                dot_took: Duration::ZERO,
                refusals: 0,
            };
            sender.send_all().await;
            sender.outbox.state().ahead.closed(sender.connection.number);
            slot.closing();
            sender.connection.quit().await;
        }
        Err(answer) => slot.failed(&answer),
    }
}

struct Sender<S: Shipment> {
    outbox: Arc<Outbox<S>>,
    connection: Connection,
    dot_took: Duration,
    /// Number of refusals since the last accepted mail.
    refusals: u32,
}

impl<S: Shipment> Sender<S> {
    /// Sends mails until the connection cannot or should not take another.
    async fn send_all(&mut self) {
        let mut ahead = None;
        loop {
            let is_written = ahead.is_some();
            let next = match ahead.take() {
                Some(queued) => Some(queued),
                None => self.next_mail().await,
            };
            let Some(queued) = next else { return };
            let lane = queued.mail.lane();
            let was_used = self.connection.mails > 0;
            let answer = self.send(&queued, is_written, &mut ahead).await;
            if ahead.is_none() {
                self.outbox.release(lane);
            }
            self.count_refusals(&answer);
            self.outbox.finish(queued, answer, was_used);
            if !self.connection.is_clean
                && let Some(queued) = ahead.take()
            {
                self.outbox.release(lane);
                self.outbox.put_back(queued);
            }
            if ahead.is_none() && !self.connection.is_usable() {
                self.connection.is_clean = false;
                return;
            }
            if ahead.is_none() && self.refusals >= MAX_REFUSALS {
                return;
            }
        }
    }

    fn count_refusals(&mut self, answer: &Answer) {
        match answer.code {
            Some(400..) => self.refusals += 1,
            Some(_) => self.refusals = 0,
            None => {}
        }
    }

    /// Waits for a mail. `None` if the connection ended meanwhile, or should.
    async fn next_mail(&mut self) -> Option<Queued<S>> {
        let settings = &self.outbox.settings;
        let wake = Arc::new(Notify::new());
        let time_left = self.connection.time_left(settings.age_limit);
        let idle_ends = tokio::time::Instant::now() + time_left.min(settings.idle_limit);
        loop {
            if self.outbox.is_unwanted() || self.connection.time_left(settings.age_limit).is_zero() {
                return None;
            }
            if let Some(queued) = self.outbox.pop_or_idle(&wake) {
                return Some(queued);
            }
            let goes_on = tokio::select! {
                biased;
                () = self.outbox.lifecycle.stopping().cancelled() => false,
                () = self.connection.dialogue.stream.unasked() => {
                    self.connection.is_clean = false;
                    false
                }
                () = wake.notified() => true,
                () = tokio::time::sleep_until(idle_ends) => false,
            };
            if !goes_on {
                self.outbox.leave_idle(&wake);
                return None;
            }
        }
    }

    /// Sends one mail. `ahead` is set to the mail whose envelope was sent behind it.
    async fn send(&mut self, queued: &Queued<S>, is_written: bool, ahead: &mut Option<Queued<S>>) -> Answer {
        let mail = &queued.mail;
        if let Some(answer) = self.connection.obstacle(mail) {
            return answer;
        }
        let ends = Instant::now() + self.outbox.settings.deadlines.attempt;
        let offered = tokio::select! {
            biased;
            () = self.outbox.lifecycle.stopping().cancelled() => {
                self.connection.is_clean = false;
                Some(stopping())
            }
            offered = self.connection.offer(mail, is_written, ends) => offered,
        };
        if let Some(answer) = offered {
            return answer;
        }
        // Checked as late as possible: it may have changed while the relay answered.
        if !self.may_start_body(mail, ends) {
            return Answer::not_begun(Phase::Data, "held back before the body");
        }
        *ahead = self.envelope_ahead(mail.lane());
        let outbox = Arc::clone(&self.outbox);
        let started = Instant::now();
        let has_ahead = ahead.is_some();
        let answer = self
            .connection
            .deliver(mail, ahead, |queued| outbox.put_back(queued), ends)
            .await;
        self.dot_took = started.elapsed();
        if has_ahead {
            self.outbox.state().ahead.ended(answer.code.is_some());
        }
        answer
    }

    /// Whether the body may start. There must be time to wait for the answer to the dot: a wait cut short
    /// after the dot is how recipients get a mail twice.
    fn may_start_body(&self, mail: &S, ends: Instant) -> bool {
        let has_time = Instant::now() + self.outbox.settings.deadlines.dot <= ends;
        has_time && !self.outbox.lifecycle.is_stopping() && mail.may_start_body()
    }

    fn envelope_ahead(&self, lane: Lane) -> Option<Queued<S>> {
        let settings = &self.outbox.settings;
        let may = lane == Lane::Bulk
            && self.connection.capabilities.pipelining
            && !self.connection.capabilities.is_dovecot
            && self.dot_took < AHEAD_BELOW
            && self.refusals + 1 < MAX_REFUSALS
            && !self.connection.time_left(settings.age_limit).is_zero()
            && !self.outbox.is_unwanted();
        let queued = may.then(|| self.outbox.pop_ahead(self.connection.number)).flatten()?;
        if self.connection.obstacle(&queued.mail).is_some() {
            self.outbox.put_back(queued);
            return None;
        }
        Some(queued)
    }
}
