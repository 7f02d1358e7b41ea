//! A beat that goes the way of the jobs, so that silence is told apart from nothing to do.
//!
//! It has a queue of its own: to whoever takes jobs it would be a message that is no job. Whichever
//! worker gets a beat records it; a beat that is late is of no use and dies in its queue.

use super::session::{QueueError, Session, confirm_select, consume, within};
use super::topology;
use futures_util::StreamExt as _;
use lapin::options::{BasicAckOptions, BasicGetOptions, BasicPublishOptions};
use lapin::{BasicProperties, Channel, Consumer};
use std::time::Duration;

/// Its queue.
pub const HEARTBEAT: &str = "beckon.heartbeat";

/// Between two beats.
pub const BEAT: Duration = Duration::from_secs(30);

/// Sends beats, on a channel of its own: when they stay away, jobs must not.
#[derive(Clone)]
pub struct Heart(Channel);

impl Heart {
    /// Publishes a beat and waits until the broker has it.
    ///
    /// # Errors
    ///
    /// [`QueueError::Mute`] when the broker does not answer; anything else ends the connection.
    pub async fn beat(&self) -> Result<(), QueueError> {
        let properties = BasicProperties::default().with_expiration(BEAT.as_millis().to_string().into());
        let options = BasicPublishOptions::default();
        let publishing = self
            .0
            .basic_publish("".into(), HEARTBEAT.into(), options, &[], properties);
        let confirm = within("publish a beat", publishing).await?;
        within("get a beat confirmed", confirm)
            .await
            .map_err(|fault| fault.about_queue(HEARTBEAT))?;
        Ok(())
    }
}

/// Asks whether the broker can still move messages, on a channel of its own.
///
/// A node that is cut off from the others keeps its connections and answers what it can answer alone; a consumer
/// there waits for jobs that never come. Taking a message takes the agreement of most members of the queue.
pub struct Pulse(Channel);

impl Pulse {
    /// Asks once. Whether a beat came with the answer: it has come the way that a job comes.
    ///
    /// # Errors
    ///
    /// [`QueueError::Mute`] when the queue does not answer: connect to another node.
    pub async fn ask(&self) -> Result<bool, QueueError> {
        let asking = self.0.basic_get(HEARTBEAT.into(), BasicGetOptions::default());
        let answer = within("ask for a beat", asking).await;
        let Some(beat) = answer.map_err(|fault| fault.about_queue(HEARTBEAT))? else {
            return Ok(false);
        };
        within(
            "acknowledge a beat",
            beat.delivery.acker.ack(BasicAckOptions::default()),
        )
        .await?;
        Ok(true)
    }
}

impl Session {
    /// A way to send beats.
    ///
    /// # Errors
    ///
    /// When the connection broke or the broker fell silent.
    pub async fn heart(&mut self) -> Result<Heart, QueueError> {
        let channel = self.channel().await?;
        confirm_select(&channel).await?;
        Ok(Heart(channel))
    }

    /// Where beats will come in.
    ///
    /// # Errors
    ///
    /// When the connection broke or the broker fell silent.
    pub async fn beat_inbox(&mut self) -> Result<BeatInbox, QueueError> {
        Ok(BeatInbox(self.channel().await?))
    }

    /// A way to ask whether the broker can still move messages.
    ///
    /// # Errors
    ///
    /// When the connection broke or the broker fell silent.
    pub async fn pulse(&mut self) -> Result<Pulse, QueueError> {
        Ok(Pulse(self.channel().await?))
    }
}

/// Where beats will come in.
pub struct BeatInbox(Channel);

impl BeatInbox {
    /// Takes beats. The queue is made where it is missing, for a release that knows no beats makes none.
    ///
    /// # Errors
    ///
    /// When the connection broke, or a queue of this name is not ours in form.
    pub async fn open(self) -> Result<Beats, QueueError> {
        topology::declare_one(&self.0, HEARTBEAT).await?;
        Ok(Beats(consume(&self.0, HEARTBEAT, 1).await?))
    }
}

/// The beats that come to this process.
pub struct Beats(Consumer);

impl Beats {
    /// Waits for the next one. Safe to drop while waiting.
    ///
    /// # Errors
    ///
    /// There will be no more; never ask again.
    pub async fn next(&mut self) -> Result<(), QueueError> {
        match self.0.next().await {
            Some(Ok(delivery)) => within("acknowledge a beat", delivery.acker.ack(BasicAckOptions::default()))
                .await
                .map(|_| ()),
            Some(Err(source)) => Err(QueueError::Broken {
                what: "take a beat",
                source,
            }),
            None => Err(QueueError::Ended { queue: HEARTBEAT }),
        }
    }
}
