//! How many recipients get a second mail when a worker is killed at full speed.

use std::time::Duration;

use harness::Result;
use serde_json::json;

use crate::catalog;
use crate::figures::Figures;
use crate::number::figure;
use crate::options::Options;
use crate::scene::Scene;

/// How often a worker is killed.
const KILLS: usize = 5;

/// Long enough for a worker to reach its full speed again.
const PACE: Duration = Duration::from_millis(1_500);

/// Kills the worker with `kill -9` repeatedly while it sends a batch, and counts the mails that the relay accepted
/// beyond one per recipient. Mails in progress become unsure when their claims expire.
///
/// # Errors
///
/// When a delivery is not sent.
pub(super) async fn measure(scene: &mut Scene, options: &Options, figures: &mut Figures) -> Result<()> {
    let count = options.import;
    let (import, _) = scene.import("killed", count).await?;
    let taken = scene.world.relay.accepted_count();
    let accepted = scene.send("/v1/invites", &json!({ "import": import }), count).await?;
    for _ in 0..KILLS {
        tokio::time::sleep(PACE).await;
        scene.world.kill_worker(0).await;
        scene.world.start_worker().await?;
    }
    scene.taken(taken + count).await?;
    scene.all_sent(accepted.batch, count).await?;
    let second = scene.world.relay.accepted_count() - taken - count;
    figures.note(catalog::KILLS_SECOND, figure(second) / figure(KILLS));
    Ok(())
}
