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

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::sync::oneshot;
use zeroize::Zeroizing;

use super::comparison::first_match;
use super::line::Line;
use super::{Form, HashFault, Hasher, Password, PasswordFault, PersonalWords, Salt, Verifier, os_randomness};

/// Who goes first when several wait: the smallest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank(pub u32);

impl Rank {
    /// Before all others: work of our own, and clients that are known.
    pub const FIRST: Self = Self(0);
}

/// One thing to do with a thread's hasher, or without one: then the job reports that it had no place.
type Job = Box<dyn FnOnce(Option<&mut Hasher>) + Send>;

/// A fixed number of threads that make and check verifiers.
///
/// A caller that goes away takes its job along unless a thread has begun it. Dropping the pool ends
/// each thread after the jobs that wait; dropping does not block.
pub struct HashPool {
    line: Arc<Line<(Job, Counted)>>,
    gauges: Arc<Gauges>,
    threads: usize,
}

/// What the pool's gauges show.
#[derive(Default)]
struct Gauges {
    in_use: AtomicUsize,
    waiting: AtomicUsize,
}

impl HashPool {
    /// Starts `threads` threads, at least one, for which at most `waiting_max` jobs wait.
    ///
    /// # Errors
    ///
    /// The operating system's, if it gives no thread.
    pub fn start(threads: usize, waiting_max: usize) -> io::Result<Self> {
        let pool = Self {
            line: Arc::new(Line::new(waiting_max)),
            gauges: Arc::default(),
            threads: threads.max(1),
        };
        for n in 1..=pool.threads {
            let (line, gauges) = (Arc::clone(&pool.line), Arc::clone(&pool.gauges));
            thread::Builder::new()
                .name(format!("hash-{n}"))
                .spawn(move || work(&line, &gauges))?;
        }
        Ok(pool)
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
    /// Costs one hash whatever is stored, so the time shows neither which one matched nor whether the
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
        self.ask(rank, move |hasher| first_match(hasher, &verifiers, &candidate))
            .await
    }

    /// Whether a job of this rank would find a place in the line now. A caller that asks first spares
    /// the work before a refusal.
    pub fn has_place(&self, rank: Rank) -> bool {
        self.line.has_place(rank)
    }

    /// Threads that are hashing now.
    pub fn in_use(&self) -> usize {
        self.gauges.in_use.load(Ordering::Relaxed)
    }

    /// Threads there are.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Callers whose job no thread has begun.
    pub fn waiting(&self) -> usize {
        self.gauges.waiting.load(Ordering::Relaxed)
    }

    /// Has a thread do `work` and waits for its answer.
    async fn ask<T: Send + 'static>(
        &self,
        rank: Rank,
        work: impl FnOnce(&mut Hasher) -> T + Send + 'static,
    ) -> Result<T, HashFault> {
        let waiting = Counted::new(&self.gauges, |gauges| &gauges.waiting);
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |hasher| {
            // A caller that went away needs no hash, and 19 ms of a core are worth sparing.
            if !answer.is_closed() {
                let result = hasher.map(work).ok_or(HashFault::Busy);
                let _caller_may_have_gone_meanwhile = answer.send(result);
            }
        });
        if let Some((without_place, _)) = self.line.push(rank, (job, waiting)) {
            without_place(None);
        }
        answered.await.map_err(|_| HashFault::NoAnswer)?
    }
}

impl Drop for HashPool {
    fn drop(&mut self) {
        self.line.close();
    }
}

/// The life of one thread: ends when the pool is dropped.
fn work(line: &Line<(Job, Counted)>, gauges: &Arc<Gauges>) {
    let mut hasher = Hasher::new();
    while let Some((job, waiting)) = next_job(line, &mut hasher) {
        drop(waiting);
        let in_use = Counted::new(gauges, |gauges| &gauges.in_use);
        // A job that panics loses its caller's answer, not this thread. What it left in the
        // hasher is in doubt, so the hasher goes with it.
        if catch_unwind(AssertUnwindSafe(|| job(Some(&mut hasher)))).is_err() {
            hasher = Hasher::new();
        }
        drop(in_use);
    }
}

/// Takes the next job, and uses the pause to wipe the arena if there is none yet.
fn next_job(line: &Line<(Job, Counted)>, hasher: &mut Hasher) -> Option<(Job, Counted)> {
    line.try_pop().or_else(|| {
        hasher.wipe();
        line.pop()
    })
}

/// One more in a gauge for as long as it lives.
struct Counted {
    gauges: Arc<Gauges>,
    gauge: fn(&Gauges) -> &AtomicUsize,
}

