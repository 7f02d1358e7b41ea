//! Jobs that wait for a thread: a bounded priority queue.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::Rank;

/// Waiting jobs: the best rank first, within a rank the oldest.
pub(super) struct Line<J> {
    waiting: Mutex<Waiting<J>>,
    /// Signalled for each job that is added, and for all threads when the line closes.
    changed: Condvar,
    capacity: usize,
}

struct Waiting<J> {
    jobs: BTreeMap<(Rank, u64), J>,
    arrivals: u64,
    is_closed: bool,
}

impl<J> Line<J> {
    /// Makes a line in which at most `capacity` jobs wait.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            waiting: Mutex::new(Waiting {
                jobs: BTreeMap::new(),
                arrivals: 0,
                is_closed: false,
            }),
            changed: Condvar::new(),
            capacity: capacity.max(1),
        }
    }

    /// Adds a job. Returns the job that has no place: in a full line the youngest of the worst rank, which
    /// may be this one.
    pub(super) fn push(&self, rank: Rank, job: J) -> Option<J> {
        let mut waiting = self.lock();
        waiting.arrivals += 1;
        let place = (rank, waiting.arrivals);
        waiting.jobs.insert(place, job);
        if waiting.jobs.len() > self.capacity {
            return waiting.jobs.pop_last().map(|(_, job)| job);
        }
        self.changed.notify_one();
        None
    }

    /// Whether a job of this rank would find a place.
    pub(super) fn has_place(&self, rank: Rank) -> bool {
        let waiting = self.lock();
        let last = waiting.jobs.last_key_value();
        waiting.jobs.len() < self.capacity || last.is_some_and(|((worst, _), _)| rank < *worst)
    }

    /// Takes the next job if there is one.
    pub(super) fn try_pop(&self) -> Option<J> {
        self.lock().jobs.pop_first().map(|(_, job)| job)
    }

    /// Waits for the next job; none once the line is closed and empty.
    pub(super) fn pop(&self) -> Option<J> {
        let mut waiting = self
            .changed
            .wait_while(self.lock(), |waiting| waiting.jobs.is_empty() && !waiting.is_closed)
            .unwrap_or_else(PoisonError::into_inner);
        waiting.jobs.pop_first().map(|(_, job)| job)
    }

    /// Ends the waiting of all threads.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<J>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_better_rank_goes_first_and_within_a_rank_the_oldest() {
        let line = Line::new(10);
        for (rank, job) in [(5, "e"), (1, "b"), (0, "a"), (5, "f"), (1, "c"), (2, "d")] {
            assert_eq!(line.push(Rank(rank), job), None);
        }

        let order: String = std::iter::from_fn(|| line.try_pop()).collect();

        assert_eq!(order, "abcdef");
    }

    #[test]
    fn a_full_line_gives_a_place_to_a_better_rank_only() {
        let line = Line::new(2);
        assert_eq!(line.push(Rank(3), "first"), None);
        assert_eq!(line.push(Rank(3), "second"), None);

        assert!(line.has_place(Rank(2)) && !line.has_place(Rank(3)));
        assert_eq!(line.push(Rank(3), "equal"), Some("equal"));
        assert_eq!(line.push(Rank(9), "worse"), Some("worse"));
        assert_eq!(line.push(Rank(0), "better"), Some("second"));
        assert_eq!(line.try_pop(), Some("better"));
    }

    #[test]
    fn a_closed_line_is_emptied_before_it_ends() {
        let line = Line::new(2);
        line.push(Rank::FIRST, "job");
        line.close();

        assert_eq!(line.pop(), Some("job"));
        assert_eq!(line.pop(), None);
    }
}
