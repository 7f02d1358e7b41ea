//! Keeping claims alive, and knowing when one is lost.
//!
//! A claim lasts for one lease, so that a worker that dies is noticed soon. A mail may take much
//! longer (a relay may think for minutes about the final dot), so claims that are a third of a
//! lease old are renewed, all in one statement. A worker that cannot renew in time, because it
//! was frozen or cut off from Postgres, knows by its own clock that another may have taken over,
//! and does not start a body it no longer has the right to send.
//!
//! A claim is renewed as long as somebody works on it: whoever lets go of its [`Lease`], also by a
//! panic, lets the claim run out.

use shared::store::{Db, claims};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};
use tracing::warn;
use uuid::Uuid;

/// Before a body is begun, the lease must last for at least this part of it longer.
const MARGIN_DIVISOR: u32 = 10;

/// The claims of this worker.
pub struct Leases {
    lease: Duration,
    /// By delivery and token: a delivery whose claim was lost may be claimed by us again.
    held: Mutex<HashMap<(Uuid, Uuid), Weak<Lease>>>,
}

/// One claim's time.
pub struct Lease {
    token: Uuid,
    asked_at: Instant,
    margin: Duration,
    until: Mutex<Instant>,
}

impl Lease {
    /// Whether the delivery is surely still ours for long enough to begin its body.
    pub fn holds(&self) -> bool {
        let until = *self.until.lock().unwrap_or_else(PoisonError::into_inner);
        Instant::now() + self.margin < until
    }

    /// How long ago the claim was asked for.
    pub fn age(&self) -> Duration {
        self.asked_at.elapsed()
    }

    /// The claim's token.
    pub const fn token(&self) -> Uuid {
        self.token
    }

    fn extend(&self, until: Instant) {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }
}

impl Leases {
    /// No claims yet; each will last for `lease`.
    pub fn of(lease: Duration) -> Arc<Self> {
        Arc::new(Self {
            lease,
            held: Mutex::default(),
        })
    }

    /// How long a claim lasts.
    pub const fn lease(&self) -> Duration {
        self.lease
    }

    /// Notes a claim asked for at `asked_at`: Postgres counted its lease from then or later.
    pub fn hold(&self, delivery: Uuid, token: Uuid, asked_at: Instant) -> Arc<Lease> {
        let lease = Arc::new(Lease {
            token,
            asked_at,
            margin: self.lease / MARGIN_DIVISOR,
            until: Mutex::new(asked_at + self.lease),
        });
        self.locked().insert((delivery, token), Arc::downgrade(&lease));
        lease
    }

    /// How many are held.
    pub fn count(&self) -> usize {
        let mut held = self.locked();
        held.retain(|_, lease| lease.strong_count() > 0);
        held.len()
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
            match claims::renew(&db, &ageing, self.lease).await {
                Ok(renewed) => {
                    let held = self.locked();
                    for lease in renewed.iter().filter_map(|claim| held.get(claim)?.upgrade()) {
                        lease.extend(asked_at + self.lease);
                    }
                }
                Err(fault) => warn!(error = %fault, count = ageing.len(), "Could not renew leases; trying again"),
            }
        }
    }

    fn ageing(&self) -> Vec<(Uuid, Uuid)> {
        let soon = Instant::now() + self.lease * 2 / 3;
        let is_ageing = |lease: &Lease| *lease.until.lock().unwrap_or_else(PoisonError::into_inner) < soon;
        let mut held = self.locked();
        held.retain(|_, lease| lease.strong_count() > 0);
        held.iter()
            .filter(|(_, lease)| lease.upgrade().is_some_and(|lease| is_ageing(&lease)))
            .map(|(claim, _)| *claim)
            .collect()
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, HashMap<(Uuid, Uuid), Weak<Lease>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_that_nobody_renewed_no_longer_holds() {
        let leases = Leases::of(Duration::from_mins(1));
        let now = Instant::now();
        let fresh = leases.hold(Uuid::from_u128(1), Uuid::from_u128(9), now);
        assert!(fresh.holds());
        assert!(leases.ageing().is_empty());

        let frozen = leases.hold(
            Uuid::from_u128(2),
            Uuid::from_u128(9),
            now.checked_sub(Duration::from_secs(55)).unwrap(),
        );
        assert!(!frozen.holds());
        assert_eq!(leases.ageing(), [(Uuid::from_u128(2), Uuid::from_u128(9))]);

        frozen.extend(now + Duration::from_mins(1));
        assert!(frozen.holds());
        assert_eq!(leases.count(), 2);
    }

    #[test]
    fn a_claim_that_was_lost_takes_no_newer_one_with_it() {
        let leases = Leases::of(Duration::from_mins(1));
        let long_ago = Instant::now().checked_sub(Duration::from_secs(50)).unwrap();
        let delivery = Uuid::from_u128(1);
        let lost = leases.hold(delivery, Uuid::from_u128(8), long_ago);
        let newer = leases.hold(delivery, Uuid::from_u128(9), long_ago);

        drop(lost);

        assert_eq!(leases.ageing(), [(delivery, newer.token())]);
        drop(newer);
        assert_eq!(leases.count(), 0);
    }
}
