//! Jobs that wait for a thread: bounded priority queues served in turn.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::rank::Rank;

/// Queues of waiting jobs. Each provides the next job in turn, so a long queue delays the others by only one
/// job each time. Within a queue the best rank goes first, and within a rank the oldest job.
pub(super) struct JobQueues<J> {
    waiting: Mutex<Waiting<J>>,
    /// Signalled for each added job, and for all threads on close.
    changed: Condvar,
}

struct Waiting<J> {
    queues: Vec<JobQueue<J>>,
    arrivals: u64,
    /// The queue that provides the next job, if it has one.
    next: usize,
    is_closed: bool,
}

struct JobQueue<J> {
    jobs: BTreeMap<(Rank, u64), J>,
    capacity: usize,
}

impl<J> JobQueues<J> {
    /// Starts without queues.
    pub(super) fn new() -> Self {
        Self {
            waiting: Mutex::new(Waiting {
                queues: Vec::new(),
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
        waiting.queues.push(JobQueue {
            jobs: BTreeMap::new(),
            capacity: capacity.max(1),
        });
        waiting.queues.len() - 1
    }

    /// Adds a job. If the queue is full, returns the job that is dropped: the youngest of the worst rank,
    /// which may be this one.
    pub(super) fn push(&self, queue: usize, rank: Rank, job: J) -> Option<J> {
        let mut waiting = self.lock();
        waiting.arrivals += 1;
        let position = (rank, waiting.arrivals);
        let Some(queue) = waiting.queues.get_mut(queue) else {
            return Some(job);
        };
        queue.jobs.insert(position, job);
        if queue.jobs.len() > queue.capacity {
            return queue.jobs.pop_last().map(|(_, job)| job);
        }
        self.changed.notify_one();
        None
    }

    /// Whether a job of this rank would be accepted.
    pub(super) fn accepts(&self, queue: usize, rank: Rank) -> bool {
        let waiting = self.lock();
        waiting.queues.get(queue).is_some_and(|queue| {
            let last = queue.jobs.last_key_value();
            queue.jobs.len() < queue.capacity || last.is_some_and(|((worst, _), _)| rank < *worst)
        })
    }

    /// Takes the next job if there is one.
    pub(super) fn try_pop(&self) -> Option<J> {
        self.lock().pop()
    }

    /// Waits for the next job. Returns `None` once the queues are closed and empty.
    pub(super) fn pop(&self) -> Option<J> {
        let is_idle =
            |waiting: &mut Waiting<J>| !waiting.is_closed && waiting.queues.iter().all(|queue| queue.jobs.is_empty());
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
        let queues = self.queues.len();
        for queue in (0..queues).map(|n| (self.next + n) % queues) {
            let first = self.queues.get_mut(queue).and_then(|queue| queue.jobs.pop_first());
            if let Some((_, job)) = first {
                self.next = queue + 1;
                return Some(job);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_queue(capacity: usize) -> JobQueues<&'static str> {
        let queues = JobQueues::new();
        assert_eq!(queues.add(capacity), 0);
        queues
    }

    #[test]
    fn a_better_rank_goes_first_and_then_the_oldest() {
        let queues = one_queue(10);
        for (rank, job) in [(5, "e"), (1, "b"), (0, "a"), (5, "f"), (1, "c"), (2, "d")] {
            assert_eq!(queues.push(0, Rank(rank), job), None);
        }

        let order: String = std::iter::from_fn(|| queues.try_pop()).collect();

        assert_eq!(order, "abcdef");
    }

    #[test]
    fn a_full_queue_gives_a_place_to_a_better_rank_only() {
        let queues = one_queue(2);
        assert_eq!(queues.push(0, Rank(3), "first"), None);
        assert_eq!(queues.push(0, Rank(3), "second"), None);

        assert!(queues.accepts(0, Rank(2)) && !queues.accepts(0, Rank(3)));
        assert_eq!(queues.push(0, Rank(3), "equal"), Some("equal"));
        assert_eq!(queues.push(0, Rank(9), "worse"), Some("worse"));
        assert_eq!(queues.push(0, Rank(0), "better"), Some("second"));
        assert_eq!(queues.try_pop(), Some("better"));
    }

    #[test]
    fn a_long_queue_delays_another_by_one_job_at_a_time() {
        let queues = one_queue(10);
        let other = queues.add(1);
        for _ in 0..4 {
            assert_eq!(queues.push(0, Rank(0), "a"), None);
        }
        assert_eq!(queues.try_pop(), Some("a"));

        assert_eq!(queues.push(other, Rank(9), "b"), None);
        assert!(queues.accepts(0, Rank(9)) && !queues.accepts(other, Rank(9)));
        let order: String = std::iter::from_fn(|| queues.try_pop()).collect();

        assert_eq!(order, "baaa");
    }

    #[test]
    fn closed_queues_are_drained() {
        let queues = one_queue(2);
        queues.push(0, Rank::FIRST, "job");
        queues.close();

        assert_eq!(queues.pop(), Some("job"));
        assert_eq!(queues.pop(), None);
    }
}
