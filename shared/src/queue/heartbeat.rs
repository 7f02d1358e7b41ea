//! Heartbeats from the dispatcher to the workers, which distinguish an idle queue from a broken path.
//!
//! They have their own queue, because a consumer of jobs would park them as invalid. The worker that receives a
//! heartbeat records it. A late one is useless and expires in the queue.

use super::channel::{confirm_select, consume, within};
use super::error::QueueError;
use super::session::Session;
use super::topology::{HEARTBEAT, declare_one};
use futures_util::StreamExt as _;
use lapin::options::{BasicAckOptions, BasicGetOptions, BasicPublishOptions};
use lapin::{BasicProperties, Channel, Consumer};
use std::time::Duration;

/// Interval between two heartbeats.
pub const BEAT: Duration = Duration::from_secs(30);

/// Publishes heartbeats on a separate channel, so that trouble with them does not affect jobs.
#[derive(Clone)]
pub struct Heart(Channel);

impl Heart {
    /// Publishes a heartbeat and waits for the broker's confirm.
    ///
    /// # Errors
    ///
    /// [`QueueError::Mute`] if the broker does not answer; any other error ends the connection.
    pub async fn beat(&self) -> Result<(), QueueError> {
        let properties = BasicProperties::default().with_expiration(BEAT.as_millis().to_string().into());
        let options = BasicPublishOptions::default();
        let publishing = self
            .0
            .basic_publish("".into(), HEARTBEAT.into(), options, &[], properties);
        let confirm = within("publish a heartbeat", publishing).await?;
        within("get a heartbeat confirmed", confirm)
            .await
            .map_err(|fault| fault.about_queue(HEARTBEAT))?;
        Ok(())
    }
}

/// Checks on a separate channel whether the broker can still deliver messages.
///
/// A node that is cut off from the others keeps its connections and answers what needs no other node, but its
/// consumers wait for jobs that never come. Getting a message needs a majority of the queue's members.
pub struct Pulse(Channel);

impl Pulse {
    /// Checks once. Returns whether a heartbeat was received, which took the same path as a job.
    ///
    /// # Errors
    ///
    /// [`QueueError::Mute`] if the queue does not answer: connect to another node.
    pub async fn ask(&self) -> Result<bool, QueueError> {
        let asking = self.0.basic_get(HEARTBEAT.into(), BasicGetOptions::default());
        let answer = within("request a heartbeat", asking).await;
        let Some(beat) = answer.map_err(|fault| fault.about_queue(HEARTBEAT))? else {
            return Ok(false);
        };
        within(
            "acknowledge a heartbeat",
            beat.delivery.acker.ack(BasicAckOptions::default()),
        )
        .await?;
        Ok(true)
    }
}

impl Session {
    /// Opens a channel to publish heartbeats.
    ///
    /// # Errors
    ///
    /// The connection broke or the broker does not answer.
    pub async fn heart(&mut self) -> Result<Heart, QueueError> {
        let channel = self.channel().await?;
        confirm_select(&channel).await?;
        Ok(Heart(channel))
    }

    /// A channel on which heartbeats can be consumed.
    ///
    /// # Errors
    ///
    /// The connection broke or the broker does not answer.
    pub async fn beat_inbox(&mut self) -> Result<BeatInbox, QueueError> {
        Ok(BeatInbox(self.channel().await?))
    }

    /// Opens a channel to check whether the broker can still deliver messages.
    ///
    /// # Errors
    ///
    /// The connection broke or the broker does not answer.
    pub async fn pulse(&mut self) -> Result<Pulse, QueueError> {
        Ok(Pulse(self.channel().await?))
    }
}

/// A channel on which heartbeats can be consumed.
pub struct BeatInbox(Channel);

impl BeatInbox {
    /// Starts consuming. Creates the queue if it is missing, because an older release of the API does not.
    ///
    /// # Errors
    ///
    /// The connection broke, or the queue exists with other arguments.
    pub async fn open(self) -> Result<Beats, QueueError> {
        declare_one(&self.0, HEARTBEAT).await?;
        Ok(Beats(consume(&self.0, HEARTBEAT, 1).await?))
    }
}

/// The heartbeats that this process receives.
pub struct Beats(Consumer);

impl Beats {
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
