//! The model: what can happen to two batches of one mail each, and the effect of each step. There are few mails, so
//! that a case of some dozen steps takes one of them through several attempts.

use shared::batch::BatchState;
use shared::delivery::DeliveryState;

use BatchState::{Finished, Paused, Running, Stopped};
use DeliveryState::{Cancelled, Failed, Queued, Retrying, Sending, Sent, Waiting};

use crate::step::{Outcome, Step};

/// Number of mails; the first half belongs to the first batch.
pub(crate) const DELIVERIES: usize = 2;
pub(crate) const BATCHES: usize = 2;

/// A mail fails after this many attempts; few, so that cases reach the limit.
pub(crate) const MAX_ATTEMPTS: i32 = 2;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Lease {
    None,
    Holds,
    HasEnded,
}

/// When a delivery is due.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Time {
    /// Before its first attempt: found by the cursor.
    ByCursor,
    /// At its own time, which is in the future,
    Later,
    /// or in the past.
    Now,
}

#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) state: DeliveryState,
    pub(crate) attempt: i32,
    pub(crate) unsure: bool,
    pub(crate) lease: Lease,
    /// The claim that holds it, or held it until its lease ended.
    pub(crate) holder: Option<usize>,
    /// The dispatcher's cursor has passed it.
    pub(crate) is_passed: bool,
    /// Published by the cursor, and not known to be claimed.
    pub(crate) range: Option<IsOld>,
    pub(crate) time: Time,
    /// Incremented whenever the time at which it is due changes.
    pub(crate) due: usize,
    /// Verdicts by attempt, the first at 0; `None` while the attempt is running.
    pub(crate) record: Vec<Option<&'static str>>,
    /// Mails the relay accepted.
    pub(crate) mails: usize,
}

/// Whether it was published longer ago than a job may take to be claimed.
pub(crate) type IsOld = bool;

/// A published job.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Job {
    pub(crate) delivery: usize,
    pub(crate) attempt: i32,
    is_first: bool,
    due: usize,
}

/// A worker's claim, as the worker knows it.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    pub(crate) job: Job,
    pub(crate) is_sent: bool,
    /// The outcome it recorded; a worker records only one, possibly several times.
    pub(crate) outcome: Option<Outcome>,
}

#[derive(Clone, Debug)]
pub(crate) struct Life {
    pub(crate) batches: [BatchState; BATCHES],
    pub(crate) is_finished: [bool; BATCHES],
    pub(crate) deliveries: Vec<Delivery>,
    pub(crate) rounds: Vec<Vec<Job>>,
    pub(crate) claims: Vec<Claim>,
    /// The answer of the last step: rows changed, or the states returned.
    pub(crate) answer: Vec<DeliveryState>,
}

/// The batch of a delivery.
pub(crate) const fn batch_of(delivery: usize) -> usize {
    delivery * BATCHES / DELIVERIES
}

impl Life {
    pub(crate) fn jobs(&self) -> Vec<Job> {
        self.rounds.iter().flatten().copied().collect()
    }

    /// The jobs that the dispatcher would publish now.
    pub(crate) fn due(&self) -> Vec<Job> {
        let due = |(at, delivery): (usize, &Delivery)| {
            let is_first = delivery.time == Time::ByCursor && delivery.state == Waiting && !delivery.is_passed;
            let is_later = delivery.time == Time::Now && is_owed(delivery);
            (self.batches[batch_of(at)] == Running && (is_first || is_later)).then_some(Job {
                delivery: at,
                attempt: delivery.attempt + 1,
                is_first,
                due: delivery.due,
            })
        };
        self.deliveries.iter().enumerate().filter_map(due).collect()
    }

    pub(crate) fn holds(&self, claim: usize) -> bool {
        let delivery = &self.deliveries[self.claims[claim].job.delivery];
        delivery.state == Sending && delivery.holder == Some(claim)
    }

    fn mark(&mut self, round: usize) {
        for job in self.rounds[round].clone() {
            let is_running = self.batches[batch_of(job.delivery)] == Running;
            let delivery = &mut self.deliveries[job.delivery];
            if !is_running {
                continue;
            }
            if job.is_first {
                if !delivery.is_passed {
                    delivery.is_passed = true;
                    delivery.range = Some(false);
                }
            } else if is_owed(delivery)
                && delivery.time != Time::ByCursor
                && delivery.attempt == job.attempt - 1
                && delivery.due == job.due
            {
                delivery.state = Queued;
                put_off(delivery, false);
            }
        }
    }

