//! How fast a large batch is accepted, and how long one invite takes behind it.

use std::time::{Duration, Instant};

use harness::{HarnessError, Result};
use serde_json::json;
use sqlx::Row as _;
use uuid::Uuid;

use super::note_latencies;
use crate::api::Accepted;
use crate::catalog;
use crate::figures::Figures;
use crate::number::{figure, per_second};
use crate::options::Options;
use crate::people;
use crate::process::{forget_peak, memory, peak_memory};
use crate::scene::Scene;

/// Interval between two single invites: short enough for a hundred of them behind a batch that takes some ten seconds,
/// and too long to be a load.
const PACE: Duration = Duration::from_millis(50);

/// Sends a batch to a large import, and single invites for as long as it runs.
///
/// # Errors
///
/// When a delivery is not sent.
pub(super) async fn measure(scene: &Scene, options: &Options, figures: &mut Figures, import: Uuid) -> Result<()> {
    let tag = "single";
    scene.import(tag, options.behind).await?;
    let taken = scene.world.relay.accepted_count();
    let large = accept(scene, options.import, figures, import).await?;

    let goal = taken + options.import;
    let mut singles = Vec::with_capacity(options.behind);
    for n in 0..options.behind {
        // In its last second the batch no longer competes with single invites.
        if scene.world.relay.accepted_count() + options.import / 10 > goal {
            break;
        }
        let recipients = json!({ "emails": [people::address(tag, n)] });
        singles.push(scene.send("/v1/invites", &recipients, 1).await?);
        tokio::time::sleep(PACE).await;
    }
    scene.taken(goal + singles.len()).await?;
    let ended = scene.all_sent(large.batch, options.import).await?;
    for single in &singles {
        scene.all_sent(single.batch, 1).await?;
    }
    scene.took_exactly(goal + singles.len())?;
    let latencies = latencies(scene, &singles).await?;
    note_latencies(
        figures,
        &latencies,
        [catalog::BEHIND_P50, catalog::BEHIND_P95, catalog::BEHIND_P99],
    );
    figures.note(catalog::BEHIND_COUNT, figure(singles.len()));
    figures.note(catalog::BEHIND_BATCH, per_second(options.import, ended - large.at));
    Ok(())
}

async fn accept(scene: &Scene, count: usize, figures: &mut Figures, import: Uuid) -> Result<Accepted> {
    let api = scene.processes.api;
    forget_peak(api)?;
    let before = memory(api)?;
    let begun = Instant::now();
    let accepted = scene.send("/v1/invites", &json!({ "import": import }), count).await?;
    let took = accepted.at - begun;
    figures.note(catalog::ACCEPT_RATE, per_second(count, took));
    figures.note(catalog::ACCEPT_SECONDS, took.as_secs_f64());
    figures.note(catalog::ACCEPT_EXTRA, peak_memory(api)? - before);
    Ok(accepted)
}

/// Latency from each 202 to the start of the transaction that records the outcome, in milliseconds.
///
/// The relay keeps no list while it counts, so this is read from Postgres afterwards. The relay's 250 precedes that
/// moment by some milliseconds.
async fn latencies(scene: &Scene, singles: &[Accepted]) -> Result<Vec<f64>> {
    let failed = |fault| HarnessError::because("could not read when invites were sent", fault);
    let before = Instant::now();
    let row = sqlx::query("select extract(epoch from clock_timestamp())::float8");
    let row = row.fetch_one(&scene.world.db).await;
    let asked = before + before.elapsed() / 2;
    let now: f64 = row.and_then(|row| row.try_get(0)).map_err(failed)?;
    let mut latencies = Vec::with_capacity(singles.len());
    for single in singles {
        let row = sqlx::query("select extract(epoch from sent_at)::float8 from deliveries where batch_id = $1");
        let row = row.bind(single.batch).fetch_one(&scene.world.db).await;
        let sent: f64 = row.and_then(|row| row.try_get(0)).map_err(failed)?;
        latencies.push(((asked - single.at).as_secs_f64() - (now - sent)) * 1000.0);
    }
    Ok(latencies)
}
