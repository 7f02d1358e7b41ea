//! A received job with its context.

use crate::acks::Acks;
use crate::metrics::InProgress;
use shared::batch::Lane;
use shared::job::Job;
use shared::trace::TraceContext;

/// A job that this worker has received.
pub struct Work {
    /// The job.
    pub job: Job,
    /// Its delivery tag.
    pub tag: u64,
    /// The lane of its queue.
    pub lane: Lane,
    /// The span that published it.
    pub trace: TraceContext,
    /// Where to acknowledge it.
    pub acks: Acks,
    /// Counts it as in progress.
    pub in_progress: InProgress,
}
