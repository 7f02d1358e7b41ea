//! Spans of publishing (see [`shared::trace`]).
//!
//! Names and attributes follow OpenTelemetry's semantic conventions where they exist.

use shared::batch::Lane;
use shared::queue::{Outgoing, Published, queue_of};
use shared::store::dispatch::Due;
use shared::trace::{Span, SpanKind, export, now};
use std::collections::HashSet;
use std::time::SystemTime;

/// Exports the spans of a round's traced jobs.
pub(crate) fn emit_round(lane: Lane, due: &[Due], round: &[Outgoing], published: &Published, began: SystemTime) {
    export(|| {
        let ended = now();
        let taken: HashSet<_> = published.confirmed.iter().collect();
        let traced = round.iter().zip(due).filter(|(job, _)| job.trace.is_sampled());
        traced
            .map(|(outgoing, due)| {
                let (job, queue) = (outgoing.job, queue_of(lane));
                let intake = outgoing.trace.intake(due.batch);
                let name = format!("publish {queue}");
                let span = Span::new(outgoing.trace, intake, SpanKind::Producer, name, (began, ended))
                    .with("messaging.system", "rabbitmq")
                    .with("messaging.operation.name", "publish")
                    .with("messaging.operation.type", "send")
                    .with("messaging.destination.name", queue)
                    .with("messaging.rabbitmq.destination.routing_key", queue)
                    .with("messaging.message.id", job.message_id())
                    .with("messaging.message.conversation_id", due.batch.to_string());
                if taken.contains(&job) {
                    span
                } else {
                    span.failed("not_confirmed")
                }
            })
            .collect()
    });
}
