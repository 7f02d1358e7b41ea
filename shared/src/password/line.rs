//! Jobs that wait for a thread: bounded priority queues served in turn.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::rank::Rank;

/// Queues of waiting jobs. Each provides the next job in turn, so a long queue delays the others by only one
/// job each time. Within a queue the best rank goes first, and within a rank the oldest job.
pub(super) struct Lines<J> {
    waiting: Mutex<Waiting<J>>,
    /// Signalled for each added job, and for all threads on close.
    changed: Condvar,
}

struct Waiting<J> {
    lines: Vec<Line<J>>,
    arrivals: u64,
    /// The queue that provides the next job, if it has one.
    next: usize,
    is_closed: bool,
}

struct Line<J> {
    jobs: BTreeMap<(Rank, u64), J>,
    capacity: usize,
}

impl<J> Lines<J> {
    /// Starts without queues.
    pub(super) fn new() -> Self {
        Self {
            waiting: Mutex::new(Waiting {
                lines: Vec::new(),
                arrivals: 0,
                next: 0,
                is_closed: false,
            }),
            changed: Condvar::new(),
        }
    }

    /// Adds a queue for at most `capacity` waiting jobs and returns its number.
    pub(super) fn add(&self, capacity: usize) -> usize {
        let mut waiting = self.lock();
        waiting.lines.push(Line {
            jobs: BTreeMap::new(),
            capacity: capacity.max(1),
        });
        waiting.lines.len() - 1
    }

    /// Adds a job. If the queue is full, returns the job that is dropped: the youngest of the worst rank,
    /// which may be this one.
    pub(super) fn push(&self, line: usize, rank: Rank, job: J) -> Option<J> {
        let mut waiting = self.lock();
        waiting.arrivals += 1;
        let place = (rank, waiting.arrivals);
        let Some(line) = waiting.lines.get_mut(line) else {
            return Some(job);
        };
        line.jobs.insert(place, job);
        if line.jobs.len() > line.capacity {
            return line.jobs.pop_last().map(|(_, job)| job);
        }
        self.changed.notify_one();
        None
    }

    /// Whether a job of this rank would be accepted.
    pub(super) fn has_place(&self, line: usize, rank: Rank) -> bool {
        let waiting = self.lock();
        waiting.lines.get(line).is_some_and(|line| {
            let last = line.jobs.last_key_value();
            line.jobs.len() < line.capacity || last.is_some_and(|((worst, _), _)| rank < *worst)
        })
    }

    /// Takes the next job if there is one.
    pub(super) fn try_pop(&self) -> Option<J> {
        self.lock().pop()
    }

    /// Waits for the next job. Returns `None` once the queues are closed and empty.
    pub(super) fn pop(&self) -> Option<J> {
        let is_idle =
            |waiting: &mut Waiting<J>| !waiting.is_closed && waiting.lines.iter().all(|line| line.jobs.is_empty());
        let waiting = self.changed.wait_while(self.lock(), is_idle);
        waiting.unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// Stops all threads from waiting.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<J>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<J> Waiting<J> {
    fn pop(&mut self) -> Option<J> {
        let lines = self.lines.len();
        for line in (0..lines).map(|n| (self.next + n) % lines) {
            let first = self.lines.get_mut(line).and_then(|line| line.jobs.pop_first());
            if let Some((_, job)) = first {
                self.next = line + 1;
                return Some(job);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_line(capacity: usize) -> Lines<&'static str> {
        let lines = Lines::new();
        assert_eq!(lines.add(capacity), 0);
        lines
    }

    #[test]
    fn a_better_rank_goes_first_and_then_the_oldest() {
        let lines = one_line(10);
        for (rank, job) in [(5, "e"), (1, "b"), (0, "a"), (5, "f"), (1, "c"), (2, "d")] {
            assert_eq!(lines.push(0, Rank(rank), job), None);
        }

        let order: String = std::iter::from_fn(|| lines.try_pop()).collect();

        assert_eq!(order, "abcdef");
    }

    #[test]
    fn a_full_queue_gives_a_place_to_a_better_rank_only() {
        let lines = one_line(2);
        assert_eq!(lines.push(0, Rank(3), "first"), None);
        assert_eq!(lines.push(0, Rank(3), "second"), None);

        assert!(lines.has_place(0, Rank(2)) && !lines.has_place(0, Rank(3)));
        assert_eq!(lines.push(0, Rank(3), "equal"), Some("equal"));
        assert_eq!(lines.push(0, Rank(9), "worse"), Some("worse"));
        assert_eq!(lines.push(0, Rank(0), "better"), Some("second"));
        assert_eq!(lines.try_pop(), Some("better"));
    }

    #[test]
    fn a_long_queue_delays_another_by_one_job_at_a_time() {
        let lines = one_line(10);
        let other = lines.add(1);
        for _ in 0..4 {
            assert_eq!(lines.push(0, Rank(0), "a"), None);
        }
        assert_eq!(lines.try_pop(), Some("a"));

        assert_eq!(lines.push(other, Rank(9), "b"), None);
        assert!(lines.has_place(0, Rank(9)) && !lines.has_place(other, Rank(9)));
        let order: String = std::iter::from_fn(|| lines.try_pop()).collect();

        assert_eq!(order, "baaa");
    }

    #[test]
    fn closed_queues_are_drained() {
        let lines = one_line(2);
        lines.push(0, Rank::FIRST, "job");
        lines.close();

        assert_eq!(lines.pop(), Some("job"));
        assert_eq!(lines.pop(), None);
    }
}
