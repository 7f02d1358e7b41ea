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
async fn a_hashed_password_is_found_among_others() {
    let pool = HashPool::start(2, 4).unwrap();
    let (_, other) = pool.hash(password()).await.unwrap();
    let (password, verifier) = pool.hash(password()).await.unwrap();
    let verifiers = vec![
        (other, PasswordOrigin::Generated),
        (verifier, PasswordOrigin::Generated),
    ];

    let found = pool.verify(Rank::FIRST, verifiers.clone(), secret(&password)).await;
    assert_eq!(found.unwrap(), Some(1));
    let found = pool
        .verify(Rank::FIRST, verifiers, Zeroizing::new("wrong".into()))
        .await;
    assert_eq!(found.unwrap(), None);
    assert_eq!(pool.verify(Rank::FIRST, vec![], secret(&password)).await.unwrap(), None);
}

#[tokio::test]
async fn a_panic_affects_only_its_own_caller() {
    let pool = HashPool::start(1, 4).unwrap();

    let lost = pool.run(Rank::FIRST, |_| panic!("on purpose")).await;

    assert!(matches!(lost, Err::<(), _>(HashFault::NoAnswer)));
    assert!(pool.hash(password()).await.is_ok());
    assert_eq!(pool.waiting(), 0);
}

/// Occupies the pool's only thread until a message is sent.
async fn occupied(pool: &Arc<HashPool>) -> (std::sync::mpsc::Sender<()>, JoinHandle<Result<bool, HashFault>>) {
    let (go, gone) = std::sync::mpsc::channel::<()>();
    let busy = tokio::spawn({
        let pool = Arc::clone(pool);
        async move { pool.run(Rank::FIRST, move |_| gone.recv().is_ok()).await }
    });
    while pool.in_use() == 0 {
        tokio::task::yield_now().await;
    }
    (go, busy)
}

#[tokio::test]
async fn the_job_of_a_dropped_caller_is_skipped() {
    let pool = Arc::new(HashPool::start(1, 2).unwrap());
    let (go, busy) = occupied(&pool).await;

    let waiting = [(); 2].map(|()| {
        let pool = Arc::clone(&pool);
        tokio::spawn(async move { pool.run(Rank::FIRST, |_| panic!("the caller is gone")).await })
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
    // Their places are free once the thread has skipped them.
    while pool.run(Rank::FIRST, |_| true).await.is_err() {
        tokio::task::yield_now().await;
    }
    assert_eq!((pool.waiting(), pool.threads()), (0, 1));
}

#[tokio::test]
async fn a_full_queue_refuses_at_once_except_for_a_better_rank() {
    let pool = Arc::new(HashPool::start(1, 1).unwrap());
    let (go, busy) = occupied(&pool).await;
    let ask = |rank: u32| {
        let pool = Arc::clone(&pool);
        tokio::spawn(async move { pool.run(Rank(rank), move |_| rank).await })
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
async fn a_full_queue_does_not_block_the_other_queue() {
    let pool = Arc::new(HashPool::start(1, 1).unwrap());
    let other = pool.another_queue(1);
    let (go, busy) = occupied(&pool).await;
    let waiting = tokio::spawn({
        let pool = Arc::clone(&pool);
        async move { pool.run(Rank::FIRST, |_| ()).await }
    });
    while pool.waiting() < 1 {
        tokio::task::yield_now().await;
    }

    assert!(pool.reserve(Rank::FIRST).is_none() && other.reserve(Rank(9)).is_some());
    let asked = other.run(Rank(9), |_| true);
    let (answer, sent) = tokio::join!(asked, async { go.send(()) });

    assert!(answer.unwrap() && sent.is_ok());
    assert!(busy.await.unwrap().unwrap());
    waiting.await.unwrap().unwrap();
}

#[tokio::test]
async fn dropping_the_pool_ends_its_threads() {
    let pool = HashPool::start(3, 1).unwrap();
    pool.hash(password()).await.unwrap();
    let other = pool.another_queue(1);
    let in_use = Arc::downgrade(&pool.threads.in_use);

    drop(pool);
    assert!(other.hash(password()).await.is_ok());
    drop(other);

    let ended = async {
        while in_use.strong_count() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), ended).await.unwrap();
}
