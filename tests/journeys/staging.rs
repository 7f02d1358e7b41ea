//! The steps of an import as the console takes them, in a process of the test's own.

use api::app::disk_budget::{DiskBudget, UPLOADS_MOST_BYTES};
use api::app::imports::staged::{Received, StagedImports};
use api::app::upload_spool::spool_stream;
use api::metrics::ApiMetrics;
use harness::World;
use shared::lifecycle::Lifecycle;
use shared::metrics::Metrics;
use shared::store::audit::{Actor, ActorKind};
use shared::store::imports::{self, Import, ImportMode};
use std::sync::Arc;
use uuid::Uuid;

/// A process beside the world's API.
pub(crate) fn staged(world: &World) -> StagedImports {
    StagedImports {
        db: world.db.clone(),
        concurrency_limits: Arc::default(),
        metrics: Arc::new(ApiMetrics::declare(&Metrics::for_process())),
        lifecycle: Lifecycle::new(),
    }
}

/// The administrator who imports.
pub(crate) fn priya() -> Actor {
    Actor {
        kind: ActorKind::Administrator(Uuid::from_u128(7)),
        name: "Priya".to_owned(),
        ..Actor::unknown()
    }
}

/// A file as submitted with a form.
pub(crate) async fn received(form_token: Uuid, file: &str, instead_of: Option<Uuid>) -> Received {
    let parts = [Ok::<_, std::io::Error>(file.to_owned())];
    let reservation = DiskBudget::new(UPLOADS_MOST_BYTES).reservation(Uuid::nil());
    let spooled = spool_stream(reservation, futures_util::stream::iter(parts)).await;
    Received {
        form_token,
        file_name: "people.csv".to_owned(),
        spooled: spooled.unwrap(),
        by: priya(),
        instead_of,
        mode: ImportMode::default(),
        clears_empty: false,
    }
}

/// Uploads a file and returns its import.
pub(crate) async fn upload(staged: &StagedImports, file: &str) -> Uuid {
    let received = received(Uuid::new_v4(), file, None).await;
    staged.upload(received).await.unwrap()
}

/// The current state of an import.
pub(crate) async fn import_state(world: &World, import: Uuid) -> Import {
    imports::find(&world.db, import).await.unwrap().unwrap()
}
