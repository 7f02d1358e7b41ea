//! Reports the status of this worker, so that a page can show why mail waits.
//!
//! The status is a row in Postgres, written every few seconds and at once when trouble begins or ends.
//! Nothing depends on it: a worker that cannot write it continues and does not log the failure, because the
//! code that needs Postgres for its work does.
//!
//! While the quota of our account is used up, the worker also reads whether an administrator has resumed a batch.

use crate::send::{Mailer, RelayState};
use crate::sending::Sending;
use shared::queue::{BrokerStatus, Missing};
use shared::store::workers::TroubleReport;
use shared::store::{Db, workers};
use shared::trouble::WorkerTrouble;
use std::time::Duration;
use time::OffsetDateTime;
use tokio::time::{Instant, sleep, timeout};
use tracing::debug;

/// Interval of reports: three fit into [`shared::store::stall::SILENCE`], after which a worker counts as
/// missing.
const REPORT_INTERVAL: Duration = Duration::from_secs(10);

/// Minimum time between two reports, however often the trouble changes.
const REPORT_PAUSE: Duration = Duration::from_secs(1);

/// Timeout for the final report: an orderly stop does not wait for Postgres.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(2);

/// When a batch was last resumed, if ever.
#[derive(Clone, Copy)]
struct LastResumed(Option<OffsetDateTime>);

/// Reports the status of a worker.
#[derive(Clone)]
pub struct Presence {
    /// Where reports are written.
    pub db: Db,
    /// Name of the worker.
    pub name: String,
    /// When the worker started.
    pub began: Instant,
    /// Provides the state of the relay.
    pub mailer: Mailer<Sending>,
    /// Provides the state of the broker.
    pub broker: BrokerStatus,
}

impl Presence {
    /// Reports for as long as the process lives.
    pub async fn keep_reporting(self) {
        let mut resumed = None;
        loop {
            let relay = self.mailer.relay_state();
            let missing = self.broker.missing();
            let report = trouble(&relay, missing.as_ref());
            // A relay in trouble takes no mail at any rate.
            let rate = self.mailer.rate_limit().filter(|_| relay == RelayState::Up);
            let age = self.began.elapsed();
            if let Err(fault) = workers::report(&self.db, &self.name, age, report.as_ref(), rate).await {
                debug!(error = %fault, "Could not report the status of this worker");
            }
            resumed = self.probe_after_resume(resumed).await;
            sleep(REPORT_PAUSE).await;
            tokio::select! {
                () = sleep(REPORT_INTERVAL.saturating_sub(REPORT_PAUSE)) => {}
                () = self.mailer.relay_changed(&relay) => {}
                () = self.broker.changed(missing.as_ref()) => {}
            }
        }
    }

    /// Probes a relay whose quota is used up without waiting for the end of the pause, if an administrator has resumed a
    /// batch since `before`, which was read in the same pause. Workers report at different times, so their probes are
    /// spread over [`REPORT_INTERVAL`].
    async fn probe_after_resume(&self, before: Option<LastResumed>) -> Option<LastResumed> {
        if !self.mailer.is_quota_used_up() {
            return None;
        }
        match workers::last_resumed(&self.db).await {
            Ok(last) => {
                if before.is_some_and(|before| last > before.0) {
                    self.mailer.probe_now();
                }
                Some(LastResumed(last))
            }
            Err(fault) => {
                debug!(error = %fault, "Could not read whether a batch was resumed");
                before
            }
        }
    }

    /// Reports that the worker has stopped.
    pub async fn deregister(&self) {
        match timeout(LEAVE_TIMEOUT, workers::deregister(&self.db, &self.name)).await {
            Ok(Ok(())) => {}
            Ok(Err(fault)) => debug!(error = %fault, "Could not report that this worker has stopped"),
            Err(_) => debug!("Could not report in time that this worker has stopped"),
        }
    }
}

/// Trouble with the relay comes first: the broker connection is closed on purpose while it lasts.
fn trouble(relay: &RelayState, broker: Option<&Missing>) -> Option<TroubleReport> {
    match relay {
        RelayState::Down {
            since,
            trouble,
            refusal,
            reason,
        } => Some(TroubleReport {
            trouble: *trouble,
            lasts: since.elapsed(),
            words: Some(reason.clone()),
            refusal: refusal.map(str::to_owned),
        }),
        RelayState::Up => broker.map(|missing| TroubleReport {
            trouble: WorkerTrouble::BrokerAway,
            lasts: missing.since.elapsed(),
            words: None,
            refusal: None,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_troubles_that_of_the_relay_is_reported() {
        let relay = RelayState::Down {
            since: std::time::Instant::now(),
            trouble: WorkerTrouble::RelaySilent,
            refusal: None,
            reason: "no answer in time at greeting".to_owned(),
        };
        let missing = Missing {
            since: std::time::Instant::now(),
            cause: "Connection refused".to_owned(),
        };
        let now = Some(&missing);

        let of = |relay, missing| trouble(relay, missing).map(|report| report.trouble);

        assert_eq!(of(&RelayState::Up, None), None);
        assert_eq!(of(&RelayState::Up, now), Some(WorkerTrouble::BrokerAway));
        assert_eq!(of(&relay, now), Some(WorkerTrouble::RelaySilent));
        assert_eq!(of(&relay, None), Some(WorkerTrouble::RelaySilent));
    }
}
