//! A job with what it came with.

use crate::acks::Acks;
use crate::metrics::InProgress;
use shared::batch::Lane;
use shared::job::Job;
use shared::trace::TraceContext;

/// A job that this worker has received.
pub struct Work {
    /// What it asks for.
    pub job: Job,
    /// Its number at the broker.
    pub tag: u64,
    /// Its queue.
    pub lane: Lane,
    /// The span in which it was published.
    pub trace: TraceContext,
    /// Where to acknowledge it.
    pub acks: Acks,
    /// Counts it as in progress.
    pub in_progress: InProgress,
}
