//! Taking jobs, and saying which are done with.

use super::session::{QueueError, consume, within};
use super::topology;
use crate::job::{Job, JobFault};
use crate::trace::{self, TraceContext};
use futures_util::StreamExt as _;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicCancelOptions, BasicNackOptions};
use lapin::types::AMQPValue;
use lapin::{Channel, Consumer};

/// A message as it came.
#[derive(Debug)]
pub struct Received {
    /// What it asks for, or why it is no job.
    pub job: Result<Job, JobFault>,
    /// Its number on this channel, for acknowledging it.
    pub tag: u64,
    /// Whether the broker gave it to somebody before.
    pub redelivered: bool,
    /// The span in which it was published.
    pub trace: TraceContext,
    /// Its bytes, kept only of a message that has to be parked.
    pub body: Vec<u8>,
}

/// Where the jobs of one lane will come in.
pub struct Inbox {
    channel: Channel,
    queue: &'static str,
}

/// The jobs of one lane, as the broker hands them out.
pub struct Jobs {
    inbox: Inbox,
    consumer: Consumer,
}

/// Acknowledges what an inbox handed out. Cheap to clone.
#[derive(Clone)]
pub struct Acknowledger {
    channel: Channel,
}

impl Inbox {
    pub(super) const fn new(channel: Channel, queue: &'static str) -> Self {
        Self { channel, queue }
    }

    /// The queue it is for.
    pub const fn queue(&self) -> &'static str {
        self.queue
    }

    /// For acknowledging from another task.
    pub fn acknowledger(&self) -> Acknowledger {
        Acknowledger {
            channel: self.channel.clone(),
        }
    }

    /// Has the broker hand out jobs, never more than `prefetch` unacknowledged.
    ///
    /// # Errors
    ///
    /// [`QueueError::Missing`] until the API has created the queue, [`QueueError::Mute`] when the queue
    /// has no leader; connect again.
    pub async fn open(self, prefetch: u16) -> Result<Jobs, QueueError> {
        topology::look(&self.channel, self.queue).await?;
        let consumer = consume(&self.channel, self.queue, prefetch).await?;
        Ok(Jobs { inbox: self, consumer })
    }
}

impl Jobs {
    /// The queue they come from.
    pub const fn queue(&self) -> &'static str {
        self.inbox.queue
    }

    /// Has the broker hand out no more. Returns what had been handed out already.
    ///
    /// # Errors
    ///
    /// The channel is gone; everything unacknowledged goes to another worker.
    pub async fn cancel(mut self) -> Result<(Inbox, Vec<Received>), QueueError> {
        let tag = self.consumer.tag();
        let cancel = self.inbox.channel.basic_cancel(tag, BasicCancelOptions::default());
        within("stop consuming", cancel).await?;
        let mut received = Vec::new();
        loop {
            // lapin ends the stream behind what had come before the cancellation.
            match within("stop consuming", async { Ok(self.next().await) }).await? {
                Ok(message) => received.push(message),
                Err(QueueError::Ended { .. }) => return Ok((self.inbox, received)),
                Err(fault) => return Err(fault),
            }
        }
    }

    /// The next message. Safe to drop while waiting: nothing is lost.
    ///
    /// # Errors
    ///
    /// They are over, and everything unacknowledged goes to somebody else. Never ask
    /// again: lapin's stream would wait for ever.
    pub async fn next(&mut self) -> Result<Received, QueueError> {
        match self.consumer.next().await {
            Some(Ok(delivery)) => Ok(received(delivery)),
            Some(Err(source)) => Err(QueueError::Broken {
                what: "take a job",
                source,
            }),
            None => Err(QueueError::Ended { queue: self.queue() }),
        }
    }
}

fn received(delivery: Delivery) -> Received {
    let job = Job::decode(&delivery.data);
    let trace = trace_of(&delivery).unwrap_or_else(TraceContext::fresh);
    Received {
        tag: delivery.delivery_tag,
        redelivered: delivery.redelivered,
        trace,
        body: if job.is_err() { delivery.data } else { Vec::new() },
        job,
    }
}

fn trace_of(delivery: &Delivery) -> Option<TraceContext> {
    match delivery.properties.headers().as_ref()?.inner().get(trace::HEADER)? {
        AMQPValue::LongString(text) => TraceContext::from_traceparent(&text.to_string()),
        AMQPValue::ShortString(text) => TraceContext::from_traceparent(text.as_str()),
        _ => None,
    }
}

impl Acknowledger {
    /// Done with `tag`, and with all before it when `and_before`.
    ///
    /// # Errors
    ///
    /// The channel is gone; the broker gives the message to somebody else.
    pub async fn done(&self, tag: u64, and_before: bool) -> Result<(), QueueError> {
        let options = BasicAckOptions { multiple: and_before };
        within("acknowledge a job", self.channel.basic_ack(tag, options)).await
    }

    /// Gives `tag` back to the queue.
    ///
    /// # Errors
    ///
    /// The channel is gone, and with it our hold on the message.
    pub async fn give_back(&self, tag: u64) -> Result<(), QueueError> {
        let options = BasicNackOptions {
            requeue: true,
            multiple: false,
        };
        within("give a job back", self.channel.basic_nack(tag, options)).await
    }
}
