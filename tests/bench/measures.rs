//! The measurements, in the order of a run.

mod behind;
mod idle;
mod import;
pub(crate) mod invites;
mod kills;
mod passwords;

use std::time::Duration;

use harness::Result;

use crate::catalog::What;
use crate::figures::{Figures, quantile};
use crate::options::{Measure, Options};
use crate::scene::Scene;

/// Takes every requested measurement once.
///
/// The small ones come first: they find the servers freshly started, whereas the large ones leave filled tables behind.
///
/// # Errors
///
/// When a mail was lost or a process ended: figures of a broken run would mislead.
pub(crate) async fn all(scene: &mut Scene, options: &Options, figures: &mut Figures) -> Result<()> {
    if options.wants(Measure::Idle) {
        eprintln!("  one invite at a time");
        idle::measure(scene, options, figures).await?;
    }
    if options.wants(Measure::Invites) {
        eprintln!("  a batch of invites");
        invites::measure(scene, options, figures).await?;
    }
    if options.wants(Measure::Import) || options.wants(Measure::Behind) {
        eprintln!("  a large import");
        let import = import::measure(scene, options, figures).await?;
        if options.wants(Measure::Behind) {
            eprintln!("  a large batch, and invites behind it");
            behind::measure(scene, options, figures, import).await?;
        }
    }
    if options.wants(Measure::Passwords) {
        eprintln!("  a batch of password mails");
        passwords::measure(scene, options, figures).await?;
    }
    // Last, because it replaces the worker; and only if requested explicitly.
    if options.only.contains(&Measure::Kills) {
        eprintln!("  a batch whose worker is killed again and again");
        kills::measure(scene, options, figures).await?;
    }
    Ok(())
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// Records p50, p95 and p99 of the latencies.
fn note_latencies(figures: &mut Figures, latencies: &[f64], whats: [&'static What; 3]) {
    for (what, part) in whats.into_iter().zip([0.5, 0.95, 0.99]) {
        figures.note(what, quantile(latencies, part));
    }
}
