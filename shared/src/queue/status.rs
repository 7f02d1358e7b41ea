//! Whether this process is connected to RabbitMQ, for its probes, its log and the console.

use super::QueueError;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::watch;

/// Whether this process is connected to RabbitMQ. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct BrokerStatus(Arc<watch::Sender<State>>);

#[derive(Clone, Debug, Default)]
struct State {
    has_connected: bool,
    missing: Option<Missing>,
}

/// A connection that is needed and cannot be had.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Missing {
    /// When the trouble began.
    pub since: Instant,
    /// The latest cause, with the host and the setting.
    pub cause: String,
}

impl BrokerStatus {
    /// RabbitMQ let this process in.
    pub fn connected(&self) {
        self.0.send_replace(State {
            has_connected: true,
            missing: None,
        });
    }

    /// The connection was closed because this process does not need it now.
    pub fn released(&self) {
        self.0.send_modify(|state| state.missing = None);
    }

    /// The connection broke or could not be opened.
    pub fn failed(&self, fault: &QueueError) {
        self.0.send_modify(|state| {
            let since = state.missing.take().map_or_else(Instant::now, |missing| missing.since);
            state.missing = Some(Missing {
                since,
                cause: fault.to_string(),
            });
        });
    }

    /// Whether this process has ever been connected.
    pub fn has_connected(&self) -> bool {
        self.0.borrow().has_connected
    }

    /// The connection that is needed and cannot be had.
    pub fn missing(&self) -> Option<Missing> {
        self.0.borrow().missing.clone()
    }

    /// Why this process is not connected although it needs to be.
    pub fn obstacle(&self) -> Option<String> {
        let state = self.0.borrow();
        match &state.missing {
            Some(missing) => Some(format!("RabbitMQ is not connected: {}", missing.cause)),
            None if !state.has_connected => Some("RabbitMQ is not connected yet".to_owned()),
            None => None,
        }
    }

    /// Resolves when a connection begins or ceases to be missing, with `was` as the caller saw it.
    pub async fn changed(&self, was: Option<&Missing>) {
        let was = was.map(|missing| missing.since);
        // An error would mean that the sender, which is ours, is gone.
        let _ = self
            .0
            .subscribe()
            .wait_for(|state| state.missing.as_ref().map(|missing| missing.since) != was)
            .await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> QueueError {
        QueueError::Unreachable {
            host: "mq.example:5671".to_owned(),
            why: "Connection refused".to_owned(),
        }
    }

    #[test]
    fn a_connection_that_is_not_needed_is_no_obstacle() {
        let status = BrokerStatus::default();
        assert_eq!(status.obstacle().as_deref(), Some("RabbitMQ is not connected yet"));

        status.failed(&refused());
        let (first, obstacle) = (status.missing().unwrap(), status.obstacle().unwrap());
        status.failed(&refused());
        assert_eq!(
            status.missing(),
            Some(first),
            "the trouble began with the first failure"
        );
        assert_eq!(
            obstacle,
            "RabbitMQ is not connected: could not connect to RabbitMQ at mq.example:5671 (AMQP_URL): Connection refused"
        );
        assert!(!status.has_connected());

        status.connected();
        assert_eq!((status.obstacle(), status.has_connected()), (None, true));
        status.released();
        assert_eq!((status.obstacle(), status.missing()), (None, None));
    }
}
