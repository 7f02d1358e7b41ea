//! Why something that needs both RabbitMQ and Postgres did not complete.

use shared::queue::QueueError;
use shared::store::StoreError;

/// Which of the two failed.
pub(super) enum Fault {
    /// RabbitMQ. The session is over.
    Queue(QueueError),
    /// Postgres. It is tried again.
    Store(StoreError),
}

impl From<QueueError> for Fault {
    fn from(fault: QueueError) -> Self {
        Self::Queue(fault)
    }
}

impl From<StoreError> for Fault {
    fn from(fault: StoreError) -> Self {
        Self::Store(fault)
    }
}
