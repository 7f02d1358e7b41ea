//! Reservations for callers that have something to do before they queue.

use std::sync::{Arc, Mutex, PoisonError};

use super::rank::Rank;

/// Counts reservations by kind of caller. Frequent callers leave room for better kinds.
#[derive(Clone)]
pub(super) struct Reservations {
    capacity: usize,
    taken: Arc<Mutex<[usize; KINDS]>>,
}

/// Kinds: known clients, clients with one, two or three recent attempts, and those with more.
const KINDS: usize = 5;

/// A reserved place. Dropping it frees it.
#[must_use]
pub struct Reservation {
    taken: Arc<Mutex<[usize; KINDS]>>,
    kind: usize,
}

impl Reservations {
    /// Allows at most `capacity` for each kind of caller and all better ones together.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            taken: Arc::default(),
        }
    }

    /// Takes a place if there is one.
    pub(super) fn take(&self, rank: Rank) -> Option<Reservation> {
        let kind = usize::try_from(rank.0).map_or(KINDS - 1, |rank| rank.min(KINDS - 1));
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let as_good: usize = taken.iter().take(kind + 1).sum();
        if as_good >= self.capacity {
            return None;
        }
        *taken.get_mut(kind)? += 1;
        Some(Reservation {
            taken: Arc::clone(&self.taken),
            kind,
        })
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(taken) = taken.get_mut(self.kind) {
            *taken = taken.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequent_callers_take_no_places_of_others() {
        let reservations = Reservations::new(2);
        let often: Vec<_> = (0..5).map_while(|n| reservations.take(Rank(4 + n))).collect();
        assert_eq!(often.len(), 2);

        let few = [reservations.take(Rank(2)), reservations.take(Rank(3))];
        assert!(few.iter().all(Option::is_some) && reservations.take(Rank(3)).is_none());
        assert!(reservations.take(Rank(1)).is_some());
        let known = reservations.take(Rank::FIRST);
        assert!(known.is_some());
        drop(few);
        assert!(reservations.take(Rank(2)).is_some());
        assert!(reservations.take(Rank(9)).is_none(), "two of its kind are there");
        drop(often);
        assert!(reservations.take(Rank(9)).is_some());
    }
}
