//! The queues.
//!
//! They are durable quorum queues, declared with their type alone: limits and dead-lettering belong in policies,
//! because after a changed argument every declaration would fail with 406. Jobs reach their queue through the
//! default exchange, so no binding can be lost. The API declares all queues, and a worker those for parked messages
//! and heartbeats. For jobs, a worker only checks that the queue exists.

use super::channel::within;
use super::error::QueueError;
use crate::batch::Lane;
use lapin::Channel;
use lapin::options::QueueDeclareOptions;
use lapin::types::{AMQPValue, FieldTable};

/// The queue of unreadable messages, which wait for an operator.
pub const PARKED: &str = "beckon.parked";

/// The queue of the heartbeats.
pub const HEARTBEAT: &str = "beckon.heartbeat";

/// The queue that carries a lane's jobs.
pub const fn queue_of(lane: Lane) -> &'static str {
    match lane {
        Lane::Interactive => "beckon.interactive",
        Lane::Bulk => "beckon.bulk",
    }
}

/// Creates the queues that do not exist.
///
/// # Errors
///
/// [`QueueError::DeclaredOtherwise`] if one exists with other arguments: an operator must decide.
pub(crate) async fn declare(channel: &Channel) -> Result<(), QueueError> {
    let [interactive, bulk] = Lane::ALL.map(queue_of);
    for queue in [interactive, bulk, PARKED, HEARTBEAT] {
        declare_one(channel, queue).await?;
    }
    Ok(())
}

/// Creates a queue if it does not exist.
///
/// # Errors
///
/// [`QueueError::DeclaredOtherwise`] when it exists with other arguments.
pub(crate) async fn declare_one(channel: &Channel, queue: &'static str) -> Result<(), QueueError> {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    let options = QueueDeclareOptions {
        durable: true,
        ..Default::default()
    };
    within(
        "declare a queue",
        channel.queue_declare(queue.into(), options, arguments),
    )
    .await
    .map_err(|fault| fault.about_queue(queue))?;
    Ok(())
}

/// Queries the length of a queue on a separate channel.
pub struct QueueDepth(Channel);

impl QueueDepth {
    pub(super) const fn new(channel: Channel) -> Self {
        Self(channel)
    }

    /// Number of jobs of a lane that wait for a worker.
    ///
    /// # Errors
    ///
    /// The connection broke, the broker does not answer, or the queue does not exist.
    pub async fn of(&self, lane: Lane) -> Result<u32, QueueError> {
        ready_messages(&self.0, queue_of(lane)).await
    }
}

/// Checks that `queue` exists and returns how many messages in it are ready.
pub(crate) async fn ready_messages(channel: &Channel, queue: &'static str) -> Result<u32, QueueError> {
    let options = QueueDeclareOptions {
        passive: true,
        durable: true,
        ..Default::default()
    };
    within(
        "look for a queue",
        channel.queue_declare(queue.into(), options, FieldTable::default()),
    )
    .await
    .map(|found| found.message_count())
    .map_err(|fault| fault.about_queue(queue))
}
