//! How many connections may be open: as many as set, or as many as the relay takes.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use prometheus::IntGauge;
use tokio::sync::{Semaphore, SemaphorePermit};

/// After this time without another refusal, one more connection is tried.
const WIDEN_AFTER: Duration = Duration::from_secs(30);

/// Slots for connections, some of which may be put away.
pub(super) struct Width {
    slots: Semaphore,
    most: usize,
    away: Mutex<Away>,
    allowed: IntGauge,
}

struct Away {
    count: usize,
    changed_at: Instant,
}

/// The right to have one connection.
pub(super) struct Slot<'a> {
    permit: SemaphorePermit<'a>,
    width: &'a Width,
}

impl Width {
    pub(super) fn new(most: usize, allowed: IntGauge) -> Self {
        allowed.set(i64::try_from(most).unwrap_or(i64::MAX));
        Self {
            slots: Semaphore::new(most),
            most,
            away: Mutex::new(Away {
                count: 0,
                changed_at: Instant::now(),
            }),
            allowed,
        }
    }

    pub(super) fn try_slot(&self) -> Option<Slot<'_>> {
        let permit = self.slots.try_acquire().ok()?;
        Some(Slot { permit, width: self })
    }

    /// A slot, in the order of asking. `None` never comes to pass, for the slots are never closed.
    pub(super) async fn slot(&self) -> Option<Slot<'_>> {
        let permit = self.slots.acquire().await.ok()?;
        Some(Slot { permit, width: self })
    }

    fn away(&self) -> MutexGuard<'_, Away> {
        self.away.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A mail got its answer: once in a while, one more connection is tried.
    pub(super) fn widen(&self) {
        let mut away = self.away();
        if away.count > 0 && away.changed_at.elapsed() >= WIDEN_AFTER {
            away.count -= 1;
            away.changed_at = Instant::now();
            self.slots.add_permits(1);
            self.allowed.inc();
        }
    }

    /// After an outage what was learnt before it counts no more.
    pub(super) fn restore(&self) {
        let mut away = self.away();
        self.slots.add_permits(away.count);
        away.count = 0;
        self.allowed.set(i64::try_from(self.most).unwrap_or(i64::MAX));
    }
}

impl Slot<'_> {
    /// The relay takes no further connection: this slot is not given out again for a while. The
    /// last one stays.
    pub(super) fn put_away(self) {
        let mut away = self.width.away();
        if away.count + 1 < self.width.most {
            away.count += 1;
            away.changed_at = Instant::now();
            self.width.allowed.dec();
            self.permit.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_put_away_down_to_one_and_come_back_together() {
        let width = Width::new(3, IntGauge::new("allowed", "-").unwrap());
        for _ in 0..5 {
            width.try_slot().unwrap().put_away();
        }
        let last = width.try_slot().unwrap();
        assert!(width.try_slot().is_none());
        assert_eq!(width.allowed.get(), 1);

        drop(last);
        width.widen();
        assert_eq!(width.allowed.get(), 1, "too early for one more");
        width.restore();
        let all: Vec<_> = std::iter::from_fn(|| width.try_slot()).collect();
        assert_eq!((all.len(), width.allowed.get()), (3, 3));
    }
}
