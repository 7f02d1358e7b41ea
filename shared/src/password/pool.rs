//! Threads that hash, apart from those that wait for the network.
//!
//! A hash of full cost occupies a core for about 19 ms. On the runtime's own threads that would
//! make every other task wait; on its blocking pool each hash would meet another thread and another
//! arena. So there are as many threads as hashes may run at once, each with its own [`Hasher`], and
//! memory is bounded at 19 MiB a thread.
//!
//! The line before them is bounded too, and a caller that finds it full hears so at once: a place
//! in a longer line would only be a later refusal. N waiting callers over T threads wait N × 19 ms / T at
//! most. Who goes first and who loses a place is decided by [`Rank`], so a flood from those who
//! have tried much lately keeps nobody else out.
//!
//! Callers that must not wait for one another have lines of their own before the same threads
//! ([`HashPool::beside`]), which are served in turn.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::sync::oneshot;
use zeroize::Zeroizing;

use super::comparison::{first_light_match, first_match};
use super::line::Lines;
use super::reservations::{Reservation, Reservations};
use super::{Cost, Form, HashFault, Hasher, Password, PasswordFault, PersonalWords, Salt, Verifier, os_randomness};

/// Who goes first when several wait: the smallest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank(pub u32);

impl Rank {
    /// Before all others: work of our own, and clients that are known.
    pub const FIRST: Self = Self(0);
}

/// One thing to do with a thread's hasher, or without one: then the job reports that it had no place.
type Job = Box<dyn FnOnce(Option<&mut Hasher>) + Send>;

/// A line before a fixed number of threads that make and check verifiers.
///
/// A caller that goes away takes its job along unless a thread has begun it. Dropping the pool and all
/// beside it ends each thread after the jobs that wait; dropping does not block.
pub struct HashPool {
    threads: Arc<Threads>,
    line: usize,
    reservations: Reservations,
    waiting: Arc<AtomicUsize>,
    mailed_cost: Cost,
}

/// The threads of a pool, as those who ask them hold them.
struct Threads {
    lines: Arc<Lines<(Job, Counted)>>,
    in_use: Arc<AtomicUsize>,
    number: usize,
}

impl HashPool {
    /// Starts `threads` threads, at least one, for which at most `waiting_max` jobs wait.
    ///
    /// # Errors
    ///
    /// The operating system's, if it gives no thread.
    pub fn start(threads: usize, waiting_max: usize) -> io::Result<Self> {
        let threads = Threads {
            lines: Arc::new(Lines::new()),
            in_use: Arc::default(),
            number: threads.max(1),
        };
        for n in 1..=threads.number {
            let (lines, in_use) = (Arc::clone(&threads.lines), Arc::clone(&threads.in_use));
            thread::Builder::new()
                .name(format!("hash-{n}"))
                .spawn(move || work(&lines, &in_use))?;
        }
        Ok(Self {
            line: threads.lines.add(waiting_max),
            reservations: Reservations::new(waiting_max),
            threads: Arc::new(threads),
            waiting: Arc::default(),
            mailed_cost: Cost::Light,
        })
    }

    /// Another line before the same threads, in which at most `waiting_max` jobs wait.
    ///
    /// The lines are served in turn: neither waits longer for the other than for one job each time.
    #[must_use]
    pub fn beside(&self, waiting_max: usize) -> Self {
        Self {
            threads: Arc::clone(&self.threads),
            line: self.threads.lines.add(waiting_max),
            reservations: Reservations::new(waiting_max),
            waiting: Arc::default(),
            mailed_cost: self.mailed_cost,
        }
    }

    /// The same pool, which expects verifiers of mailed passwords to have this cost, so that the time of a check
    /// tells nothing about them (`comparison.rs`).
    #[must_use]
    pub fn expecting(self, mailed_cost: Cost) -> Self {
        Self { mailed_cost, ..self }
    }

    /// Makes the verifier of a password and gives both back.
    ///
    /// # Errors
    ///
    /// Nothing was stored and the password is gone; making another one is safe.
    pub async fn hash(&self, password: Password) -> Result<(Password, Verifier), HashFault> {
        let salt = Salt::generate(&mut os_randomness())?;
        self.ask(Rank::FIRST, move |hasher| {
            let verifier = hasher.hash(&password, &salt)?;
            Ok((password, verifier))
        })
        .await?
    }

