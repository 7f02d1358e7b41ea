//! How close password mails come to hashing alone.

use std::thread;
use std::time::Instant;

use harness::{HarnessError, Result};
use serde_json::json;
use shared::password::{Hasher, Password, Salt, os_randomness};

use crate::catalog;
use crate::figures::Figures;
use crate::number::per_second;
use crate::options::Options;
use crate::scene::Scene;

/// Sends one batch of password mails, between two looks at how fast this machine hashes.
///
/// # Errors
///
/// When a delivery did not end as sent.
pub(super) async fn measure(scene: &Scene, options: &Options, figures: &mut Figures) -> Result<()> {
    let count = options.passwords;
    let (import, _) = scene.import("password", count).await?;
    let before = ceiling(count / 4).await?;
    let taken = scene.world.relay.accepted_count();

    let begun = Instant::now();
    let accepted = scene
        .send("/v1/password-resets", &json!({ "import": import }), count)
        .await?;
    scene.taken(taken + count).await?;
    let ended = scene.all_sent(accepted.batch, count).await?;
    scene.took_exactly(taken + count)?;

    let rate = per_second(count, ended - begun);
    // The machine's speed drifts by some per cent within a minute.
    let ceiling = f64::midpoint(before, ceiling(count / 4).await?);
    figures.note(catalog::PASSWORDS_RATE, rate);
    figures.note(catalog::PASSWORDS_CEILING, ceiling);
    figures.note(catalog::PASSWORDS_RATIO, 100.0 * rate / ceiling);
    Ok(())
}

/// Hashes a second, by Beckon's own parameters in kept memory, on as many threads as a worker
/// uses by default.
async fn ceiling(hashes: usize) -> Result<f64> {
    let threads = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let each = (hashes / threads).max(10);
    let hashing = tokio::task::spawn_blocking(move || {
        let begun = Instant::now();
        thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(move || hash(each))).collect();
            workers.into_iter().all(|worker| worker.join().is_ok_and(|done| done))
        })
        .then(|| per_second(each * threads, begun.elapsed()))
    });
    let rate = hashing.await.ok().flatten();
    rate.ok_or_else(|| HarnessError::new("this machine could not hash passwords"))
}

fn hash(count: usize) -> bool {
    let mut hasher = Hasher::new();
    let mut one = || {
        let password = Password::generate(&mut os_randomness()).ok()?;
        let salt = Salt::generate(&mut os_randomness()).ok()?;
        hasher.hash(&password, &salt).ok()
    };
    (0..count).all(|_| one().is_some())
}
