//! A pool of hashing threads, separate from the threads that wait for the network.
//!
//! A full-cost hash occupies a core for about 19 ms. On the runtime's own threads it would hold up every other
//! task; on its blocking pool each hash would run on another thread with another arena. So there are as many
//! threads as concurrent hashes, each with its own [`Hasher`], and memory is limited to 19 MiB per thread.
//!
//! The queue before them is bounded too, and a caller that finds it full is rejected at once: a longer queue
//! would only reject later. N waiting callers over T threads wait at most N × 19 ms / T. [`Rank`] decides who
//! goes first and who is dropped, so a flood from clients that have tried often does not keep others out.
//!
//! Callers that must not wait for one another have separate queues for the same threads ([`HashPool::another_queue`]),
//! which are served in turn.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::sync::oneshot;
use zeroize::Zeroizing;

use super::comparison::{first_light_match, first_match};
use super::queues::JobQueues;
use super::rank::Rank;
use super::reservations::{Reservation, Reservations};
use super::{
    Cost, HashFault, Hasher, Password, PasswordFault, PasswordOrigin, PersonalWords, Salt, Verifier, os_randomness,
};

/// Work for a thread's hasher. Without one, the job reports that it was dropped.
type Job = Box<dyn FnOnce(Option<&mut Hasher>) + Send>;

/// A queue before a fixed number of threads that create and check verifiers.
///
/// A dropped call removes its job unless a thread has begun it. Dropping the pool and all queues beside it ends
/// each thread after the waiting jobs. The drop does not block.
pub struct HashPool {
    threads: Arc<Threads>,
    queue: usize,
    reservations: Reservations,
    waiting: Arc<AtomicUsize>,
    mailed_cost: Cost,
}

/// The threads of a pool, shared by its queues.
struct Threads {
    queues: Arc<JobQueues<(Job, Counted)>>,
    in_use: Arc<AtomicUsize>,
    number: usize,
}

impl HashPool {
    /// Starts `threads` threads, at least one, with a queue for at most `max_waiting` jobs.
    ///
    /// # Errors
    ///
    /// The operating system's error if it cannot start a thread.
    pub fn start(threads: usize, max_waiting: usize) -> io::Result<Self> {
        let threads = Threads {
            queues: Arc::new(JobQueues::new()),
            in_use: Arc::default(),
            number: threads.max(1),
        };
        for n in 1..=threads.number {
            let (queues, in_use) = (Arc::clone(&threads.queues), Arc::clone(&threads.in_use));
            thread::Builder::new()
                .name(format!("hash-{n}"))
                .spawn(move || work(&queues, &in_use))?;
        }
        Ok(Self {
            queue: threads.queues.add(max_waiting),
            reservations: Reservations::new(max_waiting),
            threads: Arc::new(threads),
            waiting: Arc::default(),
            mailed_cost: Cost::Light,
        })
    }

    /// Creates another queue for the same threads, with at most `max_waiting` waiting jobs.
    ///
    /// The queues are served in turn: neither waits for more than one job of the other at a time.
    #[must_use]
    pub fn another_queue(&self, max_waiting: usize) -> Self {
        Self {
            threads: Arc::clone(&self.threads),
            queue: self.threads.queues.add(max_waiting),
            reservations: Reservations::new(max_waiting),
            waiting: Arc::default(),
            mailed_cost: self.mailed_cost,
        }
    }

    /// Sets the expected cost of mailed passwords, so that the time of a check reveals nothing about them
    /// (`comparison.rs`).
    #[must_use]
    pub fn with_mailed_cost(self, mailed_cost: Cost) -> Self {
        Self { mailed_cost, ..self }
    }

    /// Hashes a password and returns it with its verifier.
    ///
    /// # Errors
    ///
    /// Nothing is stored and the password is gone. It is safe to generate another one.
    pub async fn hash(&self, password: Password) -> Result<(Password, Verifier), HashFault> {
        let salt = Salt::generate(&mut os_randomness())?;
        self.run(Rank::FIRST, move |hasher| {
            let verifier = hasher.hash(&password, &salt)?;
            Ok((password, verifier))
        })
        .await?
    }