    /// Accepts the password a person chose, as [`Password::chosen`] does.
    ///
    /// # Errors
    ///
    /// The password was not judged. Inside, why the person cannot have it.
    pub async fn choose(
        &self,
        rank: Rank,
        typed: Zeroizing<String>,
        words: PersonalWords,
    ) -> Result<Result<Password, PasswordFault>, HashFault> {
        self.ask(rank, move |_| Password::chosen(&typed, &words)).await
    }

    /// Finds which of a person's verifiers a candidate matches.
    ///
    /// Costs as much whatever is stored, so the time shows neither which one matched nor whether the
    /// person exists (`comparison.rs`). A newer verifier comes before an older one.
    ///
    /// # Errors
    ///
    /// No answer could be had. It means neither a match nor a mismatch.
    pub async fn verify(
        &self,
        rank: Rank,
        verifiers: Vec<(Verifier, Form)>,
        candidate: Zeroizing<String>,
    ) -> Result<Option<usize>, HashFault> {
        let cost = self.mailed_cost;
        self.ask(rank, move |hasher| first_match(hasher, &verifiers, &candidate, cost))
            .await
    }

    /// Finds which of a person's mailed passwords with a light verifier a candidate is, in a third of a
    /// millisecond. Others do not match.
    ///
    /// # Errors
    ///
    /// As [`HashPool::verify`].
    pub async fn verify_light(
        &self,
        verifiers: Vec<(Verifier, Form)>,
        candidate: Zeroizing<String>,
    ) -> Result<Option<usize>, HashFault> {
        self.ask(Rank::FIRST, move |hasher| {
            first_light_match(hasher, &verifiers, &candidate)
        })
        .await
    }

    /// A place for a caller of this rank that has to do something else first, such as to ask a database. None when the
    /// caller would find the line full, or when as many callers of its kind or a better one have places already: so
    /// no more callers wait for that database than the line has places for.
    pub fn reserve(&self, rank: Rank) -> Option<Reservation> {
        let has_place = self.threads.lines.has_place(self.line, rank);
        has_place.then(|| self.reservations.take(rank)).flatten()
    }

    /// Threads that are hashing now.
    pub fn in_use(&self) -> usize {
        self.threads.in_use.load(Ordering::Relaxed)
    }

    /// Threads there are.
    pub fn threads(&self) -> usize {
        self.threads.number
    }

    /// Callers of this line whose job no thread has begun.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Has a thread do `work` and waits for its answer.
    async fn ask<T: Send + 'static>(
        &self,
        rank: Rank,
        work: impl FnOnce(&mut Hasher) -> T + Send + 'static,
    ) -> Result<T, HashFault> {
        let waiting = Counted::new(&self.waiting);
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |hasher| {
            // A caller that went away needs no hash, and 19 ms of a core are worth sparing.
            if !answer.is_closed() {
                let result = hasher.map(work).ok_or(HashFault::Busy);
                let _caller_may_have_gone_meanwhile = answer.send(result);
            }
        });
        if let Some((without_place, _)) = self.threads.lines.push(self.line, rank, (job, waiting)) {
            without_place(None);
        }
        answered.await.map_err(|_| HashFault::NoAnswer)?
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.lines.close();
    }
}

/// The life of one thread: ends when the pool is dropped.
fn work(lines: &Lines<(Job, Counted)>, in_use: &Arc<AtomicUsize>) {
    let mut hasher = Hasher::new();
    while let Some((job, waiting)) = next_job(lines, &mut hasher) {
        drop(waiting);
        let in_use = Counted::new(in_use);
        // A job that panics loses its caller's answer, not this thread. What it left in the
        // hasher is in doubt, so the hasher goes with it.
        if catch_unwind(AssertUnwindSafe(|| job(Some(&mut hasher)))).is_err() {
            hasher = Hasher::new();
        }
        drop(in_use);
    }
}

/// Takes the next job, and uses the pause to wipe the arena if there is none yet.
fn next_job(lines: &Lines<(Job, Counted)>, hasher: &mut Hasher) -> Option<(Job, Counted)> {
    lines.try_pop().or_else(|| {
        hasher.wipe();
        lines.pop()
    })
}

/// One more in a gauge for as long as it lives.
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
