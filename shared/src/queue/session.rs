//! One connection to a broker, from its start to its first trouble.

use super::publish::Publisher;
use super::receive::Inbox;
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
#[derive(Clone)]
pub struct Brokers {
    urls: Vec<String>,
}

impl Brokers {
    /// Brokers at these `amqp://` or `amqps://` addresses.
    pub fn new(urls: Vec<String>) -> Self {
        Self {
            urls: urls.into_iter().map(address::with_defaults).collect(),
        }
    }

    /// Their hosts and ports, without the logins.
    pub fn hosts(&self) -> String {
        let hosts: Vec<String> = self.urls.iter().map(|url| address::host_of(url)).collect();
        hosts.join(", ")
    }

    /// Connects to the first that answers; `name` is what the broker's own pages call us.
    ///
    /// # Errors
    ///
    /// [`QueueError::Unreachable`] about the last one tried.
    pub async fn connect(&self, name: &str) -> Result<Session, QueueError> {
        let mut last = QueueError::Unreachable {
            host: "(none given)".to_owned(),
            why: "no address is set".to_owned(),
        };
        for url in &self.urls {
            let properties = ConnectionProperties::default().with_connection_name(name.into());
            match open(url, properties).await {
                Ok(connection) => return Ok(Session::new(connection)),
                Err(why) => {
                    last = QueueError::Unreachable {
                        host: address::host_of(url),
                        why,
                    }
                }
            }
        }
        Err(last)
    }
}

/// Opens one connection; reads the file of its authority each time, because certificates are renewed.
async fn open(url: &str, properties: ConnectionProperties) -> Result<Connection, String> {
    let config = OwnedTLSConfig {
        cert_chain: address::authority(url)?,
        identity: None,
    };
    let runtime = lapin::runtime::default_runtime().map_err(|fault| fault.to_string())?;
    let connecting = Connection::connect_with_config(url, properties, config, runtime);
    within("connect", connecting).await.map_err(|fault| cause(&fault))
}

fn cause(fault: &QueueError) -> String {
    match fault {
        QueueError::Broken { source, .. } => source.to_string(),
        other => other.to_string(),
    }
}

/// A connection that works until something goes wrong.
pub struct Session {
    connection: Connection,
    events: Pin<Box<dyn Stream<Item = Event> + Send>>,
}

impl Session {
    fn new(connection: Connection) -> Self {
        let events = Box::pin(connection.events_listener());
        Self { connection, events }
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
