//! A delivery: one mail owed to one user.

use serde::{Deserialize, Serialize};

/// Maximum number of attempts per delivery. A schedule of 5 minutes doubling to 4 hours reaches about 16
/// attempts in 48 hours, and more would not help.
pub const MAX_ATTEMPTS: i32 = 20;

crate::named_enum! {
    /// The state of a delivery.
    ///
    /// It is written in the transaction of its batch. Only `store` changes it, and only along these arrows;
    /// Postgres rejects any change to a delivery that has ended.
    ///
    /// ```text
    /// waiting ─▶ queued ─▶ sending ─┬─▶ sent
    ///     ▲         │         │      ├─▶ failed
    ///     └─────────┴─────────┤      └─▶ expired
    ///                         ▼
    ///                      retrying ─▶ queued …
    ///
    /// waiting, queued, retrying, sending ─▶ cancelled
    /// waiting, queued, retrying ─▶ suppressed              waiting, retrying ─▶ expired
    /// ```
    #[derive(Clone, Copy, Debug, Eq, PartialEq, Hash, Serialize, Deserialize, sqlx::Type)]
    #[sqlx(type_name = "delivery_state", rename_all = "snake_case")]
    #[serde(rename_all = "snake_case")]
    pub enum DeliveryState {
        /// Never attempted: held, paused, not due, or not yet published to the broker.
        Waiting = "waiting",
        /// The broker has confirmed a job for it, and no worker has claimed it. After some minutes without a
        /// claim the job counts as lost and another one is published. For a first attempt this follows from its
        /// batch's cursor and not from its row.
        Queued = "queued",
        /// Claimed by a worker until its lease expires. Then the attempt counts as unsure and the delivery is due
        /// again.
        Sending = "sending",
        /// The last attempt failed temporarily. The next one is due at `retry_at`.
        Retrying = "retrying",
        /// The relay answered 250 to the final dot. Whether the mail reached a mailbox is unknown.
        Sent = "sent",
        /// The relay refused it permanently, the mail could not be composed, or all attempts are spent.
        Failed = "failed",
        /// Not sent because its address is blocked: a relay reported that it does not exist.
        Suppressed = "suppressed",
        /// An administrator stopped the batch or deleted the user before it was sent.
        Cancelled = "cancelled",
        /// The relay kept deferring it until a further attempt made no sense, or the mail was too old before its
        /// first attempt.
        Expired = "expired",
    }
}

impl DeliveryState {
    /// Whether the state is final.
    pub const fn has_ended(self) -> bool {
        matches!(
            self,
            Self::Sent | Self::Failed | Self::Suppressed | Self::Cancelled | Self::Expired
        )
    }

    /// Finds a state by name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}
