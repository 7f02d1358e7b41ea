//! Which queues there are.
//!
//! Durable quorum queues, declared with their type and nothing else: limits and dead-lettering
//! belong into policies, because a changed argument would make every declaration fail with 406.
//! Jobs go through the default exchange straight to their queue, so no binding can be lost. The API
//! declares; so does whoever parks a message or listens for beats. Workers that take jobs only look.

use super::heartbeat::HEARTBEAT;
use super::session::{QueueError, within};
use crate::batch::Lane;
use lapin::Channel;
use lapin::options::QueueDeclareOptions;
use lapin::types::{AMQPValue, FieldTable};

/// Where messages wait that nobody could read, for a person to look at.
pub const PARKED: &str = "beckon.parked";

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
/// [`QueueError::DeclaredOtherwise`] when one exists with other arguments: a person must decide.
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

/// Asks how many jobs lie in a queue, on a channel of its own.
pub struct QueueDepth(Channel);

impl QueueDepth {
    pub(super) const fn new(channel: Channel) -> Self {
        Self(channel)
    }

    /// Jobs of a lane that no worker has been given.
    ///
    /// # Errors
    ///
    /// When the connection broke, the broker fell silent or the queue is gone.
    pub async fn of(&self, lane: Lane) -> Result<u32, QueueError> {
        look(&self.0, queue_of(lane)).await
    }
}

/// Checks that `queue` is there, and returns how many messages lie in it that nobody holds.
pub(crate) async fn look(channel: &Channel, queue: &'static str) -> Result<u32, QueueError> {
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
