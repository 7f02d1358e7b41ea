//! Why a connection to the broker does not work.

use super::PATIENCE;
use lapin::ErrorKind;
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};

/// Why a connection does not work. After any of these but [`Refused`](Self::Refused) the session has ended, unless only
/// a heartbeat is concerned, which has a channel of its own.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The broker could not be reached or refused the login.
    #[error("could not connect to RabbitMQ at {host} (AMQP_URL): {why}")]
    Unreachable {
        /// Host and port, without credentials.
        host: String,
        /// The cause.
        why: String,
    },
    /// No broker of several could be reached, or each refused the login.
    #[error("could not connect to any RabbitMQ node (AMQP_URL): {reasons}")]
    NoneReachable {
        /// Each host and port with the cause.
        reasons: String,
    },
    /// The connection ended.
    #[error("lost the connection to RabbitMQ at {host} (AMQP_URL): {why}")]
    Lost {
        /// Host and port, without credentials.
        host: String,
        /// The error from lapin.
        why: String,
    },
    /// A queue exists with other arguments. Retrying cannot help.
    #[error(
        "queue {queue} exists with arguments other than Beckon's ({why}); Beckon declares durable quorum queues \
         without further arguments. Delete the queue (its jobs are published again from Postgres) or move its \
         settings into a policy"
    )]
    DeclaredOtherwise {
        /// The queue.
        queue: &'static str,
        /// The broker's words.
        why: String,
    },
    /// The queue does not exist; the API creates it at startup.
    #[error("queue {queue} does not exist; beckon-api creates it when it connects")]
    Missing {
        /// The queue.
        queue: &'static str,
    },
    /// The broker did not accept a message.
    #[error(
        "RabbitMQ accepts no message for queue {queue}; check its members with rabbitmq-queues quorum_status {queue}"
    )]
    Refused {
        /// The queue.
        queue: &'static str,
    },
    /// The broker did not answer in time.
    #[error("could not {what}: RabbitMQ (AMQP_URL) did not answer within {} s", PATIENCE.as_secs())]
    Silent {
        /// What was attempted.
        what: &'static str,
    },
    /// A queue did not answer in time: it has no leader, or the whole broker is silent.
    #[error(
        "queue {queue} did not answer within {} s; check whether it has a leader with rabbitmq-queues quorum_status {queue}",
        PATIENCE.as_secs()
    )]
    Unanswered {
        /// The queue.
        queue: &'static str,
    },
    /// The connection or channel broke.
    #[error("could not {what}: RabbitMQ (AMQP_URL) answered: {source}")]
    Broken {
        /// What was attempted.
        what: &'static str,
        /// The error from lapin.
        source: lapin::Error,
    },
    /// The consumer was cancelled, as happens when its queue is deleted.
    #[error("RabbitMQ ended the delivery of jobs from {queue}")]
    Ended {
        /// The queue.
        queue: &'static str,
    },
}

impl QueueError {
    /// Adds the name of the queue to the two errors that concern one.
    #[must_use]
    pub fn about_queue(self, queue: &'static str) -> Self {
        if matches!(self, Self::Silent { .. }) {
            return Self::Unanswered { queue };
        }
        let Self::Broken { source, .. } = &self else {
            return self;
        };
        let ErrorKind::ProtocolError(answer) = source.kind() else {
            return self;
        };
        match answer.kind() {
            AMQPErrorKind::Soft(AMQPSoftError::PRECONDITIONFAILED) => Self::DeclaredOtherwise {
                queue,
                why: answer.get_message().to_string(),
            },
            AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND) => Self::Missing { queue },
            _ => self,
        }
    }
}
