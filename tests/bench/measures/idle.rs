//! How long one invite takes on an idle system.

use harness::Result;
use serde_json::json;

use super::{milliseconds, note_latencies};
use crate::catalog;
use crate::figures::Figures;
use crate::options::Options;
use crate::people;
use crate::scene::Scene;

/// Sends single invites one after the other, and records the time from the API's 202 to the relay's 250.
///
/// # Errors
///
/// When one does not arrive.
pub(super) async fn measure(scene: &Scene, options: &Options, figures: &mut Figures) -> Result<()> {
    let tag = "idle";
    scene.import(tag, options.idle).await?;
    let mut latencies = Vec::with_capacity(options.idle);
    for n in 0..options.idle {
        let before = scene.world.relay.accepted_count();
        let recipients = json!({ "emails": [people::address(tag, n)] });
        let accepted = scene.send("/v1/invites", &recipients, 1).await?;
        scene.taken(before + 1).await?;
        latencies.push(milliseconds(accepted.at.elapsed()));
        scene.all_sent(accepted.batch, 1).await?;
    }
    note_latencies(
        figures,
        &latencies,
        [catalog::IDLE_P50, catalog::IDLE_P95, catalog::IDLE_P99],
    );
    Ok(())
}
