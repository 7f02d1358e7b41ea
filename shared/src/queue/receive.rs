//! Consuming and acknowledging jobs.

use super::channel::{consume, within};
use super::error::QueueError;
use super::topology;
use crate::job::{Job, JobFault};
use crate::trace::{self, TraceContext};
use futures_util::StreamExt as _;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicCancelOptions, BasicNackOptions};
use lapin::types::AMQPValue;
use lapin::{Channel, Consumer};

/// A received message.
#[derive(Debug)]
pub struct Received {
    /// The job, or why the message is not one.
    pub job: Result<Job, JobFault>,
    /// The delivery tag, used to acknowledge it.
    pub tag: u64,
    /// Whether the broker has delivered it before.
    pub redelivered: bool,
    /// The span that published it.
    pub trace: TraceContext,
    /// The body, kept only if the message must be parked.
    pub body: Vec<u8>,
}

/// A channel on which the jobs of one lane can be consumed.
pub struct Inbox {
    channel: Channel,
    queue: &'static str,
}

/// The stream of jobs of one lane.
pub struct Jobs {
    inbox: Inbox,
    consumer: Consumer,
}

/// Acknowledges jobs. Cheap to clone.
#[derive(Clone)]
pub struct Acknowledger {
    channel: Channel,
}

impl Inbox {
    pub(super) const fn new(channel: Channel, queue: &'static str) -> Self {
        Self { channel, queue }
    }

    /// The name of its queue.
    pub const fn queue(&self) -> &'static str {
        self.queue
    }

    /// Returns a handle to acknowledge jobs from another task.
    pub fn acknowledger(&self) -> Acknowledger {
        Acknowledger {
            channel: self.channel.clone(),
        }
    }

    /// Starts consuming, with at most `prefetch` unacknowledged jobs.
    ///
    /// # Errors
    ///
    /// [`QueueError::Missing`] until the API has created the queue, [`QueueError::Unanswered`] if the queue has no
    /// leader.
    /// Connect again.
    pub async fn open(self, prefetch: u16) -> Result<Jobs, QueueError> {
        topology::ready_messages(&self.channel, self.queue).await?;
        let consumer = consume(&self.channel, self.queue, prefetch).await?;
        Ok(Jobs { inbox: self, consumer })
    }
}

impl Jobs {
    /// The name of the queue.
    pub const fn queue(&self) -> &'static str {
        self.inbox.queue
    }

    /// Stops consuming. Returns the jobs that were already received.
    ///
    /// # Errors
    ///
    /// The channel is closed; unacknowledged jobs are redelivered to another worker.
    pub async fn cancel(mut self) -> Result<(Inbox, Vec<Received>), QueueError> {
        let tag = self.consumer.tag();
        let cancel = self.inbox.channel.basic_cancel(tag, BasicCancelOptions::default());
        within("stop consuming", cancel).await?;
        let mut received = Vec::new();
        loop {
            // lapin ends the stream after the messages that arrived before the cancellation.
            match within("stop consuming", async { Ok(self.next().await) }).await? {
                Ok(message) => received.push(message),
                Err(QueueError::Ended { .. }) => return Ok((self.inbox, received)),
                Err(fault) => return Err(fault),
            }
        }
    }

    /// Waits for the next message. Cancel-safe.
    ///
    /// # Errors
    ///
    /// The stream has ended, and unacknowledged jobs are redelivered. Do not call this again: lapin's stream would
    /// wait for ever.
    pub async fn next(&mut self) -> Result<Received, QueueError> {
        match self.consumer.next().await {
            Some(Ok(delivery)) => Ok(received(delivery)),
            Some(Err(source)) => Err(QueueError::Broken {
                what: "receive a job",
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
    /// Acknowledges `tag`, and with `and_before` all earlier ones.
    ///
    /// # Errors
    ///
    /// The channel is closed; the broker redelivers the message.
    pub async fn ack(&self, tag: u64, and_before: bool) -> Result<(), QueueError> {
        let options = BasicAckOptions { multiple: and_before };
        within("acknowledge a job", self.channel.basic_ack(tag, options)).await
    }

    /// Returns `tag` to the queue.
    ///
    /// # Errors
    ///
    /// The channel is closed; the broker redelivers the message.
    pub async fn requeue(&self, tag: u64) -> Result<(), QueueError> {
        let options = BasicNackOptions {
            requeue: true,
            multiple: false,
        };
        within("return a job", self.channel.basic_nack(tag, options)).await
    }
}
