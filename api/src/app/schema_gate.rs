//! Waits until the database has the schema of this release.
//!
//! During an upgrade the API may start before the schema has been migrated. Like a worker, it waits instead of exiting,
//! because a supervisor would restart it over and over. Meanwhile it is alive but not ready, and rejects requests.

use shared::lifecycle::Lifecycle;
use shared::reconnect::Delays;
use shared::store::{self, Db, schema};
use std::sync::Arc;
use tokio::sync::watch::Sender;
use tracing::{info, warn};

/// Whether the schema is up to date, as far as is known. If the database does not respond, the gate stays open, and
/// each request finds out for itself.
#[derive(Clone, Debug, Default)]
pub struct SchemaGate(Arc<Sender<Option<String>>>);

impl SchemaGate {
    /// Why the gate is closed.
    pub fn obstacle(&self) -> Option<String> {
        self.0.borrow().clone()
    }

    /// Resolves once the gate is open or the process stops.
    pub async fn opened(&self, lifecycle: &Lifecycle) {
        let mut seen = self.0.subscribe();
        tokio::select! {
            // The sender lives as long as `self`.
            _ = seen.wait_for(Option::is_none) => {}
            () = lifecycle.stopping().cancelled() => {}
        }
    }

    /// Checks once, before any request is served. Returns whether the result is final.
    pub async fn check(&self, db: &Db) -> bool {
        if let Ok(Some(shared)) = store::shares_sessions(db).await {
            warn!(error = %shared, "Could not use the database; rejecting requests until that is fixed");
            self.0.send_replace(Some(shared.to_string()));
            return false;
        }
        match schema::missing(db).await {
            Ok(missing) if missing.is_empty() => {
                if self.0.send_replace(None).is_some() {
                    info!("The database has the schema of this release; serving");
                }
                true
            }
            Ok(missing) => {
                let missing_migrations = schema::describe(&missing);
                warn!(
                    error = missing_migrations,
                    "Could not use the database (DATABASE_URL); rejecting requests until that is fixed"
                );
                self.0.send_replace(Some(missing_migrations));
                false
            }
            Err(fault) => {
                let fault = fault.explained(db).await;
                warn!(error = %fault, "Could not read which migrations are applied; assuming that all are");
                false
            }
        }
    }

    /// Checks until the schema is up to date or the process stops.
    pub async fn keep_checking(&self, db: &Db, lifecycle: &Lifecycle) {
        let mut delays = Delays::for_a_near_server();
        while !lifecycle.is_stopping() {
            lifecycle.pause(delays.next_delay()).await;
            if lifecycle.is_stopping() || self.check(db).await {
                return;
            }
        }
    }
}
