//! Holds the dispatcher's lease.
//!
//! The lease is a row that its holder renews every three seconds ([`shared::store::dispatcher_lease`]). A
//! holder that cannot renew it stops by its own clock before another process may take over. If it was frozen
//! in between, its epoch is stale and its statements change nothing.

use shared::store::dispatcher_lease::{self as rows, DispatcherLease, LEASE, RENEW_INTERVAL};
use shared::store::{Db, StoreResult};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tracing::warn;

/// How long before the end of its lease a holder stops.
const MARGIN: Duration = Duration::from_secs(3);

/// Timeout for releasing the lease: an orderly stop does not wait for Postgres.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(2);

/// The lease, which is renewed until dropped.
pub(super) struct HeldLease {
    db: Db,
    lease: DispatcherLease,
    is_after_silence: bool,
    is_lost: watch::Receiver<bool>,
    renewing: JoinHandle<()>,
}

impl HeldLease {
    /// Takes the lease if no process holds it.
    pub(super) async fn take(db: &Db, holder: &str) -> StoreResult<Option<Self>> {
        let requested_at = Instant::now();
        let Some(taken) = rows::take(db, holder).await? else {
            return Ok(None);
        };
        let lease = taken.lease;
        let (lost, is_lost) = watch::channel(false);
        let renewing = keep_renewing(db.clone(), lease, requested_at, lost);
        Ok(Some(Self {
            db: db.clone(),
            lease,
            is_after_silence: taken.is_after_silence,
            is_lost,
            renewing: tokio::spawn(renewing),
        }))
    }

    /// The lease with its epoch, for fenced statements.
    pub(super) const fn lease(&self) -> DispatcherLease {
        self.lease
    }

    /// Whether the previous holder had stopped renewing. If Postgres was away, the leases of healthy workers
    /// have expired too.
    pub(super) const fn is_after_silence(&self) -> bool {
        self.is_after_silence
    }

    /// Resolves once another process may hold the lease.
    pub(super) async fn lost(&self) {
        // An error means that the renewing task has ended, and the lease with it.
        let _ = self.is_lost.clone().wait_for(|lost| *lost).await;
    }

    /// Releases the lease, so that any process can take it.
    pub(super) async fn release(self) {
        self.renewing.abort();
        if *self.is_lost.borrow() {
            return;
        }
        match timeout(RELEASE_TIMEOUT, rows::release(&self.db, self.lease)).await {
            Ok(Ok(())) => {}
            Ok(Err(fault)) => {
                warn!(error = %fault, "Could not release the dispatcher's lease; it expires automatically");
            }
            Err(_) => warn!("Could not release the dispatcher's lease in time; it expires automatically"),
        }
    }
}

impl Drop for HeldLease {
    fn drop(&mut self) {
        self.renewing.abort();
    }
}

async fn keep_renewing(db: Db, lease: DispatcherLease, taken_at: Instant, lost: watch::Sender<bool>) {
    let mut renewed_at = taken_at;
    let mut pace = interval(RENEW_INTERVAL);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        pace.tick().await;
        let ends = renewed_at + LEASE.saturating_sub(MARGIN);
        let requested_at = Instant::now();
        match tokio::time::timeout_at(ends, rows::renew(&db, lease)).await {
            Ok(Ok(true)) => renewed_at = requested_at,
            Ok(Ok(false)) | Err(_) => break,
            Ok(Err(fault)) => {
                warn!(error = %fault, cause = %fault.cause(), "Could not renew the dispatcher's lease; retrying");
            }
        }
        if Instant::now() >= ends && renewed_at < requested_at {
            break;
        }
    }
    lost.send_replace(true);
}
