//! A delivery: one mail owed to one user.

use serde::{Deserialize, Serialize};

/// No delivery is attempted more often. A schedule of 5 minutes doubling to 4 hours reaches about
/// 16 attempts in 48 hours, and more help nobody.
pub const ATTEMPTS_MOST: i32 = 20;

/// Where a delivery stands.
///
/// It is written in the transaction of its batch. Only `store` moves it, and only along these
/// arrows; Postgres refuses to let one that has ended become anything else.
///
/// ```text
/// waiting ─▶ queued ─▶ sending ─┬─▶ sent
///    ▲         │         │      ├─▶ failed
///    └─────────┴─────────┤      └─▶ expired
///                        ▼
///                     retrying ─▶ queued …
///
/// waiting, queued, retrying, sending ─▶ cancelled
/// waiting, queued, retrying ─▶ suppressed              waiting, retrying ─▶ expired
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash, Serialize, Deserialize, sqlx::Type)]
#[sqlx(type_name = "delivery_state", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// Written with its batch and never tried: held, paused, not due, or not yet given to the
    /// broker.
    Waiting,
    /// The broker has confirmed a job for it; no worker holds it. After some minutes without a claim
    /// the job counts as lost and another is published. Of a first attempt, its batch's published
    /// ranges say so and not its row.
    Queued,
    /// A worker holds it until its claim runs out. Past that moment the attempt counts as unsure and
    /// the delivery is due again.
    Sending,
    /// The last attempt met a passing trouble; `retry_at` says when we try again.
    Retrying,
    /// The relay answered 250 to the final dot. It took the mail; whether an inbox did, we cannot
    /// know.
    Sent,
    /// The relay refused it for good, or we could not build the mail, or the last try was spent.
    Failed,
    /// Not sent because its address is blocked: a relay has said that nobody has it.
    Suppressed,
    /// A person stopped the batch, or deleted the user, before it was sent.
    Cancelled,
    /// The relay kept asking us to wait until trying on made no sense, or the mail was too old to
    /// be of use before its first try.
    Expired,
}

impl DeliveryState {
    /// All of them, in the order of the schema.
    pub const ALL: [Self; 9] = [
        Self::Waiting,
        Self::Queued,
        Self::Sending,
        Self::Retrying,
        Self::Sent,
        Self::Failed,
        Self::Suppressed,
        Self::Cancelled,
        Self::Expired,
    ];

    /// Whether it will never move again.
    pub const fn has_ended(self) -> bool {
        matches!(
            self,
            Self::Sent | Self::Failed | Self::Suppressed | Self::Cancelled | Self::Expired
        )
    }

    /// The word used in SQL, JSON, logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::Retrying => "retrying",
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Suppressed => "suppressed",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }

    /// The state of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}
