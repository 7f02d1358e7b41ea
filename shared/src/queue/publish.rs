//! Publishing with publisher confirms: a job counts as published once the broker has confirmed it.
//!
//! Messages are `mandatory`, so the broker returns one that no queue accepts, before its confirm. lapin attaches
//! a returned message to some confirm of the same round, not always to its own, because it iterates over a hash
//! map. So we wait for a whole round and match returned messages with jobs by our message id.

use super::channel::{ConfirmChannel, until};
use super::error::QueueError;
use super::topology::queue_of;
use super::{JOB_LIFETIME, PATIENCE};
use crate::batch::Lane;
use crate::failpoint::{Point, reach};
use crate::job::Job;
use crate::trace::{self, TraceContext};
use futures_util::future::try_join_all;
use lapin::options::BasicPublishOptions;
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Confirmation, PublisherConfirm};
use std::collections::HashSet;
use tokio::time::Instant;

/// Delivery mode of messages that the broker writes to disk.
pub(super) const PERSISTENT: u8 = 2;

/// Number of jobs handed to the connection together. Awaiting each one first would cause one write per job.
const BURST: usize = 256;

/// A job to publish.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// The job.
    pub job: Job,
    /// The lane whose queue it goes to.
    pub lane: Lane,
    /// The span in which it is published.
    pub trace: TraceContext,
}

/// The outcome of a round of jobs.
#[derive(Debug, Default)]
pub struct Published {
    /// Confirmed by the broker.
    pub confirmed: Vec<Job>,
    /// Returned, because the queue does not exist.
    pub returned: Vec<Job>,
    /// Refused, for example because the queue is full.
    pub refused: Vec<Job>,
}

/// Publishes rounds of jobs. One round at a time.
pub struct Publisher {
    channel: ConfirmChannel,
}

impl Publisher {
    pub(super) fn new(channel: ConfirmChannel) -> Self {
        Self { channel }
    }

    /// Continues on a new channel. Call it if the broker refuses round after round: a channel opened during the
    /// election of a queue's leader may refuse for ever (seen with RabbitMQ 3.10.8).
    ///
    /// # Errors
    ///
    /// The connection broke or the broker does not answer.
    pub async fn reopen(&mut self) -> Result<(), QueueError> {
        self.channel.reopen().await
    }

    /// Publishes a round and waits for the outcome of each job.
    ///
    /// # Errors
    ///
    /// The connection broke or the broker does not answer. Some of the jobs may be in the queue all the same: publish
    /// all of them again in a new session. Duplicates have no effect, because a delivery is claimed once.
    pub async fn publish(&mut self, round: &[Outgoing]) -> Result<Published, QueueError> {
        let deadline = Instant::now() + PATIENCE;
        let mut confirms = Vec::with_capacity(round.len());
        for burst in round.chunks(BURST) {
            let handed_over = try_join_all(burst.iter().map(|outgoing| self.basic_publish_confirmed(outgoing)));
            confirms.extend(until(deadline, "publish a job", handed_over).await?);
        }
        reach(Point::JobsPublished);
        let mut returned = HashSet::new();
        let mut answers = Vec::with_capacity(round.len());
        for confirm in confirms {
            let answer = until(deadline, "get a job confirmed", confirm).await?;
            let taken = matches!(answer, Confirmation::Ack(_));
            answers.push(taken);
            returned.extend(
                answer
                    .take_message()
                    .and_then(|message| message_id(&message.delivery.properties)),
            );
        }
        // Returned messages left over from this round must not be attributed to the next one.
        for message in until(
            deadline,
            "collect returned jobs",
            self.channel.get().wait_for_confirms(),
        )
        .await?
        {
            returned.extend(message_id(&message.delivery.properties));
        }
        Ok(sort(round, &answers, &returned))
    }

    async fn basic_publish_confirmed(&self, outgoing: &Outgoing) -> lapin::Result<PublisherConfirm> {
        let mut headers = FieldTable::default();
        headers.insert(
            trace::HEADER.into(),
            AMQPValue::LongString(outgoing.trace.traceparent().into()),
        );
        let properties = BasicProperties::default()
            .with_delivery_mode(PERSISTENT)
            .with_message_id(outgoing.job.message_id().into())
            .with_content_type("application/json".into())
            .with_expiration(JOB_LIFETIME.as_millis().to_string().into())
            .with_headers(headers);
        let options = BasicPublishOptions {
            mandatory: true,
            ..Default::default()
        };
        let queue = queue_of(outgoing.lane);
        self.channel
            .get()
            .basic_publish("".into(), queue.into(), options, &outgoing.job.encode(), properties)
            .await
    }
}

fn message_id(properties: &BasicProperties) -> Option<String> {
    properties.message_id().as_ref().map(ToString::to_string)
}

fn sort(round: &[Outgoing], answers: &[bool], returned: &HashSet<String>) -> Published {
    let mut published = Published::default();
    for (outgoing, taken) in round.iter().zip(answers) {
        let list = if returned.contains(&outgoing.job.message_id()) {
            &mut published.returned
        } else if *taken {
            &mut published.confirmed
        } else {
            &mut published.refused
        };
        list.push(outgoing.job);
    }
    published
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn a_returned_job_is_identified_by_its_id() {
        let round: Vec<Outgoing> = (1..=4)
            .map(|n| Outgoing {
                job: Job {
                    delivery: Uuid::from_u128(n),
                    attempt: 1,
                },
                lane: Lane::Bulk,
                trace: TraceContext::fresh(),
            })
            .collect();
        let returned = HashSet::from([round[2].job.message_id()]);
        let published = sort(&round, &[true, true, true, false], &returned);
        assert_eq!(published.confirmed, vec![round[0].job, round[1].job]);
        assert_eq!(published.returned, vec![round[2].job]);
        assert_eq!(published.refused, vec![round[3].job]);
    }
}
