//! Why something that needs both RabbitMQ and Postgres did not complete.

use shared::queue::QueueError;
use shared::store::StoreError;

/// Which of the two failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// RabbitMQ. The session is over.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// Postgres. It is tried again.
    #[error(transparent)]
    Store(#[from] StoreError),
}
