//! Equal shares of a limited resource, so that no holder can take all of it.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;

/// Shares of equal size.
#[derive(Debug)]
pub struct Shares<K> {
    size: usize,
    /// Only holders that use some of their share or wait for it.
    holders: Mutex<HashMap<K, Arc<Semaphore>>>,
}

impl<K: Eq + Hash> Shares<K> {
    /// Shares of `size` permits each.
    pub fn new(size: usize) -> Self {
        Self {
            size,
            holders: Mutex::default(),
        }
    }

    /// The share of this holder.
    pub fn of(&self, holder: K) -> Arc<Semaphore> {
        let mut holders = self.holders.lock().unwrap_or_else(PoisonError::into_inner);
        // Permits and waiting tasks hold references of their own.
        holders.retain(|_, share| Arc::strong_count(share) > 1);
        let share = holders
            .entry(holder)
            .or_insert_with(|| Arc::new(Semaphore::new(self.size)));
        Arc::clone(share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_holders_are_forgotten() {
        let shares = Shares::new(2);
        for holder in 0..100 {
            drop(shares.of(holder).try_acquire_owned().unwrap());
        }

        let _held = shares.of(7).try_acquire_owned().unwrap();

        assert_eq!(shares.holders.lock().unwrap().len(), 1);
        assert_eq!(shares.of(7).available_permits(), 1);
    }
}
