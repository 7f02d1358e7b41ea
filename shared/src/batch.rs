//! A batch: one decision to send one system email to a set of users.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How many recipients a batch may have and still take the interactive lane.
///
/// One person, a handful, a small team: somebody is waiting at a screen. Twenty mails take a
/// relay of ten a second two seconds, so they delay nobody else in that lane noticeably.
pub const INTERACTIVE_MOST: usize = 20;

/// Within this time of its start a mail of the interactive lane is promised to the relay. GOV.UK
/// Notify publishes the same for 95 of 100 emails.
pub const PROMISED_INTERACTIVE: Duration = Duration::from_secs(10);

/// The same for a batch of the bulk lane, beside the time that the work itself takes:
pub const PROMISED_BULK: Duration = Duration::from_mins(5);

/// each mail of it, and of the batches that share the line with it, by this many times
pub const PROMISED_SHARE: f64 = 1.5;

/// what it takes at this rate, in mails a second, or at the one that is set where that is lower. Two
/// cores make twice as many passwords a second, and ninety times as many invites (`make bench`).
pub const PROMISED_RATE: f64 = 50.0;

/// Where a batch stands.
///
/// ```text
/// held ─▶ running ─▶ finished
///   │      │   ▲
///   ├──────┼─▶ paused
///   ▼      ▼     │
///  stopped ◀─────┘
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash, Serialize, Deserialize, sqlx::Type)]
#[sqlx(type_name = "batch_state", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum BatchState {
    /// Accepted, and its start is still ahead: stopping it now sends nothing at all.
    Held,
    /// Its deliveries are published as they fall due.
    Running,
    /// Nothing of it leaves until a person resumes it; mail already in the relay's hands ends its
    /// way. A person has paused it, or it has paused itself ([`Brake`]).
    Paused,
    /// Ended by a person. What had not begun is cancelled.
    Stopped,
    /// Every delivery has ended.
    Finished,
}

impl BatchState {
    /// All of them, in the order of the schema.
    pub const ALL: [Self; 5] = [Self::Held, Self::Running, Self::Paused, Self::Stopped, Self::Finished];

    /// The word used in SQL, JSON, logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
            Self::Finished => "finished",
        }
    }
}

/// Why a batch has paused itself. What a person would do about it tells them apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Brake {
    /// Too many of its addresses do not exist.
    Bounces,
    /// Too many of its mails are refused as spam or by policy.
    Policy,
    /// The relay takes no mail from us at all.
    Relay,
}

impl Brake {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Bounces, Self::Policy, Self::Relay];

    /// The word used in SQL, JSON, logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bounces => "bounces",
            Self::Policy => "policy",
            Self::Relay => "relay",
        }
    }

    /// The one of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|brake| brake.as_str() == name)
    }
}

/// Which queue a batch's jobs travel in.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash, Serialize, Deserialize, sqlx::Type)]
#[sqlx(type_name = "lane", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    /// Somebody waits for it: batches of at most [`INTERACTIVE_MOST`].
    Interactive,
    /// Everything larger. It never makes the other lane wait.
    Bulk,
}

impl Lane {
    /// Both lanes, the one with people waiting first.
    pub const ALL: [Self; 2] = [Self::Interactive, Self::Bulk];

    /// The lane for a batch of `recipients`.
    pub const fn for_batch_of(recipients: usize) -> Self {
        if recipients <= INTERACTIVE_MOST {
            Self::Interactive
        } else {
            Self::Bulk
        }
    }

    /// The word used in SQL, JSON, logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Interactive => "interactive",
            Self::Bulk => "bulk",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twenty_people_are_served_at_once_and_twenty_one_are_a_crowd() {
        assert_eq!(Lane::for_batch_of(1), Lane::Interactive);
        assert_eq!(Lane::for_batch_of(20), Lane::Interactive);
        assert_eq!(Lane::for_batch_of(21), Lane::Bulk);
    }
}
