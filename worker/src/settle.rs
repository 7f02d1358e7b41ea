//! Recording what became of an attempt.
//!
//! An outcome is written once, in a group with others, and only while the claim's token still
//! fits. Until Postgres has it the worker keeps asking: the mail is out, and a record that comes
//! late is better than a second mail. When the lease ended meanwhile, whoever took over decides,
//! and the outcome is dropped.

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
    group: Group<Outcome, Option<DeliveryState>>,
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

    /// Records an outcome and tells where the delivery went; nothing when it was not ours any
    /// more, or the process ends.
    pub async fn record(&self, outcome: Outcome, lane: Lane) -> Option<DeliveryState> {
        self.group.ask(outcome, lane).await.flatten()
    }
}

async fn record(
    db: &Db,
    lifecycle: &Lifecycle,
    metrics: &WorkerMetrics,
    outcomes: Vec<Outcome>,
) -> Vec<Option<DeliveryState>> {
    let mut delays = Delays::for_a_near_server();
    loop {
        match settle(db, &outcomes).await {
            Ok(settled) => {
                let states: HashMap<Uuid, DeliveryState> =
                    settled.into_iter().map(|one| (one.delivery, one.state)).collect();
                return outcomes
                    .iter()
                    .map(|outcome| states.get(&outcome.delivery).copied())
                    .collect();
            }
            Err(fault @ StoreError::Refused(_)) => {
                error!(error = ?fault, count = outcomes.len(), "Could not record outcomes: Postgres refused the statement");
            }
            Err(fault) => warn!(error = ?fault, count = outcomes.len(), "Could not record outcomes; trying again"),
        }
        metrics.record_failures.inc();
        tokio::select! {
            () = tokio::time::sleep(delays.next_delay()) => {}
            () = lifecycle.ending().cancelled() => return outcomes.iter().map(|_| None).collect(),
        }
    }
}
