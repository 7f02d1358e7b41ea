//! Records the outcomes of attempts.
//!
//! Outcomes are written in groups, each only if its claim's token still matches. The worker retries until
//! Postgres has them: the mails are sent, and a late record is better than a second mail. If a lease expired
//! in the meantime, a final answer from the relay still counts until another attempt begins; then that
//! attempt decides and the outcome is dropped. If Postgres rejects a group, as a bug might cause, its
//! outcomes are recorded individually, so that one of them does not affect the others. Several groups are
//! recorded concurrently, so that one that waits for a locked row does not hold up the rest. Accepted mails that are
//! not recorded yet are kept on disk ([`crate::journal`]).

use crate::batcher::Batcher;
use crate::claim::ClaimedDelivery;
use crate::journal::{Entry, Journal};
use crate::leases::Leases;
use crate::metrics::WorkerMetrics;
use crate::outcome::{self, Recorded};
use crate::spans::{Steps, Times};
use crate::step::Step;
use shared::batch::Lane;
use shared::delivery::DeliveryState;
use shared::failpoint::{Point, reach};
use shared::lifecycle::Lifecycle;
use shared::reconnect::Delays;
use shared::store::settle::{Ending, Group, Outcome, settle};
use shared::store::{Db, StoreError};
use shared::trace::now;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc};
use tracing::{error, error_span, warn};
use uuid::Uuid;

/// Number of groups recorded concurrently. Each takes a connection to Postgres.
const GROUPS: usize = 4;

/// A finished attempt and its outcome.
pub struct Finished {
    /// The delivery.
    pub held: ClaimedDelivery,
    /// Its outcome.
    pub outcome: Outcome,
    /// The timings of its steps.
    pub steps: Steps,
}

/// Accepts finished attempts to be recorded. Cheap to clone.
#[derive(Clone)]
pub struct Settler {
    finished: mpsc::UnboundedSender<JournaledAttempt>,
    journal: Option<Arc<Journal>>,
}

/// A finished attempt with its entry in the journal.
type JournaledAttempt = (Finished, Option<Entry>);

impl Settler {
    /// Starts recording. The task ends when no clone is left and everything is recorded.
    pub fn start(
        lifecycle: &Lifecycle,
        db: Db,
        leases: Arc<Leases>,
        worker: String,
        metrics: Arc<WorkerMetrics>,
        journal: Option<Arc<Journal>>,
    ) -> Self {
        let (finished, arriving) = mpsc::unbounded_channel();
        let recorder = Arc::new(Recorder {
            db,
            leases,
            worker,
            lifecycle: lifecycle.clone(),
            metrics,
        });
        lifecycle.spawn(recorder.run(Batcher::new(arriving)));
        Self { finished, journal }
    }

    /// Queues a finished attempt. The queue never holds more outcomes than the worker has mails in flight.
    pub fn push(&self, finished: Finished) {
        let (lane, kind) = (finished.held.work.lane, finished.held.claim.kind);
        let journal = self.journal.as_ref();
        let entry = journal.and_then(|journal| journal.append(&finished.outcome, lane, kind));
        // Sending fails only after the process has ended. Then the expired lease makes the attempt unsure.
        let _ = self.finished.send((finished, entry));
    }
}

struct Recorder {
    db: Db,
    leases: Arc<Leases>,
    worker: String,
    lifecycle: Lifecycle,
    metrics: Arc<WorkerMetrics>,
}

impl Recorder {
    async fn run(self: Arc<Self>, mut batcher: Batcher<JournaledAttempt>) {
        let groups = Arc::new(Semaphore::new(GROUPS));
        let is_urgent = |(finished, _): &JournaledAttempt| finished.held.work.lane == Lane::Interactive;
        while let Some(group) = batcher.next(is_urgent).await {
            let Ok(permit) = Arc::clone(&groups).acquire_owned().await else {
                return;
            };
            let this = Arc::clone(&self);
            self.lifecycle.spawn(async move {
                this.record_group(group).await;
                drop(permit);
            });
        }
    }

