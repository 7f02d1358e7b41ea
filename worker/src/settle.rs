//! Recording what became of attempts.
//!
//! Outcomes are written in groups, and each only while its claim's token still fits. Until Postgres
//! has them the worker keeps asking: the mails are out, and a record that comes late is better than
//! a second mail. When a lease ended meanwhile, a final answer of the relay still counts until another
//! attempt begins; then that one decides, and the outcome is dropped. When Postgres refuses a group, as a fault of ours would make it, its outcomes are
//! recorded one by one, so that one of them costs none of the others. Some groups are recorded at
//! the same time, so that one that waits for a locked row does not hold up the rest.

use crate::batcher::Batcher;
use crate::claim::Held;
use crate::leases::Leases;
use crate::metrics::WorkerMetrics;
use crate::outcome;
use crate::spans::{Step, Steps, Times};
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

/// Groups that are recorded at the same time. Each takes a connection to Postgres.
const GROUPS: usize = 4;

/// An attempt that has ended, with what came of it.
pub struct Finished {
    /// The delivery.
    pub held: Held,
    /// What came of it.
    pub outcome: Outcome,
    /// The times of its steps.
    pub steps: Steps,
}

/// How recording an outcome went.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Recorded {
    /// The delivery went there.
    Moved(DeliveryState),
    /// The claim was lost, and whichever worker holds it now decides.
    NotOurs,
    /// Postgres refused, or has not answered and the process ends. The job must not be
    /// acknowledged: what became of it is not recorded.
    Unknown,
}

/// Takes finished attempts to be recorded. Cheap to clone.
#[derive(Clone)]
pub struct Settler {
    finished: mpsc::UnboundedSender<Finished>,
}

impl Settler {
    /// Starts recording. It ends when no clone is left and everything is recorded.
    pub fn start(
        lifecycle: &Lifecycle,
        db: Db,
        leases: Arc<Leases>,
        worker: String,
        metrics: Arc<WorkerMetrics>,
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
        Self { finished }
    }

    /// Takes a finished attempt. There are never more than a worker has in hand.
    pub fn push(&self, finished: Finished) {
        // It fails only when the process has ended, and then the lease tells of the attempt.
        let _ = self.finished.send(finished);
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
    async fn run(self: Arc<Self>, mut batcher: Batcher<Finished>) {
        let groups = Arc::new(Semaphore::new(GROUPS));
        let is_urgent = |finished: &Finished| finished.held.work.lane == Lane::Interactive;
        while let Some(group) = batcher.next(is_urgent).await {
            let Ok(turn) = Arc::clone(&groups).acquire_owned().await else {
                return;
            };
            let this = Arc::clone(&self);
            self.lifecycle.spawn(async move {
                this.record_group(group).await;
                drop(turn);
            });
        }
    }

    async fn record_group(&self, group: Vec<Finished>) {
        let began = now();
        let (outcomes, attempts): (Vec<Outcome>, Vec<(Held, Steps)>) = group
            .into_iter()
            .map(|finished| (finished.outcome, (finished.held, finished.steps)))
            .unzip();
        let recorded = self.record(&outcomes).await;
        reach(Point::OutcomeRecorded);
        let times = Times::since(began);
        for (((held, mut steps), outcome), recorded) in attempts.into_iter().zip(outcomes).zip(recorded) {
            steps.add(&self.metrics, Step::Settle, times);
            self.conclude(&held, &outcome, steps, recorded);
        }
    }

    async fn record(&self, outcomes: &[Outcome]) -> Vec<Recorded> {
        if let Some(recorded) = self.record_together(outcomes, false).await {
            return recorded;
        }
        let mut recorded = Vec::with_capacity(outcomes.len());
        for outcome in outcomes {
            // Of the group, some may have been recorded.
            let alone = self.record_together(std::slice::from_ref(outcome), true).await;
            recorded.push(alone.and_then(|one| one.first().copied()).unwrap_or(Recorded::Unknown));
        }
        recorded
    }

    /// Records outcomes together; nothing when Postgres refuses them.
    async fn record_together(&self, outcomes: &[Outcome], was_asked: bool) -> Option<Vec<Recorded>> {
        let mut delays = Delays::for_a_near_server();
        let let_go = self.leases.take_ended();
        let mut is_repeated = was_asked;
        loop {
            let group = Group {
                outcomes,
                worker: &self.worker,
                let_go: &let_go,
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
                    warn!(error = ?fault, count = outcomes.len(), "Could not record outcomes; trying again");
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
    fn conclude(&self, held: &Held, outcome: &Outcome, steps: Steps, recorded: Recorded) {
        let (claim, work) = (&held.claim, &held.work);
        // Of the highest level, so that a line of any level has its ids.
        let span = error_span!(
            "job",
            delivery.id = %claim.delivery,
            attempt = claim.attempt,
            trace.id = %work.trace.trace_id(),
        );
        span.in_scope(|| outcome::tell(claim, work.lane, outcome, recorded, steps.at_the_relay()));
        steps.tell(work.trace, work.lane, claim, outcome);
        if let Recorded::Moved(state) = recorded {
            self.count(held, outcome, state);
        }
        if recorded != Recorded::Unknown {
            held.lease.recorded();
            work.acks.done(work.tag);
        }
    }

    fn count(&self, held: &Held, outcome: &Outcome, state: DeliveryState) {
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
            // By Postgres's clock until the claim, by ours since.
            let waited = (claim.claimed_at - claim.start_at).as_seconds_f64();
            self.metrics.observe_send(lane, claim.kind, waited + age);
        }
    }
}
