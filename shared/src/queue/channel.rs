//! Requests on a channel, each with a timeout.

use super::PATIENCE;
use super::error::QueueError;
use lapin::options::{BasicConsumeOptions, BasicQosOptions, ConfirmSelectOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, Consumer};
use std::sync::Arc;
use tokio::time::Instant;
use tracing::debug;

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

/// A channel with publisher confirms that can be replaced by a new one.
///
/// A channel of RabbitMQ 3.10 remembers who led a queue when it was opened. If that node was dead, but its successor not
/// yet elected, the channel rejects every message from then on.
pub(super) struct ConfirmChannel {
    connection: Arc<Connection>,
    channel: Channel,
}

impl ConfirmChannel {
    pub(super) async fn open(connection: Arc<Connection>) -> Result<Self, QueueError> {
        let channel = within("open a channel", connection.create_channel()).await?;
        confirm_select(&channel).await?;
        Ok(Self { connection, channel })
    }

    pub(super) fn get(&self) -> &Channel {
        &self.channel
    }

    /// Replaces the channel. Nothing may be unconfirmed on the old one.
    pub(super) async fn reopen(&mut self) -> Result<(), QueueError> {
        let new = Self::open(Arc::clone(&self.connection)).await?;
        std::mem::replace(self, new).close().await;
        Ok(())
    }

    /// Closes the channel. A failure only affects the channel and is logged.
    pub(super) async fn close(self) {
        if let Err(fault) = within("close a channel", self.channel.close(200, "done".into())).await {
            debug!(error = %fault, "Could not close a channel");
        }
    }
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