    fn claim(&mut self, job: usize) {
        let job = self.jobs()[job];
        let is_running = self.batches[batch_of(job.delivery)] == Running;
        let holder = self.claims.len();
        let delivery = &mut self.deliveries[job.delivery];
        if is_running && is_owed(delivery) && delivery.attempt == job.attempt - 1 {
            delivery.state = Sending;
            delivery.attempt += 1;
            delivery.lease = Lease::Holds;
            delivery.holder = Some(holder);
            delivery.time = Time::ByCursor;
            delivery.record.push(None);
            self.claims.push(Claim {
                job,
                is_sent: false,
                outcome: None,
            });
            self.answer.push(Sending);
        }
    }

    fn settle(&mut self, claim: usize, outcome: Outcome, is_repeated: bool) {
        self.claims[claim].outcome = Some(outcome);
        let job = self.claims[claim].job;
        let is_stopped = self.batches[batch_of(job.delivery)] == Stopped;
        let holds = self.holds(claim);
        let delivery = &mut self.deliveries[job.delivery];
        let attempt = usize::try_from(job.attempt).unwrap();
        let is_late = delivery.holder == Some(claim) && is_owed(delivery);
        if is_late && matches!(outcome, Outcome::Accepted | Outcome::Refused) {
            // It had been recorded as unsure.
            delivery.record[attempt - 1] = Some(outcome.verdict());
            delivery.unsure = delivery.record.contains(&Some("unsure"));
            let state = if outcome == Outcome::Accepted { Sent } else { Failed };
            leave(delivery, state);
            self.answer.push(state);
            return;
        }
        if !holds {
            let recorded = delivery.record.get(attempt - 1).copied().flatten();
            if is_repeated && outcome != Outcome::GivenBack && recorded == Some(outcome.verdict()) {
                self.answer.push(delivery.state);
            }
            return;
        }
        let state = match outcome {
            Outcome::Accepted => Sent,
            Outcome::Refused => Failed,
            _ if is_stopped => Cancelled,
            Outcome::TryLater | Outcome::Unsure if job.attempt >= MAX_ATTEMPTS => Failed,
            Outcome::GivenBack if job.attempt == 1 => Waiting,
            Outcome::TryLater | Outcome::Unsure | Outcome::GivenBack => Retrying,
        };
        if outcome == Outcome::GivenBack {
            delivery.attempt -= 1;
            delivery.record.pop();
        } else {
            *delivery.record.last_mut().unwrap() = Some(outcome.verdict());
        }
        delivery.unsure |= outcome == Outcome::Unsure;
        leave(delivery, state);
        if is_owed(delivery) {
            put_off(delivery, false);
        }
        self.answer.push(state);
    }

    fn end_expired_leases(&mut self) {
        for (at, delivery) in self.deliveries.iter_mut().enumerate() {
            if delivery.state == Sending && delivery.lease == Lease::HasEnded {
                let state = match self.batches[batch_of(at)] {
                    Stopped => Cancelled,
                    _ if delivery.attempt >= MAX_ATTEMPTS => Failed,
                    _ => Retrying,
                };
                delivery.unsure = true;
                *delivery.record.last_mut().unwrap() = Some("unsure");
                let holder = delivery.holder;
                leave(delivery, state);
                delivery.holder = holder;
                if is_owed(delivery) {
                    put_off(delivery, true);
                }
                self.answer.push(state);
            }
        }
    }

    /// Makes the published deliveries of the chosen batches due again. The cursor goes back, and a later attempt is due
    /// immediately.
    fn take_back(&mut self, chosen: impl Fn(BatchState) -> bool) {
        for (at, delivery) in self.deliveries.iter_mut().enumerate() {
            let is_open = !self.is_finished[batch_of(at)] && chosen(self.batches[batch_of(at)]);
            if !is_open || delivery.shown_state() != Queued {
                continue;
            }
            if delivery.range.take().is_some() {
                delivery.is_passed = false;
            }
            if delivery.state == Queued {
                delivery.state = if delivery.attempt == 0 { Waiting } else { Retrying };
                put_off(delivery, true);
            }
            self.answer.push(delivery.state);
        }
    }

    fn requeue_lost(&mut self) {
        for delivery in &mut self.deliveries {
            if delivery.range == Some(true) {
                delivery.range = None;
                if delivery.state == Waiting && delivery.time == Time::ByCursor {
                    put_off(delivery, true);
                    self.answer.push(Waiting);
                }
            }
        }
    }

    fn forget_ranges(&mut self) {
        for delivery in &mut self.deliveries {
            if delivery.range.is_some() && (delivery.state != Waiting || delivery.time != Time::ByCursor) {
                delivery.range = None;
                self.answer.push(delivery.state);
            }
        }
    }

