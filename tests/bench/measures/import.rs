//! Import speed, and the memory it costs the API.

use harness::Result;
use uuid::Uuid;

use crate::catalog;
use crate::figures::Figures;
use crate::number::per_second;
use crate::options::Options;
use crate::process::{forget_peak, memory, peak_memory};
use crate::scene::Scene;

/// Size of the import whose memory is the baseline for the large one.
const SMALL: usize = 1_000;

/// Imports a small file and a large one; returns the large one.
///
/// # Errors
///
/// When a row was rejected.
pub(super) async fn measure(scene: &Scene, options: &Options, figures: &mut Figures) -> Result<Uuid> {
    let api = scene.processes.api;
    let before = begin(api)?;
    scene.import("few", SMALL).await?;
    figures.note(catalog::IMPORT_SMALL, peak_memory(api)? - before);

    let before = begin(api)?;
    let (import, took) = scene.import("many", options.import).await?;
    figures.note(catalog::IMPORT_RATE, per_second(options.import, took));
    figures.note(catalog::IMPORT_BEFORE, before);
    figures.note(catalog::IMPORT_AFTER, memory(api)?);
    figures.note(catalog::IMPORT_EXTRA, peak_memory(api)? - before);
    Ok(import)
}

fn begin(api: u32) -> Result<f64> {
    forget_peak(api)?;
    memory(api)
}
