//! One connection to a broker, from opening it to its first error.

use super::channel::{ConfirmChannel, within};
use super::error::QueueError;
use super::publish::Publisher;
use super::receive::Inbox;
use super::topology::QueueDepth;
use super::{PATIENCE, address, topology};
use crate::batch::Lane;
use futures_util::{Stream, StreamExt as _};
use lapin::tcp::OwnedTLSConfig;
use lapin::{Channel, Connection, ConnectionProperties, Event};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tracing::warn;

/// The brokers of a cluster, tried in turn.
///
/// Each attempt begins with the address after the one that answered last: a node that is cut off from the others
/// still answers, although its queues do not. Clones share the position.
#[derive(Clone)]
pub struct Brokers {
    urls: Arc<[String]>,
    next: Arc<AtomicUsize>,
}

impl Brokers {
    /// Creates the list from `amqp://` or `amqps://` URLs.
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

    /// The host and port of the broker that answered last.
    pub fn last_host(&self) -> String {
        let last = self.next.load(Ordering::Relaxed).saturating_sub(1);
        self.urls
            .get(last)
            .map_or_else(String::new, |url| address::host_of(url))
    }

    /// Connects to the first broker that answers; `name` is shown on the broker's management pages.
    ///
    /// # Errors
    ///
    /// [`QueueError::Unreachable`], or [`QueueError::NoneReachable`] with the cause for each of several brokers.
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
                            "Could not connect to a RabbitMQ node (AMQP_URL); connected to the next one"
                        );
                    }
                    return Ok(Session::new(connection, host));
                }
                Err(why) => failed.push((host, why)),
            }
        }
        Err(none_reachable(failed))
    }

    /// Timeout for one broker. It is shorter if others can be tried.
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

/// Opens one connection. Reads the certificate file each time, because certificates are renewed.
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

/// A connection, which ends with its first error.
pub struct Session {
    connection: Arc<Connection>,
    host: String,
    events: Pin<Box<dyn Stream<Item = Event> + Send>>,
}

impl Session {
    fn new(connection: Connection, host: String) -> Self {
        let events = Box::pin(connection.events_listener());
        Self {
            connection: Arc::new(connection),
            host,
            events,
        }
    }

    /// The host and port of the broker.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The error for a lost connection.
    pub fn lost(&self, why: impl Into<String>) -> QueueError {
        QueueError::Lost {
            host: self.host.clone(),
            why: why.into(),
        }
    }

    pub(super) fn connection(&self) -> Arc<Connection> {
        Arc::clone(&self.connection)
    }

    pub(super) async fn channel(&mut self) -> Result<Channel, QueueError> {
        within("open a channel", self.connection.create_channel()).await
    }

    /// Creates the queues that do not exist.
    ///
    /// # Errors
    ///
    /// [`QueueError::DeclaredOtherwise`] if an operator must decide; otherwise connect again.
    pub async fn declare(&mut self) -> Result<(), QueueError> {
        topology::declare(&self.channel().await?).await
    }

    /// Opens a channel to publish jobs. Jobs for a missing queue are returned.
    ///
    /// # Errors
    ///
    /// The connection broke or the broker does not answer.
    pub async fn publisher(&mut self) -> Result<Publisher, QueueError> {
        Ok(Publisher::new(ConfirmChannel::open(self.connection()).await?))
    }

    /// Opens a channel to consume the jobs of a lane.
    ///
    /// # Errors
    ///
    /// The connection broke or the broker does not answer.
    pub async fn inbox(&mut self, lane: Lane) -> Result<Inbox, QueueError> {
        Ok(Inbox::new(self.channel().await?, topology::queue_of(lane)))
    }

    /// Opens a channel to query the length of a queue.
    ///
    /// # Errors
    ///
    /// The connection broke or the broker does not answer.
    pub async fn depth(&mut self) -> Result<QueueDepth, QueueError> {
        Ok(QueueDepth::new(self.channel().await?))
    }

    /// Waits for the next event of the connection; `None` once it is closed.
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

    /// Closes the connection, if the broker answers in time.
    pub async fn close(self) {
        // Otherwise the broker detects the missing heartbeats.
        let _ = within("close the connection", self.connection.close(200, "done".into())).await;
    }
}

/// An event of an open connection.
#[derive(Debug)]
pub enum SessionEvent {
    /// The broker accepts no messages, because it is short of memory or disk.
    Blocked(String),
    /// The broker accepts messages again.
    Unblocked,
    /// The connection is lost.
    Lost(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_for_each_host_is_reported() {
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