    fn end_useless(&mut self) {
        for (at, delivery) in self.deliveries.iter_mut().enumerate() {
            if self.batches[batch_of(at)] == Stopped && is_owed(delivery) {
                delivery.state = Cancelled;
                delivery.time = Time::ByCursor;
                self.answer.push(Cancelled);
            }
        }
    }

    fn finish(&mut self) {
        for batch in 0..BATCHES {
            let mut owed = self
                .deliveries
                .iter()
                .enumerate()
                .filter(|(at, _)| batch_of(*at) == batch);
            if !self.is_finished[batch] && owed.all(|(_, delivery)| delivery.state.has_ended()) {
                self.is_finished[batch] = true;
                if self.batches[batch] != Stopped {
                    self.batches[batch] = Finished;
                }
                self.answer.push(Sent);
                let its = self.deliveries.iter_mut().enumerate();
                its.filter(|(at, _)| batch_of(*at) == batch)
                    .for_each(|(_, delivery)| delivery.range = None);
            }
        }
    }

    fn turn(&mut self, batch: usize, from: &[BatchState], to: BatchState) {
        if from.contains(&self.batches[batch]) && !self.is_finished[batch] {
            self.batches[batch] = to;
            self.answer.push(Sent);
        }
    }

    /// Applies a step.
    pub(crate) fn take(&mut self, step: &Step) {
        self.answer.clear();
        match step {
            Step::Publish => {
                let due = self.due();
                self.rounds.push(due);
            }
            Step::Mark(round) => self.mark(*round),
            Step::Claim(job) => self.claim(*job),
            Step::ClaimAgain(claim) | Step::Renew(claim) => {
                let (holds, at) = (self.holds(*claim), self.claims[*claim].job.delivery);
                if holds {
                    self.deliveries[at].lease = Lease::Holds;
                    self.answer.push(Sending);
                }
            }
            Step::Send(claim) => {
                self.claims[*claim].is_sent = true;
                let at = self.claims[*claim].job.delivery;
                self.deliveries[at].mails += 1;
            }
            Step::Settle(claim, outcome, is_repeated) => self.settle(*claim, *outcome, *is_repeated),
            Step::LeaseEnds(at) => {
                let delivery = &mut self.deliveries[*at];
                if delivery.lease != Lease::None {
                    delivery.lease = Lease::HasEnded;
                }
                delivery.range = delivery.range.map(|_| true);
            }
            Step::FallsDue(at) => {
                let delivery = &mut self.deliveries[*at];
                if is_owed(delivery) && delivery.time == Time::Later {
                    put_off(delivery, true);
                }
            }
            Step::RequeueLost => self.requeue_lost(),
            Step::ForgetRanges => self.forget_ranges(),
            Step::RequeueAll => self.take_back(|_| true),
            Step::EndExpiredLeases => self.end_expired_leases(),
            Step::EndUseless => self.end_useless(),
            Step::TakeBack => self.take_back(|batch| batch == Paused),
            Step::Finish => self.finish(),
            Step::Pause(batch) => self.turn(*batch, &[Running], Paused),
            Step::Resume(batch) => self.turn(*batch, &[Paused], Running),
            Step::Stop(batch) => self.turn(*batch, &[Running, Paused], Stopped),
        }
    }

    /// Asserts the overall promise: at most one mail per delivery, plus one for each attempt recorded as unsure; a
    /// delivery that is `sent` has at least one.
    pub(crate) fn assert_promise(&self) {
        for delivery in &self.deliveries {
            let unsure = delivery
                .record
                .iter()
                .filter(|verdict| **verdict == Some("unsure"))
                .count();
            let under_way = usize::from(delivery.state == Sending);
            assert!(delivery.mails <= 1 + unsure, "{delivery:?}");
            assert!(delivery.state != Sent || delivery.mails >= 1, "{delivery:?}");
            let may_have_it = unsure + under_way + usize::from(delivery.state == Sent);
            assert!(delivery.mails <= may_have_it, "{delivery:?}");
        }
    }
}

/// The state that readers see: a first attempt that was published and not claimed is queued.
impl Delivery {
    pub(crate) const fn shown_state(&self) -> DeliveryState {
        match self.state {
            Waiting if self.range.is_some() && matches!(self.time, Time::ByCursor) => Queued,
            state => state,
        }
    }
}

const fn is_owed(delivery: &Delivery) -> bool {
    matches!(delivery.state, Waiting | Queued | Retrying)
}

fn leave(delivery: &mut Delivery, state: DeliveryState) {
    delivery.state = state;
    delivery.lease = Lease::None;
    delivery.holder = None;
    delivery.time = Time::ByCursor;
}

/// Gives it its own due time: now or later.
fn put_off(delivery: &mut Delivery, is_due: bool) {
    delivery.time = if is_due { Time::Now } else { Time::Later };
    delivery.due += 1;
}
