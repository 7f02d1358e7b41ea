//! Invites per second end to end, and their cost.

use std::time::Instant;

use harness::Result;
use serde_json::json;

use crate::catalog;
use crate::counts::Counts;
use crate::figures::Figures;
use crate::number::{figure, per_second};
use crate::options::Options;
use crate::process::{forget_peak, peak_memory};
use crate::scene::{Cpu, Scene};

/// Sends one batch and waits until every delivery of it is `sent` in Postgres.
///
/// # Errors
///
/// When a delivery ended otherwise.
pub(super) async fn measure(scene: &Scene, options: &Options, figures: &mut Figures) -> Result<()> {
    let count = options.recipients;
    let (import, _) = scene.import("batch", count).await?;
    let taken = scene.world.relay.accepted_count();
    let counts = Counts::begin(scene).await?;
    let before = scene.cpu()?;

    let begun = Instant::now();
    let accepted = scene.send("/v1/invites", &json!({ "import": import }), count).await?;
    forget_peak(scene.processes.api)?;
    forget_peak(scene.processes.worker)?;
    scene.taken(taken + count).await?;
    let ended = scene.all_sent(accepted.batch, count).await?;
    scene.took_exactly(taken + count)?;

    figures.note(catalog::INVITES_RATE, per_second(count, ended - begun));
    figures.note(catalog::INVITES_DRAIN, per_second(count, ended - accepted.at));
    note_cpu(figures, scene.cpu()?.since(before), count);
    counts.note(scene, count, figures).await?;
    figures.note(catalog::MEMORY_API, peak_memory(scene.processes.api)?);
    figures.note(catalog::MEMORY_WORKER, peak_memory(scene.processes.worker)?);
    Ok(())
}

/// The rate and the processor seconds of the last run, for comparison with peers.
pub(crate) fn ours(figures: &Figures) -> Option<(f64, f64)> {
    figures.last(catalog::INVITES_RATE).zip(figures.last(catalog::CPU_OURS))
}

fn note_cpu(figures: &mut Figures, used: Cpu, mails: usize) {
    let per_thousand = 1000.0 / figure(mails);
    for (what, seconds) in [
        (catalog::CPU_WORKER, used.worker),
        (catalog::CPU_API, used.api),
        (catalog::CPU_POSTGRES, used.postgres),
        (catalog::CPU_BROKER, used.broker),
        (catalog::CPU_SINK, used.sink),
        (catalog::CPU_ALL, used.sum()),
        (catalog::CPU_OURS, used.sum() - used.sink),
    ] {
        figures.note(what, seconds * per_thousand);
    }
}
