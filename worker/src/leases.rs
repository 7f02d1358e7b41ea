//! Keeping claims, and knowing when they are lost.
//!
//! A claim lasts for one lease, so that a worker that dies is noticed soon. A mail may take much
//! longer (a relay may think for minutes about the final dot), so claims that are a third of a
//! lease old are renewed, all in one statement. A worker that cannot renew in time, because it was
//! frozen or cut off from Postgres, knows by its own clock that another may have taken over, and
//! starts no body it no longer has the right to send.
//!
//! Deliveries that were claimed together share one [`Lease`]. It is renewed while anything holds it.
//! Once nothing does, it is not renewed; one of which every delivery has been recorded has ended, and
//! the next group of outcomes says so to Postgres. Where one was not recorded, for instance because of
//! a panic, the claims run out in Postgres.

use shared::store::{Db, claims};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};
use tracing::warn;
use uuid::Uuid;

/// Before a body is begun, the lease must last for at least this part of it longer.
const MARGIN_DIVISOR: u32 = 10;

/// The leases of this worker.
pub struct Leases {
    lease: Duration,
    held: Mutex<Vec<Weak<Lease>>>,
    ended: Ended,
}

/// Tokens of the claims of which every delivery has been recorded.
type Ended = Arc<Mutex<Vec<Uuid>>>;

/// The time of the deliveries that were claimed together.
pub struct Lease {
    token: Uuid,
    /// Deliveries that have not been recorded.
    unrecorded: AtomicUsize,
    ended: Ended,
    asked_at: Instant,
    margin: Duration,
    until: Mutex<Instant>,
}

impl Lease {
    /// Whether the deliveries are surely still ours for long enough to begin a body.
    pub fn holds(&self) -> bool {
        Instant::now() + self.margin < self.until()
    }

    /// How long ago the claim was asked for.
    pub fn age(&self) -> Duration {
        self.asked_at.elapsed()
    }

    /// One of the deliveries has been recorded.
    pub fn recorded(&self) {
        if self.unrecorded.fetch_sub(1, Ordering::Relaxed) == 1 {
            locked(&self.ended).push(self.token);
        }
    }

    /// The claims' token.
    pub const fn token(&self) -> Uuid {
        self.token
    }

    fn until(&self) -> Instant {
        *locked(&self.until)
    }

    /// A renewal asked for at `asked_at` was answered. One that was asked for too late proves
    /// nothing: another worker may hold some of the deliveries.
    fn renew(&self, asked_at: Instant, lease: Duration) {
        let mut until = locked(&self.until);
        if Instant::now() < *until {
            *until = asked_at + lease;
        }
    }
}

impl Leases {
    /// No claims yet; each will last for `lease`.
    pub fn of(lease: Duration) -> Arc<Self> {
        Arc::new(Self {
            lease,
            held: Mutex::default(),
            ended: Ended::default(),
        })
    }

    /// How long a claim lasts.
    pub const fn lease(&self) -> Duration {
        self.lease
    }

    /// Notes a claim of some deliveries that was asked for at `asked_at`: Postgres counted its lease from
    /// then or later.
    pub fn hold(&self, deliveries: usize, token: Uuid, asked_at: Instant) -> Arc<Lease> {
        let lease = Arc::new(Lease {
            token,
            unrecorded: AtomicUsize::new(deliveries),
            ended: Arc::clone(&self.ended),
            asked_at,
            margin: self.lease / MARGIN_DIVISOR,
            until: Mutex::new(asked_at + self.lease),
        });
        locked(&self.held).push(Arc::downgrade(&lease));
        lease
    }

    /// Renews what needs it, for as long as the process lives.
    pub async fn keep_renewing(self: Arc<Self>, db: Db) {
        let mut pace = tokio::time::interval(self.lease / 6);
        loop {
            pace.tick().await;
            let ageing = self.ageing();
            if ageing.is_empty() {
                continue;
            }
            let asked_at = Instant::now();
            let tokens: Vec<Uuid> = ageing.iter().map(|lease| lease.token).collect();
            match claims::renew(&db, &tokens, self.lease).await {
                Ok(_) => ageing.iter().for_each(|lease| lease.renew(asked_at, self.lease)),
                Err(fault) => warn!(error = %fault, count = tokens.len(), "Could not renew leases; trying again"),
            }
        }
    }

    /// The claims that have ended since this was last asked.
    pub fn take_ended(&self) -> Vec<Uuid> {
        std::mem::take(&mut *locked(&self.ended))
    }

    fn ageing(&self) -> Vec<Arc<Lease>> {
        let soon = Instant::now() + self.lease * 2 / 3;
        let mut held = locked(&self.held);
        held.retain(|lease| lease.strong_count() > 0);
        let leases = held.iter().filter_map(Weak::upgrade);
        leases.filter(|lease| lease.until() < soon).collect()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease_asked_for(leases: &Leases, ago: u64) -> Arc<Lease> {
        let asked_at = Instant::now().checked_sub(Duration::from_secs(ago)).unwrap();
        leases.hold(2, Uuid::from_u128(9), asked_at)
    }

    #[test]
    fn a_lease_that_was_not_renewed_no_longer_holds() {
        let leases = Leases::of(Duration::from_mins(1));
        let fresh = lease_asked_for(&leases, 0);
        assert!(fresh.holds());
        assert!(leases.ageing().is_empty());

        let ageing = lease_asked_for(&leases, 55);
        assert!(!ageing.holds(), "less than a tenth of the lease is left");
        assert_eq!(leases.ageing().len(), 1);

        ageing.renew(Instant::now(), leases.lease());
        assert!(ageing.holds());
        assert!(leases.ageing().is_empty());
    }

    #[test]
    fn a_renewal_that_comes_too_late_proves_nothing() {
        let leases = Leases::of(Duration::from_mins(1));
        let lost = lease_asked_for(&leases, 61);

        lost.renew(Instant::now(), leases.lease());

        assert!(!lost.holds());
    }

    #[test]
    fn claims_end_when_each_delivery_has_been_recorded() {
        let leases = Leases::of(Duration::from_mins(1));
        let lease = lease_asked_for(&leases, 0);
        let forgotten = lease_asked_for(&leases, 0);

        lease.recorded();
        forgotten.recorded();
        assert!(leases.take_ended().is_empty());
        lease.recorded();
        drop(forgotten);

        assert_eq!(leases.take_ended(), [lease.token()]);
        assert!(leases.take_ended().is_empty());
    }

    #[test]
    fn what_is_let_go_is_not_renewed() {
        let leases = Leases::of(Duration::from_mins(1));
        let ageing = lease_asked_for(&leases, 30);
        assert_eq!(leases.ageing().len(), 1);

        drop(ageing);

        assert!(leases.ageing().is_empty());
    }
}
