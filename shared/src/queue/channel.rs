//! Requests on a channel, each with a timeout.

use super::PATIENCE;
use super::error::QueueError;
use lapin::options::{BasicConsumeOptions, BasicQosOptions, ConfirmSelectOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Consumer};
use tokio::time::Instant;

/// Awaits lapin with a timeout.
pub(super) async fn within<T>(
    what: &'static str,
    request: impl Future<Output = lapin::Result<T>>,
) -> Result<T, QueueError> {
    until(Instant::now() + PATIENCE, what, request).await
}

/// Awaits lapin until a deadline.
pub(super) async fn until<T>(
    deadline: Instant,
    what: &'static str,
    request: impl Future<Output = lapin::Result<T>>,
) -> Result<T, QueueError> {
    match tokio::time::timeout_at(deadline, request).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(source)) => Err(QueueError::Broken { what, source }),
        Err(_) => Err(QueueError::Silent { what }),
    }
}

/// Enables publisher confirms.
pub(super) async fn confirm_select(channel: &Channel) -> Result<(), QueueError> {
    let request = channel.confirm_select(ConfirmSelectOptions::default());
    within("enable publisher confirms", request).await
}

/// Starts a consumer with at most `prefetch` unacknowledged messages.
pub(super) async fn consume(channel: &Channel, queue: &'static str, prefetch: u16) -> Result<Consumer, QueueError> {
    // lapin's buffer is unbounded, so the broker must limit it.
    within(
        "set the prefetch",
        channel.basic_qos(prefetch, BasicQosOptions::default()),
    )
    .await?;
    let consume = channel.basic_consume(
        queue.into(),
        "".into(),
        BasicConsumeOptions::default(),
        FieldTable::default(),
    );
    within("consume", consume)
        .await
        .map_err(|fault| fault.about_queue(queue))
}
