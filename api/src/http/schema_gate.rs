//! Rejects requests until the database has the schema of this release.

use crate::app::problem::Problem;
use crate::app::schema_gate::SchemaGate;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

/// Rejects a request while the schema is out of date.
pub(crate) async fn pass(State(gate): State<SchemaGate>, request: Request, next: Next) -> Response {
    if gate.obstacle().is_some() {
        return Problem::unavailable(
            "unavailable",
            "Beckon is being upgraded: its database does not have the schema of this release yet. Retry in a \
             moment.",
            5,
        )
        .into_response();
    }
    next.run(request).await
}
