//! Renews the leases of claims and detects when they are lost.
//!
//! A lease is short, so that a dead worker is noticed soon. A mail may take much longer, because a relay may
//! take minutes to answer the final dot, so leases are renewed after a third of their time, all in one
//! statement. A worker that cannot renew in time, because it was frozen or cut off from Postgres, sees by its
//! own clock that another may have taken over, and starts no body that it may no longer send.
//!
//! Deliveries claimed together share one [`Lease`], which is renewed for as long as anything holds it. A
//! lease whose deliveries are all recorded has ended; the next group of outcomes reports that to Postgres. If
//! a delivery was not recorded, for example because of a panic, the lease expires in Postgres.

use shared::store::{Db, claims};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};
use tracing::warn;
use uuid::Uuid;

/// A body may only start while at least 1/`MARGIN_DIVISOR` of the lease is left.
const MARGIN_DIVISOR: u32 = 10;

/// The leases held by this worker.
pub struct Leases {
    lease: Duration,
    held: Mutex<Vec<Weak<Lease>>>,
    ended: Ended,
}

/// Tokens of claims whose deliveries are all recorded.
type Ended = Arc<Mutex<Vec<Uuid>>>;

/// The lease of deliveries that were claimed together.
pub struct Lease {
    token: Uuid,
    /// Number of deliveries that are not recorded.
    unrecorded: AtomicUsize,
    ended: Ended,
    requested_at: Instant,
    margin: Duration,
    until: Mutex<Instant>,
}

impl Lease {
    /// Whether the deliveries are certain to be ours for long enough to start a body.
    pub fn holds(&self) -> bool {
        Instant::now() + self.margin < self.until()
    }

    /// Time since the claim was requested.
    pub fn age(&self) -> Duration {
        self.requested_at.elapsed()
    }

    /// Counts one of the deliveries as recorded.
    pub fn recorded(&self) {
        if self.unrecorded.fetch_sub(1, Ordering::Relaxed) == 1 {
            locked(&self.ended).push(self.token);
        }
    }

    /// The token of the claims.
    pub const fn token(&self) -> Uuid {
        self.token
    }

    fn until(&self) -> Instant {
        *locked(&self.until)
    }

    /// Extends the lease after a renewal that was requested at `requested_at` and answered.
    ///
    /// A renewal requested too late proves nothing: another worker may hold some of the deliveries.
    fn renew(&self, requested_at: Instant, lease: Duration) {
        let mut until = locked(&self.until);
        if Instant::now() < *until {
            *until = requested_at + lease;
        }
    }
}

impl Leases {
    /// Creates an empty set whose leases last for `lease`.
    pub fn of(lease: Duration) -> Arc<Self> {
        Arc::new(Self {
            lease,
            held: Mutex::default(),
            ended: Ended::default(),
        })
    }

    /// How long a lease lasts.
    pub const fn lease(&self) -> Duration {
        self.lease
    }

    /// Adds the lease of a claim requested at `requested_at`. Postgres counts the lease from then or later.
    pub fn hold(&self, deliveries: usize, token: Uuid, requested_at: Instant) -> Arc<Lease> {
        let lease = Arc::new(Lease {
            token,
            unrecorded: AtomicUsize::new(deliveries),
            ended: Arc::clone(&self.ended),
            requested_at,
            margin: self.lease / MARGIN_DIVISOR,
            until: Mutex::new(requested_at + self.lease),
        });
        locked(&self.held).push(Arc::downgrade(&lease));
        lease
    }

    /// Renews leases for as long as the process lives.
    pub async fn keep_renewing(self: Arc<Self>, db: Db) {
        let mut pace = tokio::time::interval(self.lease / 6);
        loop {
            pace.tick().await;
            let ageing = self.ageing();
            if ageing.is_empty() {
                continue;
            }
            let requested_at = Instant::now();
            let tokens: Vec<Uuid> = ageing.iter().map(|lease| lease.token).collect();
            match claims::renew(&db, &tokens, self.lease).await {
                Ok(_) => ageing.iter().for_each(|lease| lease.renew(requested_at, self.lease)),
                Err(fault) => warn!(error = %fault, count = tokens.len(), "Could not renew leases; retrying"),
            }
        }
    }

    /// Returns the claims that have ended since the last call.
    pub fn take_ended(&self) -> Vec<Uuid> {
        std::mem::take(&mut *locked(&self.ended))
    }

    fn ageing(&self) -> Vec<Arc<Lease>> {
        let renew_before = Instant::now() + self.lease * 2 / 3;
        let mut held = locked(&self.held);
        held.retain(|lease| lease.strong_count() > 0);
        let leases = held.iter().filter_map(Weak::upgrade);
        leases.filter(|lease| lease.until() < renew_before).collect()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease_claimed_ago(leases: &Leases, ago: u64) -> Arc<Lease> {
        let requested_at = Instant::now().checked_sub(Duration::from_secs(ago)).unwrap();
        leases.hold(2, Uuid::from_u128(9), requested_at)
    }

    #[test]
    fn a_lease_that_was_not_renewed_no_longer_holds() {
        let leases = Leases::of(Duration::from_mins(1));
        let fresh = lease_claimed_ago(&leases, 0);
        assert!(fresh.holds());
        assert!(leases.ageing().is_empty());

        let ageing = lease_claimed_ago(&leases, 55);
        assert!(!ageing.holds(), "less than a tenth of the lease is left");
        assert_eq!(leases.ageing().len(), 1);

        ageing.renew(Instant::now(), leases.lease());
        assert!(ageing.holds());
        assert!(leases.ageing().is_empty());
    }

    #[test]
    fn a_renewal_that_comes_too_late_proves_nothing() {
        let leases = Leases::of(Duration::from_mins(1));
        let lost = lease_claimed_ago(&leases, 61);

        lost.renew(Instant::now(), leases.lease());

        assert!(!lost.holds());
    }

    #[test]
    fn claims_end_when_each_delivery_has_been_recorded() {
        let leases = Leases::of(Duration::from_mins(1));
        let lease = lease_claimed_ago(&leases, 0);
        let forgotten = lease_claimed_ago(&leases, 0);

        lease.recorded();
        forgotten.recorded();
        assert!(leases.take_ended().is_empty());
        lease.recorded();
        drop(forgotten);

        assert_eq!(leases.take_ended(), [lease.token()]);
        assert!(leases.take_ended().is_empty());
    }

    #[test]
    fn a_released_claim_is_not_renewed() {
        let leases = Leases::of(Duration::from_mins(1));
        let ageing = lease_claimed_ago(&leases, 30);
        assert_eq!(leases.ageing().len(), 1);

        drop(ageing);

        assert!(leases.ageing().is_empty());
    }
}
