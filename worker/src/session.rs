//! A session with the broker, from its queues' first answers to its end.
//!
//! Each queue is opened for itself. One that has no leader does not answer, and holds up the other
//! lane only while the session that is given up for it is built anew.

use crate::acks::Acknowledging;
use shared::queue::{QueueError, Session, SessionEvent};
use std::cell::Cell;
use tracing::{info, warn};

/// Lanes whose queues have not answered yet.
pub(crate) struct Opening(Cell<u8>);

impl Opening {
    /// None of so many has.
    pub(crate) const fn of(lanes: u8) -> Self {
        Self(Cell::new(lanes))
    }

    /// One more has: whether it was the last.
    pub(crate) fn was_last(&self) -> bool {
        self.0.set(self.0.get().saturating_sub(1));
        self.0.get() == 0
    }
}

/// A session with what is acknowledged on it.
pub(crate) struct Open {
    pub(crate) session: Session,
    pub(crate) acknowledging: Vec<Acknowledging>,
}

impl Open {
    /// Closes it when the jobs in progress have ended and the broker knows.
    pub(crate) async fn close_when_idle(mut self) {
        for acknowledging in &mut self.acknowledging {
            // A channel that is gone has nothing left to wait for.
            let _ = acknowledging.ended().await;
        }
        self.session.close().await;
    }
}

/// Comes back with what ends the session.
pub(crate) async fn watch(session: &mut Session) -> QueueError {
    loop {
        match session.next_event().await {
            Some(SessionEvent::Lost(why)) => return session.lost(why),
            Some(SessionEvent::Blocked(reason)) => warn!(reason, "RabbitMQ takes no messages for now"),
            Some(SessionEvent::Unblocked) => info!("RabbitMQ takes messages again"),
            None => std::future::pending().await,
        }
    }
}
