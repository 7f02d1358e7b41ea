//! A batch: one decision to send one system email to a set of users.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Maximum number of recipients of a batch in the interactive lane.
///
/// A user, a handful, a small team: an administrator is waiting for it. A relay that takes ten mails per
/// second sends twenty in two seconds, so they barely delay others in that lane.
pub const MAX_INTERACTIVE: usize = 20;

/// Time from its start within which a mail of the interactive lane should reach the relay. GOV.UK Notify
/// publishes the same for 95 of 100 emails.
pub const PROMISED_INTERACTIVE: Duration = Duration::from_secs(10);

/// The same for a batch of the bulk lane, in addition to the time that its work takes.
pub const PROMISED_BULK: Duration = Duration::from_mins(5);

/// Factor on that time, which includes the batches that share the lane.
pub const PROMISED_SHARE: f64 = 1.5;

/// Rate of that work in mails per second, unless the configured one is lower. Two cores create twice as many
/// passwords per second, and ninety times as many invites (`make bench`).
pub const PROMISED_RATE: f64 = 50.0;

crate::named_enum! {
    /// The state of a batch.
    ///
    /// ```text
    /// held ─▶ running ─▶ finished
    ///    │      │   ▲
    ///    ├──────┼─▶ paused
    ///    ▼      ▼     │
    /// stopped ◀─────┘
    /// ```
    #[derive(Clone, Copy, Debug, Eq, PartialEq, Hash, Serialize, Deserialize, sqlx::Type)]
    #[sqlx(type_name = "batch_state", rename_all = "snake_case")]
    #[serde(rename_all = "snake_case")]
    pub enum BatchState {
        /// Accepted but not started. Stopping it now sends nothing at all.
        Held = "held",
        /// Its deliveries are published as they become due.
        Running = "running",
        /// Nothing is sent until an administrator resumes it; mail that the relay already has takes its course.
        /// Paused by an administrator or by itself ([`PauseCause`]).
        Paused = "paused",
        /// Stopped by an administrator. Deliveries that had not begun are cancelled.
        Stopped = "stopped",
        /// Every delivery has ended.
        Finished = "finished",
    }
}

crate::named_enum! {
    /// Why a batch has paused itself. Each reason needs a different response from the administrator.
    #[derive(Clone, Copy, Debug, Eq, PartialEq, Hash, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum PauseCause {
        /// Too many of its addresses do not exist.
        Bounces = "bounces",
        /// Too many of its mails are refused as spam or by policy.
        Policy = "policy",
        /// The relay accepts no mail from us at all.
        Relay = "relay",
    }
}

impl PauseCause {
    /// Finds a reason by name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.as_str() == name)
    }
}

crate::named_enum! {
    /// The queue that carries a batch's jobs.
    #[derive(Clone, Copy, Debug, Eq, PartialEq, Hash, Serialize, Deserialize, sqlx::Type)]
    #[sqlx(type_name = "lane", rename_all = "snake_case")]
    #[serde(rename_all = "snake_case")]
    pub enum Lane {
        /// For batches of at most [`MAX_INTERACTIVE`], which an administrator waits for.
        Interactive = "interactive",
        /// For all larger batches. It never holds up the other lane.
        Bulk = "bulk",
    }
}

impl Lane {
    /// The lane for a batch with this many recipients.
    pub const fn for_batch_of(recipients: usize) -> Self {
        if recipients <= MAX_INTERACTIVE {
            Self::Interactive
        } else {
            Self::Bulk
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn up_to_twenty_recipients_use_the_interactive_lane() {
        assert_eq!(Lane::for_batch_of(1), Lane::Interactive);
        assert_eq!(Lane::for_batch_of(20), Lane::Interactive);
        assert_eq!(Lane::for_batch_of(21), Lane::Bulk);
    }
}