    async fn record_group(&self, group: Vec<JournaledAttempt>) {
        let began = now();
        let (outcomes, attempts): (Vec<_>, Vec<_>) = group
            .into_iter()
            .map(|(finished, entry)| (finished.outcome, (finished.held, finished.steps, entry)))
            .unzip();
        let recorded = self.record(&outcomes).await;
        reach(Point::OutcomeRecorded);
        let times = Times::since(began);
        for (((held, mut steps, entry), outcome), recorded) in attempts.into_iter().zip(outcomes).zip(recorded) {
            steps.add(&self.metrics, Step::Settle, times);
            self.conclude(&held, &outcome, steps, recorded);
            if let Some(entry) = entry.filter(|_| recorded != Recorded::Unknown) {
                entry.recorded();
            }
        }
    }

    async fn record(&self, outcomes: &[Outcome]) -> Vec<Recorded> {
        if let Some(recorded) = self.record_together(outcomes, false).await {
            return recorded;
        }
        let mut recorded = Vec::with_capacity(outcomes.len());
        for outcome in outcomes {
            // Some of the group may already have been recorded.
            let alone = self.record_together(std::slice::from_ref(outcome), true).await;
            recorded.push(alone.and_then(|one| one.first().copied()).unwrap_or(Recorded::Unknown));
        }
        recorded
    }

    /// Records outcomes in one statement. Returns `None` if Postgres rejects them.
    async fn record_together(&self, outcomes: &[Outcome], mut is_repeated: bool) -> Option<Vec<Recorded>> {
        let mut delays = Delays::for_a_near_server();
        let released = self.leases.take_ended();
        loop {
            let group = Group {
                outcomes,
                worker: &self.worker,
                released: &released,
                is_repeated,
            };
            match settle(&self.db, group).await {
                Ok(settled) => {
                    let states: HashMap<Uuid, DeliveryState> =
                        settled.into_iter().map(|one| (one.delivery, one.state)).collect();
                    let state = |outcome: &Outcome| states.get(&outcome.delivery).copied();
                    let recorded = outcomes
                        .iter()
                        .map(|outcome| state(outcome).map_or(Recorded::NotOurs, Recorded::Moved));
                    return Some(recorded.collect());
                }
                Err(fault @ StoreError::Refused(_)) => {
                    self.metrics.record_failures.inc();
                    error!(error = ?fault, count = outcomes.len(), "Could not record outcomes: Postgres refused the statement");
                    return None;
                }
                Err(fault) => {
                    warn!(error = ?fault, count = outcomes.len(), "Could not record outcomes; retrying");
                }
            }
            self.metrics.record_failures.inc();
            is_repeated = true;
            tokio::select! {
                () = tokio::time::sleep(delays.next_delay()) => {}
                () = self.lifecycle.ending().cancelled() => return Some(vec![Recorded::Unknown; outcomes.len()]),
            }
        }
    }

    /// Counts, logs and acknowledges an attempt.
    fn conclude(&self, held: &ClaimedDelivery, outcome: &Outcome, steps: Steps, recorded: Recorded) {
        let (claim, work) = (&held.claim, &held.work);
        // At the highest level, so that log lines of every level carry its ids.
        let span = error_span!(
            "job",
            delivery.id = %claim.delivery,
            attempt = claim.attempt,
            trace.id = %work.trace.trace_id(),
        );
        span.in_scope(|| outcome::log(claim, work.lane, outcome, recorded, steps.relay_duration()));
        steps.emit(work.trace, work.lane, claim, outcome);
        if let Recorded::Moved(state) = recorded {
            self.count(held, outcome, state);
        }
        if recorded != Recorded::Unknown {
            held.lease.recorded();
            work.acks.ack(work.tag);
        }
    }

    fn count(&self, held: &ClaimedDelivery, outcome: &Outcome, state: DeliveryState) {
        let (claim, lane) = (&held.claim, held.work.lane);
        self.metrics
            .count_attempt(claim.kind, claim.attempt, &outcome.ending, state);
        if !matches!(outcome.ending, Ending::Sent { .. }) {
            return;
        }
        let is_first = claim.attempt == 1;
        let age = held.lease.age().as_secs_f64();
        let is_on_time = claim.seconds_left.map(|left| age <= left);
        self.metrics.count_sent(lane, claim.kind, is_first, is_on_time);
        if is_first {
            // By the clock of Postgres until the claim, and by ours since.
            let waited = (claim.claimed_at - claim.start_at).as_seconds_f64();
            self.metrics.observe_send(lane, claim.kind, waited + age);
        }
    }
}
