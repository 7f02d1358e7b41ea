//! Heartbeats from the dispatcher to the workers, which distinguish an idle queue from a broken path.
//!
//! They have their own queue, because a consumer of jobs would park them as invalid. The worker that receives a
//! heartbeat records it. A late one is useless and expires in the queue.

use super::channel::{ConfirmChannel, consume, within};
use super::error::QueueError;
use super::session::Session;
use super::topology::{HEARTBEAT, declare_one};
use futures_util::StreamExt as _;
use lapin::options::{BasicAckOptions, BasicGetOptions, BasicPublishOptions};
use lapin::{BasicProperties, Channel, Confirmation, Connection, Consumer};
use std::sync::Arc;
use std::time::Duration;

/// Interval between two heartbeats.
pub const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(30);

/// Publishes each heartbeat on a channel of its own, so that trouble with one affects neither jobs nor the next one.
#[derive(Clone)]
pub struct HeartbeatPublisher(Arc<Connection>);

impl HeartbeatPublisher {
    /// Publishes a heartbeat and waits for the broker's confirm.
    ///
    /// # Errors
    ///
    /// [`QueueError::Silent`] or [`QueueError::Unanswered`] if the broker does not answer, [`QueueError::Refused`] if it
    /// does not accept the message, [`QueueError::Broken`] if the channel or the connection broke.
    pub async fn publish(&self) -> Result<(), QueueError> {
        let channel = ConfirmChannel::open(Arc::clone(&self.0)).await?;
        let properties = BasicProperties::default().with_expiration(HEARTBEAT_INTERVAL.as_millis().to_string().into());
        let options = BasicPublishOptions::default();
        let publishing = channel
            .get()
            .basic_publish("".into(), HEARTBEAT.into(), options, &[], properties);
        let confirm = within("publish a heartbeat", publishing).await?;
        let answer = within("get a heartbeat confirmed", confirm)
            .await
            .map_err(|fault| fault.about_queue(HEARTBEAT))?;
        channel.close().await;
        match answer {
            Confirmation::Nack(_) => Err(QueueError::Refused { queue: HEARTBEAT }),
            Confirmation::Ack(_) | Confirmation::NotRequested => Ok(()),
        }
    }
}

/// Checks on a separate channel whether the broker can still deliver messages.
///
/// A node that is cut off from the others keeps its connections and answers what needs no other node, but its
/// consumers wait for jobs that never come. Getting a message needs a majority of the queue's members.
pub struct RouteCheck(Channel);

impl RouteCheck {
    /// Checks once. Returns whether a heartbeat was received, which took the same path as a job.
    ///
    /// # Errors
    ///
    /// [`QueueError::Unanswered`] if the queue does not answer: connect to another node.
    pub async fn check(&self) -> Result<bool, QueueError> {
        let getting = self.0.basic_get(HEARTBEAT.into(), BasicGetOptions::default());
        let answer = within("request a heartbeat", getting).await;
        let Some(heartbeat) = answer.map_err(|fault| fault.about_queue(HEARTBEAT))? else {
            return Ok(false);
        };
        within(
            "acknowledge a heartbeat",
            heartbeat.delivery.acker.ack(BasicAckOptions::default()),
        )
        .await?;
        Ok(true)
    }
}

impl Session {
    /// Publishes heartbeats on this connection.
    pub fn heartbeat_publisher(&self) -> HeartbeatPublisher {
        HeartbeatPublisher(self.connection())
    }

    /// A channel on which heartbeats can be consumed.
    ///
    /// # Errors
    ///
    /// The connection broke or the broker does not answer.
    pub async fn heartbeat_inbox(&mut self) -> Result<HeartbeatInbox, QueueError> {
        Ok(HeartbeatInbox(self.channel().await?))
    }

    /// Opens a channel to check whether the broker can still deliver messages.
    ///
    /// # Errors
    ///
    /// The connection broke or the broker does not answer.
    pub async fn route_check(&mut self) -> Result<RouteCheck, QueueError> {
        Ok(RouteCheck(self.channel().await?))
    }
}

/// A channel on which heartbeats can be consumed.
pub struct HeartbeatInbox(Channel);

impl HeartbeatInbox {
    /// Starts consuming. Creates the queue if it is missing, because an older release of the API does not.
    ///
    /// # Errors
    ///
    /// The connection broke, or the queue exists with other arguments.
    pub async fn open(self) -> Result<Heartbeats, QueueError> {
        declare_one(&self.0, HEARTBEAT).await?;
        Ok(Heartbeats(consume(&self.0, HEARTBEAT, 1).await?))
    }
}

/// The heartbeats that this process receives.
pub struct Heartbeats(Consumer);

impl Heartbeats {
    /// Waits for the next heartbeat. Cancel-safe.
    ///
    /// # Errors
    ///
    /// The stream has ended; do not call this again.
    pub async fn next(&mut self) -> Result<(), QueueError> {
        match self.0.next().await {
            Some(Ok(delivery)) => within(
                "acknowledge a heartbeat",
                delivery.acker.ack(BasicAckOptions::default()),
            )
            .await
            .map(|_| ()),
            Some(Err(source)) => Err(QueueError::Broken {
                what: "receive a heartbeat",
                source,
            }),
            None => Err(QueueError::Ended { queue: HEARTBEAT }),
        }
    }
}
