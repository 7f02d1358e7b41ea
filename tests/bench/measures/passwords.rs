//! Password mails per second end to end.

use std::time::Instant;

use harness::Result;
use serde_json::json;

use crate::catalog;
use crate::figures::Figures;
use crate::number::per_second;
use crate::options::Options;
use crate::scene::Scene;

/// Sends one batch of password mails, each with a password of its own.
///
/// # Errors
///
/// When a delivery is not sent.
pub(super) async fn measure(scene: &Scene, options: &Options, figures: &mut Figures) -> Result<()> {
    let count = options.passwords;
    let (import, _) = scene.import("password", count).await?;
    let taken = scene.world.relay.accepted_count();

    let begun = Instant::now();
    let accepted = scene
        .send("/v1/password-resets", &json!({ "import": import }), count)
        .await?;
    scene.taken(taken + count).await?;
    let ended = scene.all_sent(accepted.batch, count).await?;
    scene.took_exactly(taken + count)?;

    let rate = per_second(count, ended - begun);
    figures.note(catalog::PASSWORDS_RATE, rate);
    if let Some(invites) = figures.last(catalog::INVITES_RATE) {
        figures.note(catalog::PASSWORDS_RATIO, 100.0 * rate / invites);
    }
    Ok(())
}
