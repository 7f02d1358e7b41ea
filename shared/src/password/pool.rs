//! Threads that hash, apart from those that wait for the network.
//!
//! A hash occupies a core for about 18 ms. On the runtime's own threads that would make
//! every other task wait; on its blocking pool each hash would meet another thread and
//! another arena. So there are as many threads as hashes may run at once, each with its own
//! [`Hasher`], and memory is bounded at 19 MiB a thread.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use tokio::sync::{mpsc, oneshot};
use zeroize::Zeroizing;

use super::{Form, HashFault, Hasher, Password, Salt, Verifier, dummy_verifier, os_randomness};

/// One thing to do with a thread's hasher. It answers by itself.
type Job = Box<dyn FnOnce(&mut Hasher) + Send>;

/// A fixed number of threads that make and check verifiers.
///
/// A caller that goes away takes its job along unless a thread has begun it. Dropping the
/// pool ends each thread after the job in its hands; nobody waits for them.
pub struct HashPool {
    jobs: mpsc::Sender<(Job, Counted)>,
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
    /// Starts `threads` threads, at least one; at most `queue` jobs wait in line for them.
    ///
    /// Callers beyond `queue` wait too, without taking memory for a job.
    ///
    /// # Errors
    ///
    /// The operating system's, if it gives no thread.
    pub fn start(threads: usize, queue: usize) -> io::Result<Self> {
        let threads = threads.max(1);
        let (jobs, line) = mpsc::channel(queue.max(1));
        let line = Arc::new(Mutex::new(line));
        let gauges = Arc::new(Gauges::default());
        for n in 1..=threads {
            let (line, gauges) = (Arc::clone(&line), Arc::clone(&gauges));
            thread::Builder::new()
                .name(format!("hash-{n}"))
                .spawn(move || work(&line, &gauges))?;
        }
        Ok(Self { jobs, gauges, threads })
    }

    /// Makes the verifier of a password and gives both back.
    ///
    /// # Errors
    ///
    /// Nothing was stored and the password is gone; making another one is safe.
    pub async fn hash(&self, password: Password) -> Result<(Password, Verifier), HashFault> {
        let salt = Salt::generate(&mut os_randomness())?;
        self.ask(move |hasher| {
            let verifier = hasher.hash(&password, &salt)?;
            Ok((password, verifier))
        })
        .await?
    }

    /// Finds which of a user's verifiers a candidate matches.
    ///
    /// Every verifier is checked, and an empty list costs as much as a list of one, so that
    /// the time does not tell which one matched or whether the user exists.
    ///
    /// # Errors
    ///
    /// No answer could be had. It means neither a match nor a mismatch.
    pub async fn verify(
        &self,
        verifiers: Vec<(Verifier, Form)>,
        candidate: Zeroizing<String>,
    ) -> Result<Option<usize>, HashFault> {
        self.ask(move |hasher| {
            if verifiers.is_empty() {
                hasher.verify(&dummy_verifier(), &candidate, Form::Generated);
            }
            verifiers.iter().enumerate().fold(None, |found, (n, (verifier, form))| {
                let matches = hasher.verify(verifier, &candidate, *form);
                found.or(matches.then_some(n))
            })
        })
        .await
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
        work: impl FnOnce(&mut Hasher) -> T + Send + 'static,
    ) -> Result<T, HashFault> {
        let waiting = Counted::new(&self.gauges, |gauges| &gauges.waiting);
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |hasher| {
            // A caller that went away needs no hash, and 18 ms of a core are worth sparing.
            if !answer.is_closed() {
                let _caller_may_have_gone_meanwhile = answer.send(work(hasher));
            }
        });
        self.jobs.send((job, waiting)).await.map_err(|_| HashFault::NoAnswer)?;
        answered.await.map_err(|_| HashFault::NoAnswer)
    }
}

/// The life of one thread: ends when the pool is dropped.
fn work(line: &Mutex<mpsc::Receiver<(Job, Counted)>>, gauges: &Arc<Gauges>) {
    let mut hasher = Hasher::new();
    while let Some((job, waiting)) = next_job(line, &mut hasher) {
        drop(waiting);
        let in_use = Counted::new(gauges, |gauges| &gauges.in_use);
        // A job that panics loses its caller's answer, not this thread. What it left in the
        // hasher is in doubt, so the hasher goes with it.
        if catch_unwind(AssertUnwindSafe(|| job(&mut hasher))).is_err() {
            hasher = Hasher::new();
        }
        drop(in_use);
    }
}

/// Takes the next job, and uses the pause to wipe the arena if there is none yet.
fn next_job(line: &Mutex<mpsc::Receiver<(Job, Counted)>>, hasher: &mut Hasher) -> Option<(Job, Counted)> {
    if let Ok(mut line) = line.try_lock()
        && let Ok(job) = line.try_recv()
    {
        return Some(job);
    }
    // Either the line is empty or another thread stands at its head, waiting.
    hasher.wipe();
    // One thread waits inside the lock and the others for the lock; no job runs under it.
    line.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv()
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

        assert_eq!(
            pool.verify(verifiers.clone(), secret(&password)).await.unwrap(),
            Some(1)
        );
        assert_eq!(
            pool.verify(verifiers, Zeroizing::new("wrong".into())).await.unwrap(),
            None
        );
        assert_eq!(pool.verify(vec![], secret(&password)).await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_panic_loses_its_own_answer_only() {
        let pool = HashPool::start(1, 4).unwrap();

        let lost = pool.ask(|_| panic!("on purpose")).await;

        assert!(matches!(lost, Err::<(), _>(HashFault::NoAnswer)));
        assert!(pool.hash(password()).await.is_ok());
        assert_eq!(pool.waiting(), 0);
    }

    #[tokio::test]
    async fn a_caller_that_goes_away_takes_its_job_along() {
        let pool = Arc::new(HashPool::start(1, 1).unwrap());
        let (go, gone) = std::sync::mpsc::channel::<()>();
        let busy = tokio::spawn({
            let pool = Arc::clone(&pool);
            async move { pool.ask(move |_| gone.recv().is_ok()).await }
        });
        while pool.in_use() == 0 {
            tokio::task::yield_now().await;
        }

        // One waits in the line, one before it.
        let waiting = [(); 2].map(|()| {
            let pool = Arc::clone(&pool);
            tokio::spawn(async move { pool.ask(|_| panic!("nobody waits for this")).await })
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
        assert!(pool.ask(|_| true).await.unwrap());
        assert_eq!((pool.waiting(), pool.threads()), (0, 1));
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