impl Counted {
    fn new(gauges: &Arc<Gauges>, gauge: fn(&Gauges) -> &AtomicUsize) -> Self {
        gauge(gauges).fetch_add(1, Ordering::Relaxed);
        Self {
            gauges: Arc::clone(gauges),
            gauge,
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        (self.gauge)(&self.gauges).fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::task::JoinHandle;

    use super::*;

    fn password() -> Password {
        Password::generate(&mut os_randomness()).unwrap()
    }

    fn secret(password: &Password) -> Zeroizing<String> {
        Zeroizing::new(password.expose_for_mail().to_owned())
    }

    #[tokio::test]
    async fn a_password_that_was_hashed_is_found_among_others() {
        let pool = HashPool::start(2, 4).unwrap();
        let (_, other) = pool.hash(password()).await.unwrap();
        let (password, verifier) = pool.hash(password()).await.unwrap();
        let verifiers = vec![(other, Form::Generated), (verifier, Form::Generated)];

        let found = pool.verify(Rank::FIRST, verifiers.clone(), secret(&password)).await;
        assert_eq!(found.unwrap(), Some(1));
        let found = pool
            .verify(Rank::FIRST, verifiers, Zeroizing::new("wrong".into()))
            .await;
        assert_eq!(found.unwrap(), None);
        assert_eq!(pool.verify(Rank::FIRST, vec![], secret(&password)).await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_panic_loses_its_own_answer_only() {
        let pool = HashPool::start(1, 4).unwrap();

        let lost = pool.ask(Rank::FIRST, |_| panic!("on purpose")).await;

        assert!(matches!(lost, Err::<(), _>(HashFault::NoAnswer)));
        assert!(pool.hash(password()).await.is_ok());
        assert_eq!(pool.waiting(), 0);
    }

    /// Occupies the pool's only thread until something is sent.
    async fn occupied(pool: &Arc<HashPool>) -> (std::sync::mpsc::Sender<()>, JoinHandle<Result<bool, HashFault>>) {
        let (go, gone) = std::sync::mpsc::channel::<()>();
        let busy = tokio::spawn({
            let pool = Arc::clone(pool);
            async move { pool.ask(Rank::FIRST, move |_| gone.recv().is_ok()).await }
        });
        while pool.in_use() == 0 {
            tokio::task::yield_now().await;
        }
        (go, busy)
    }

    #[tokio::test]
    async fn a_caller_that_goes_away_takes_its_job_along() {
        let pool = Arc::new(HashPool::start(1, 2).unwrap());
        let (go, busy) = occupied(&pool).await;

        let waiting = [(); 2].map(|()| {
            let pool = Arc::clone(&pool);
            tokio::spawn(async move { pool.ask(Rank::FIRST, |_| panic!("nobody waits for this")).await })
        });
        while pool.waiting() < 2 {
            tokio::task::yield_now().await;
        }
        for caller in waiting {
            caller.abort();
            let _cancelled: Result<Result<(), _>, _> = caller.await;
        }
        go.send(()).unwrap();

        assert!(busy.await.unwrap().unwrap());
        assert!(pool.ask(Rank::FIRST, |_| true).await.unwrap());
        assert_eq!((pool.waiting(), pool.threads()), (0, 1));
    }

    #[tokio::test]
    async fn a_full_line_is_refused_at_once_and_a_better_rank_takes_a_place() {
        let pool = Arc::new(HashPool::start(1, 1).unwrap());
        let (go, busy) = occupied(&pool).await;
        let ask = |rank: u32| {
            let pool = Arc::clone(&pool);
            tokio::spawn(async move { pool.ask(Rank(rank), move |_| rank).await })
        };
        let displaced = ask(5);
        while pool.waiting() < 1 {
            tokio::task::yield_now().await;
        }

        assert!(matches!(ask(5).await.unwrap(), Err(HashFault::Busy)));
        let known = ask(0);
        assert!(matches!(displaced.await.unwrap(), Err(HashFault::Busy)));

        go.send(()).unwrap();
        assert!(busy.await.unwrap().unwrap());
        assert_eq!(known.await.unwrap().unwrap(), 0);
    }

    #[tokio::test]
    async fn dropping_the_pool_ends_its_threads() {
        let pool = HashPool::start(3, 1).unwrap();
        pool.hash(password()).await.unwrap();
        let gauges = Arc::downgrade(&pool.gauges);

        drop(pool);

        let ended = async {
            while gauges.strong_count() > 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), ended).await.unwrap();
    }
}
