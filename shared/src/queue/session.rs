//! One connection to a broker, from its start to its first trouble.

use super::publish::Publisher;
use super::receive::Inbox;
use super::topology::QueueDepth;
use super::{PATIENCE, address, topology};
use crate::batch::Lane;
use futures_util::{Stream, StreamExt as _};
use lapin::options::{BasicConsumeOptions, BasicQosOptions, ConfirmSelectOptions};
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::tcp::OwnedTLSConfig;
use lapin::types::FieldTable;
use lapin::{Channel, Connection, ConnectionProperties, Consumer, ErrorKind, Event};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tracing::warn;

/// Why there is no working connection. Whatever the variant, the session is over.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// No broker of the list could be reached, or none let us in.
    #[error("could not connect to RabbitMQ at {host} (AMQP_URL): {why}")]
    Unreachable {
        /// Host and port, without credentials.
        host: String,
        /// What stood in the way.
        why: String,
    },
    /// None of several brokers could be reached, or none let us in.
    #[error("could not connect to any RabbitMQ node (AMQP_URL): {reasons}")]
    NoneReachable {
        /// Each host and port with what stood in the way.
        reasons: String,
    },
    /// The connection ended.
    #[error("lost the connection to RabbitMQ at {host} (AMQP_URL): {why}")]
    Lost {
        /// Host and port, without credentials.
        host: String,
        /// What lapin says.
        why: String,
    },
    /// A queue of ours exists with other arguments; asking again cannot help.
    #[error(
        "queue {queue} exists with other arguments than Beckon's ({why}); Beckon declares durable quorum \
         queues with no further argument. Delete the queue (its jobs are published again from Postgres) \
         or move its settings into a policy"
    )]
    DeclaredOtherwise {
        /// The queue.
        queue: &'static str,
        /// The broker's words.
        why: String,
    },
    /// The queue is not there; the API creates it when it starts.
    #[error("queue {queue} does not exist; beckon-api creates it when it connects")]
    Missing {
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
        "queue {queue} did not answer within {} s; whether it has a leader says rabbitmq-queues quorum_status {queue}",
        PATIENCE.as_secs()
    )]
    Mute {
        /// The queue.
        queue: &'static str,
    },
    /// The connection or channel broke.
    #[error("could not {what}: RabbitMQ (AMQP_URL) says {source}")]
    Broken {
        /// What was attempted.
        what: &'static str,
        /// What lapin says.
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
    /// Says which queue was meant, for the two answers that are about a queue, and for none.
    #[must_use]
    pub fn about_queue(self, queue: &'static str) -> Self {
        if matches!(self, Self::Silent { .. }) {
            return Self::Mute { queue };
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

/// Waits for lapin, but not for ever.
pub(crate) async fn within<T>(
    what: &'static str,
    asked: impl Future<Output = lapin::Result<T>>,
) -> Result<T, QueueError> {
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(source)) => Err(QueueError::Broken { what, source }),
        Err(_) => Err(QueueError::Silent { what }),
    }
}

/// The brokers of a cluster, tried in turn.
///
/// Each connection begins with the address after the one that answered last: whatever ended the connection before,
/// a node that is cut off from the others still answers, and its queues do not. Clones share the turn.
#[derive(Clone)]
pub struct Brokers {
    urls: Arc<[String]>,
    next: Arc<AtomicUsize>,
}

impl Brokers {
    /// Brokers at these `amqp://` or `amqps://` addresses.
    pub fn new(urls: Vec<String>) -> Self {
        Self {
            urls: urls.into_iter().map(address::with_defaults).collect(),
            next: Arc::default(),
        }
    }

    /// Their hosts and ports, without the logins.
    pub fn hosts(&self) -> String {
        let hosts: Vec<String> = self.urls.iter().map(|url| address::host_of(url)).collect();
        hosts.join(", ")
    }

    /// Host and port of the one that answered last.
    pub fn last_host(&self) -> String {
        let last = self.next.load(Ordering::Relaxed).saturating_sub(1);
        self.urls
            .get(last)
            .map_or_else(String::new, |url| address::host_of(url))
    }

    /// Connects to the first that answers; `name` is what the broker's own pages call us.
    ///
    /// # Errors
    ///
    /// [`QueueError::Unreachable`], or [`QueueError::NoneReachable`] with the reason of each of several.
    pub async fn connect(&self, name: &str) -> Result<Session, QueueError> {
        let mut failed: Vec<(String, String)> = Vec::new();
        let first = self.next.load(Ordering::Relaxed);
        for step in 0..self.urls.len() {
            let at = (first + step) % self.urls.len();
            let Some(url) = self.urls.get(at) else { break };
            let host = address::host_of(url);
            let properties = ConnectionProperties::default().with_connection_name(name.into());
            match open(url, properties, self.patience()).await {
                Ok(connection) => {
                    self.next.store(at + 1, Ordering::Relaxed);
                    for (host, why) in failed {
                        warn!(
                            host,
                            error = why,
                            "Could not connect to a RabbitMQ node (AMQP_URL); took the next"
                        );
                    }
                    return Ok(Session::new(connection, host));
                }
                Err(why) => failed.push((host, why)),
            }
        }
        Err(none_reachable(failed))
    }

    /// How long one of them has to answer. Another one may be well meanwhile.
    fn patience(&self) -> Duration {
        if self.urls.len() > 1 { PATIENCE / 2 } else { PATIENCE }
    }
}

fn none_reachable(mut failed: Vec<(String, String)>) -> QueueError {
    if failed.len() > 1 {
        let reasons: Vec<String> = failed.iter().map(|(host, why)| format!("{host}: {why}")).collect();
        return QueueError::NoneReachable {
            reasons: reasons.join("; "),
        };
    }
    let (host, why) = failed
        .pop()
        .unwrap_or_else(|| ("(none given)".to_owned(), "no address is set".to_owned()));
    QueueError::Unreachable { host, why }
}

/// Opens one connection; reads the file of its authority each time, because certificates are renewed.
async fn open(url: &str, properties: ConnectionProperties, patience: Duration) -> Result<Connection, String> {
    let config = OwnedTLSConfig {
        cert_chain: address::authority(url)?,
        identity: None,
    };
    let runtime = lapin::runtime::default_runtime().map_err(|fault| fault.to_string())?;
    let connecting = Connection::connect_with_config(url, properties, config, runtime);
    match tokio::time::timeout(patience, connecting).await {
        Ok(connected) => connected.map_err(|fault| fault.to_string()),
        Err(_) => Err(format!("no answer within {} s", patience.as_secs())),
    }
}

/// A connection that works until something goes wrong.
pub struct Session {
    connection: Connection,
    host: String,
    events: Pin<Box<dyn Stream<Item = Event> + Send>>,
}

impl Session {
    fn new(connection: Connection, host: String) -> Self {
        let events = Box::pin(connection.events_listener());
        Self {
            connection,
            host,
            events,
        }
    }

    /// Host and port of the broker it is with.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// What ends a session whose connection is lost.
    pub fn lost(&self, why: impl Into<String>) -> QueueError {
        QueueError::Lost {
            host: self.host.clone(),
            why: why.into(),
        }
    }

    pub(super) async fn channel(&mut self) -> Result<Channel, QueueError> {
        within("open a channel", self.connection.create_channel()).await
    }

    /// Creates the queues that do not exist.
    ///
    /// # Errors
    ///
    /// [`QueueError::DeclaredOtherwise`] when a person must decide; otherwise connect again.
    pub async fn declare(&mut self) -> Result<(), QueueError> {
        topology::declare(&self.channel().await?).await
    }

    /// A way to publish jobs. The queues are there, or their jobs come back.
    ///
    /// # Errors
    ///
    /// When the connection broke or the broker fell silent.
    pub async fn publisher(&mut self) -> Result<Publisher, QueueError> {
        let channel = self.channel().await?;
        confirm_select(&channel).await?;
        Ok(Publisher::new(channel))
    }

    /// Where the jobs of a lane will come in.
    ///
    /// # Errors
    ///
    /// When the connection broke or the broker fell silent.
    pub async fn inbox(&mut self, lane: Lane) -> Result<Inbox, QueueError> {
        Ok(Inbox::new(self.channel().await?, topology::queue_of(lane)))
    }

    /// A way to ask how many jobs lie in a queue.
    ///
    /// # Errors
    ///
    /// When the connection broke or the broker fell silent.
    pub async fn depth(&mut self) -> Result<QueueDepth, QueueError> {
        Ok(QueueDepth::new(self.channel().await?))
    }

    /// The next thing the broker says about the connection; `None` when it is over.
    pub async fn next_event(&mut self) -> Option<SessionEvent> {
        loop {
            match self.events.next().await? {
                Event::ConnectionBlocked(reason) => return Some(SessionEvent::Blocked(reason)),
                Event::ConnectionUnblocked => return Some(SessionEvent::Unblocked),
                Event::Error(fault) => return Some(SessionEvent::Lost(fault.to_string())),
                _ => {}
            }
        }
    }

    /// Says goodbye, if the broker listens.
    pub async fn close(self) {
        // A broker that does not hear it notices the missing heartbeats.
        let _ = within("close the connection", self.connection.close(200, "done".into())).await;
    }
}

/// What a broker says about a connection while it lasts.
#[derive(Debug)]
pub enum SessionEvent {
    /// The broker takes no messages: its memory or disk is short.
    Blocked(String),
    /// It takes them again.
    Unblocked,
    /// The connection is gone.
    Lost(String),
}

/// Has the broker say of each message that it has it.
pub(super) async fn confirm_select(channel: &Channel) -> Result<(), QueueError> {
    let asked = channel.confirm_select(ConfirmSelectOptions::default());
    within("ask for confirms", asked).await
}

/// Has the broker hand out what lies in a queue, never more than `prefetch` unacknowledged.
pub(super) async fn consume(channel: &Channel, queue: &'static str, prefetch: u16) -> Result<Consumer, QueueError> {
    // lapin buffers without bound, so the bound must be the broker's.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_of_each_host_is_told() {
        let failed = |hosts: &[&str]| {
            let failed = hosts
                .iter()
                .map(|host| ((*host).to_owned(), "Connection refused".to_owned()));
            none_reachable(failed.collect()).to_string()
        };
        assert_eq!(
            failed(&["mq-1:5672", "mq-2:5672"]),
            "could not connect to any RabbitMQ node (AMQP_URL): mq-1:5672: Connection refused; mq-2:5672: Connection \
             refused"
        );
        assert_eq!(
            failed(&["mq-1:5672"]),
            "could not connect to RabbitMQ at mq-1:5672 (AMQP_URL): Connection refused"
        );
    }
}
