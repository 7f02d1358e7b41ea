//! A session with the broker, from the first answers of its queues to its end.
//!
//! Each queue is opened separately. A queue without a leader does not answer, and delays the other lane only
//! while the session is reopened because of it.

use crate::acks::Acknowledging;
use shared::queue::{QueueError, Session, SessionEvent};
use std::cell::Cell;
use tracing::{info, warn};

/// Number of lanes whose queues have not answered.
pub(crate) struct Opening(Cell<u8>);

impl Opening {
    /// Starts with `lanes` queues that have not answered.
    pub(crate) const fn of(lanes: u8) -> Self {
        Self(Cell::new(lanes))
    }

    /// Counts one more answer and returns whether it was the last.
    pub(crate) fn record_answer(&self) -> bool {
        self.0.set(self.0.get().saturating_sub(1));
        self.0.get() == 0
    }
}

/// A session and its acknowledgement tasks.
pub(crate) struct Open {
    pub(crate) session: Session,
    pub(crate) acknowledging: Vec<Acknowledging>,
}

impl Open {
    /// Closes the session once the jobs in progress have ended and are acknowledged.
    pub(crate) async fn close_when_idle(mut self) {
        for acknowledging in &mut self.acknowledging {
            // If the channel is gone, there is nothing left to wait for.
            let _ = acknowledging.ended().await;
        }
        self.session.close().await;
    }
}

/// Resolves with the error that ends the session.
pub(crate) async fn watch(session: &mut Session) -> QueueError {
    loop {
        match session.next_event().await {
            Some(SessionEvent::Lost(why)) => return session.lost(why),
            Some(SessionEvent::Blocked(reason)) => warn!(reason, "RabbitMQ accepts no messages for now"),
            Some(SessionEvent::Unblocked) => info!("RabbitMQ accepts messages again"),
            None => std::future::pending().await,
        }
    }
}