    /// Accepts a password that a user chose, as [`Password::chosen`] does.
    ///
    /// # Errors
    ///
    /// The password was not judged. The inner result is why it is rejected.
    pub async fn choose(
        &self,
        rank: Rank,
        typed: Zeroizing<String>,
        words: PersonalWords,
    ) -> Result<Result<Password, PasswordFault>, HashFault> {
        self.run(rank, move |_| Password::chosen(&typed, &words)).await
    }

    /// Finds which of a user's verifiers a candidate matches.
    ///
    /// The cost does not depend on what is stored, so the time reveals neither which one matched nor whether
    /// the user exists (`comparison.rs`). Verifiers are given newest first.
    ///
    /// # Errors
    ///
    /// The check did not run: it is neither a match nor a mismatch.
    pub async fn verify(
        &self,
        rank: Rank,
        verifiers: Vec<(Verifier, PasswordOrigin)>,
        candidate: Zeroizing<String>,
    ) -> Result<Option<usize>, HashFault> {
        let cost = self.mailed_cost;
        self.run(rank, move |hasher| first_match(hasher, &verifiers, &candidate, cost))
            .await
    }

    /// Finds which of a user's light mailed passwords a candidate matches, in a third of a millisecond. Others
    /// never match.
    ///
    /// # Errors
    ///
    /// As [`HashPool::verify`].
    pub async fn verify_light(
        &self,
        verifiers: Vec<(Verifier, PasswordOrigin)>,
        candidate: Zeroizing<String>,
    ) -> Result<Option<usize>, HashFault> {
        self.run(Rank::FIRST, move |hasher| {
            first_light_match(hasher, &verifiers, &candidate)
        })
        .await
    }

    /// Reserves a place for a caller of this rank that has to do something else first, such as a database
    /// query.
    ///
    /// Returns `None` if the queue is full for this rank, or if as many callers of this or a better kind hold
    /// reservations. So no more callers wait for that database than the queue has places.
    pub fn reserve(&self, rank: Rank) -> Option<Reservation> {
        let has_room = self.threads.queues.accepts(self.queue, rank);
        has_room.then(|| self.reservations.take(rank)).flatten()
    }

    /// Number of threads that are hashing.
    pub fn in_use(&self) -> usize {
        self.threads.in_use.load(Ordering::Relaxed)
    }

    /// Number of threads.
    pub fn threads(&self) -> usize {
        self.threads.number
    }

    /// Callers of this queue whose job has not begun.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Runs `work` on a thread and waits for its result.
    async fn run<T: Send + 'static>(
        &self,
        rank: Rank,
        work: impl FnOnce(&mut Hasher) -> T + Send + 'static,
    ) -> Result<T, HashFault> {
        let waiting = Counted::new(&self.waiting);
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |hasher| {
            // A caller that has gone needs no hash, and 19 ms of a core are worth saving.
            if !answer.is_closed() {
                let result = hasher.map(work).ok_or(HashFault::Busy);
                let _caller_may_have_gone_meanwhile = answer.send(result);
            }
        });
        if let Some((without_place, _)) = self.threads.queues.push(self.queue, rank, (job, waiting)) {
            without_place(None);
        }
        answered.await.map_err(|_| HashFault::NoAnswer)?
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.queues.close();
    }
}

/// Body of a thread. Returns when the pool is dropped.
fn work(queues: &JobQueues<(Job, Counted)>, in_use: &Arc<AtomicUsize>) {
    let mut hasher = Hasher::new();
    while let Some((job, waiting)) = next_job(queues, &mut hasher) {
        drop(waiting);
        let in_use = Counted::new(in_use);
        // A panicking job loses its caller's answer, not this thread. The state of its hasher is unknown, so
        // the hasher is replaced.
        if catch_unwind(AssertUnwindSafe(|| job(Some(&mut hasher)))).is_err() {
            hasher = Hasher::new();
        }
        drop(in_use);
    }
}

/// Takes the next job. If there is none yet, wipes the arena before waiting.
fn next_job(queues: &JobQueues<(Job, Counted)>, hasher: &mut Hasher) -> Option<(Job, Counted)> {
    queues.try_pop().or_else(|| {
        hasher.wipe();
        queues.pop()
    })
}

/// Increments a gauge until dropped.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(gauge: &Arc<AtomicUsize>) -> Self {
        gauge.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(gauge))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
