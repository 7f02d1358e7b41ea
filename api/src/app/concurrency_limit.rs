//! Limits how many requests of one kind run at once, in total and per caller.
//!
//! The limit per caller prevents one API key or administrator from taking every slot and blocking the others.

use crate::app::shares::Shares;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

/// Slots for requests of one kind.
#[derive(Debug)]
pub struct ConcurrencyLimit {
    overall: Arc<Semaphore>,
    callers: Shares<Uuid>,
    wait: Duration,
}

/// A slot in use. Dropping it frees it.
#[derive(Debug)]
pub struct Slot {
    _own: OwnedSemaphorePermit,
    _overall: OwnedSemaphorePermit,
}

/// Which limit was reached.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ReachedLimit {
    /// The limit per caller.
    Caller,
    /// The limit for all callers together.
    Overall,
}

impl ConcurrencyLimit {
    /// Allows `overall` requests at once, `per_caller` of them from one caller. A request waits up to `wait` for its
    /// slot.
    pub fn new(overall: usize, per_caller: usize, wait: Duration) -> Self {
        Self {
            overall: Arc::new(Semaphore::new(overall)),
            callers: Shares::new(per_caller),
            wait,
        }
    }

    /// Takes a slot for a caller, waiting if none is free.
    ///
    /// # Errors
    ///
    /// If no slot became free in time.
    pub async fn enter(&self, caller: Uuid) -> Result<Slot, ReachedLimit> {
        let deadline = Instant::now() + self.wait;
        let take = async |slots: Arc<Semaphore>, full: ReachedLimit| {
            let taken = timeout_at(deadline, slots.acquire_owned()).await;
            taken.ok().and_then(Result::ok).ok_or(full)
        };
        // The caller's own limit comes first, so that its queue does not occupy slots of other callers.
        let own = take(self.callers.of(caller), ReachedLimit::Caller).await?;
        let overall = take(Arc::clone(&self.overall), ReachedLimit::Overall).await?;
        Ok(Slot {
            _own: own,
            _overall: overall,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANA: Uuid = Uuid::from_u128(1);
    const BEN: Uuid = Uuid::from_u128(2);

    #[tokio::test(start_paused = true)]
    async fn one_caller_cannot_take_the_slots_of_all() {
        let limit = ConcurrencyLimit::new(3, 2, Duration::from_secs(5));
        let first = limit.enter(ANA).await.unwrap();
        let _second = limit.enter(ANA).await.unwrap();

        assert_eq!(limit.enter(ANA).await.unwrap_err(), ReachedLimit::Caller);
        let _third = limit.enter(BEN).await.unwrap();
        assert_eq!(limit.enter(BEN).await.unwrap_err(), ReachedLimit::Overall);
        drop(first);
        assert!(limit.enter(ANA).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_slot_that_becomes_free_goes_to_a_waiting_request() {
        let limit = ConcurrencyLimit::new(1, 1, Duration::from_secs(5));
        let slot = limit.enter(ANA).await.unwrap();
        let leaving = async {
            tokio::time::sleep(Duration::from_secs(3)).await;
            drop(slot);
        };

        let (entered, ()) = tokio::join!(limit.enter(BEN), leaving);

        assert!(entered.is_ok());
    }
}
