//! Recording what became of an attempt.
//!
//! An outcome is written once, in a group with others, and only while the claim's token still
//! fits. Until Postgres has it the worker keeps asking: the mail is out, and a record that comes
//! late is better than a second mail. When the lease ended meanwhile, whoever took over decides,
//! and the outcome is dropped. When Postgres refuses a group, as a fault of ours would make it, its
//! outcomes are recorded one by one, so that one of them costs none of the others.

use crate::group::Group;
use crate::metrics::WorkerMetrics;
use shared::batch::Lane;
use shared::delivery::DeliveryState;
use shared::lifecycle::Lifecycle;
use shared::reconnect::Delays;
use shared::store::settle::{Outcome, settle};
use shared::store::{Db, StoreError};
use std::collections::HashMap;
use std::sync::Arc;
use tracing::{error, warn};
use uuid::Uuid;

/// Records outcomes, in groups.
pub struct Settling {
    group: Group<Outcome, Recorded>,
}

/// How recording an outcome went.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Recorded {
    /// The delivery went there.
    Moved(DeliveryState),
    /// The claim was lost, and whoever holds it now decides.
    NotOurs,
    /// Postgres refused, or has not answered and the process ends. The job must not be
    /// acknowledged: nobody has recorded what became of it.
    Unknown,
}

impl Settling {
    /// Starts recording.
    pub fn start(lifecycle: &Lifecycle, db: Db, metrics: Arc<WorkerMetrics>) -> Self {
        let ending = lifecycle.clone();
        let group = Group::start(lifecycle, move |outcomes| {
            let (db, ending, metrics) = (db.clone(), ending.clone(), Arc::clone(&metrics));
            async move { record(&db, &ending, &metrics, outcomes).await }
        });
        Self { group }
    }

    /// Records an outcome.
    pub async fn record(&self, outcome: Outcome, lane: Lane) -> Recorded {
        self.group.ask(outcome, lane).await.unwrap_or(Recorded::Unknown)
    }
}

async fn record(db: &Db, lifecycle: &Lifecycle, metrics: &WorkerMetrics, outcomes: Vec<Outcome>) -> Vec<Recorded> {
    if let Some(recorded) = record_together(db, lifecycle, metrics, &outcomes).await {
        return recorded;
    }
    let mut recorded = Vec::with_capacity(outcomes.len());
    for outcome in outcomes {
        let alone = record_together(db, lifecycle, metrics, &[outcome]).await;
        recorded.push(alone.and_then(|one| one.first().copied()).unwrap_or(Recorded::Unknown));
    }
    recorded
}

/// Records outcomes in one statement; nothing when Postgres refuses it.
async fn record_together(
    db: &Db,
    lifecycle: &Lifecycle,
    metrics: &WorkerMetrics,
    outcomes: &[Outcome],
) -> Option<Vec<Recorded>> {
    let mut delays = Delays::for_a_near_server();
    let mut is_repeated = false;
    loop {
        match settle(db, outcomes, is_repeated).await {
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
                metrics.record_failures.inc();
                error!(error = ?fault, count = outcomes.len(), "Could not record outcomes: Postgres refused the statement");
                return None;
            }
            Err(fault) => warn!(error = ?fault, count = outcomes.len(), "Could not record outcomes; trying again"),
        }
        metrics.record_failures.inc();
        is_repeated = true;
        tokio::select! {
            () = tokio::time::sleep(delays.next_delay()) => {}
            () = lifecycle.ending().cancelled() => return Some(vec![Recorded::Unknown; outcomes.len()]),
        }
    }
}
