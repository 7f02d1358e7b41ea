//! A batch as the API returns it.

use serde::{Deserialize, Serialize};
use shared::batch::BatchState;
use shared::delivery::DeliveryState;
use shared::store::batches::{Batch, LeftOutCounts};
use shared::store::counts::StateCounts;
use shared::store::exclusion::{ExclusionKind, ExclusionSource};
use shared::system_email::SystemEmailKind;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

/// Numbers of emails by state. All except `unsure` add up to `selected`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize, ToSchema)]
#[expect(missing_docs, reason = "the delivery states, described there")]
pub struct BatchCounts {
    pub selected: i64,
    pub left_out: i64,
    pub waiting: i64,
    pub queued: i64,
    pub sending: i64,
    pub retrying: i64,
    pub sent: i64,
    pub failed: i64,
    pub suppressed: i64,
    pub cancelled: i64,
    pub expired: i64,
    /// Deliveries with an attempt whose outcome is unknown. They are also counted under their state.
    pub unsure: i64,
}

/// A batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct BatchView {
    /// The id.
    pub id: Uuid,
    /// The system email.
    #[schema(value_type = String)]
    pub kind: SystemEmailKind,
    /// The version of the system email; for a batch with its own wording, the one that it was written from.
    pub version: i32,
    /// Whether it has its own wording; `GET /v1/batches/{id}/email` shows it.
    pub own_wording: bool,
    /// `held`, `running`, `paused`, `stopped` or `finished`.
    #[schema(value_type = String)]
    pub state: BatchState,
    /// Who created it.
    pub created_by: String,
    /// When it was accepted.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it may start.
    #[serde(with = "time::serde::rfc3339")]
    pub start_at: OffsetDateTime,
    /// When its last delivery ended.
    #[serde(with = "time::serde::rfc3339::option")]
    pub finished_at: Option<OffsetDateTime>,
    /// When its deliveries and the list of users left out were deleted (`BECKON_DETAILS_KEPT`). Its counts are kept.
    #[serde(with = "time::serde::rfc3339::option")]
    pub details_dropped_at: Option<OffsetDateTime>,
    /// When emails that have not been attempted expire (`BECKON_PASSWORD_STALE`). Absent for invites, which never
    /// expire, and while the batch is paused, because the time on pause does not count.
    #[serde(with = "time::serde::rfc3339::option")]
    pub expires_at: Option<OffsetDateTime>,
    /// While the batch is paused: seconds from its resume until emails that have not been attempted expire.
    pub expires_after_resume_seconds: Option<i64>,
    /// Why it is paused or stopped, as a sentence.
    pub reason: Option<String>,
    /// Why it was paused automatically, until it is resumed or stopped: `bounces` (too many addresses do not exist),
    /// `policy` (too many emails are refused as spam or by policy) or `relay` (the mail server refuses all emails
    /// from this sender or account).
    pub brake: Option<String>,
    /// Numbers of emails by state.
    pub counts: BatchCounts,
    /// Numbers of users left out, by reason.
    #[schema(value_type = std::collections::BTreeMap<String, i64>)]
    pub left_out: LeftOutCounts,
    /// The saved filters and do-not-mail lists whose users it left out.
    pub excluded: Vec<ExcludedSource>,
}

impl BatchView {
    /// A batch with the given counts.
    pub(crate) fn new(batch: Batch, tally: &StateCounts, left_out: LeftOutCounts) -> Self {
        let (expires_at, expires_after_resume_seconds) = expiry(&batch);
        Self {
            excluded: batch.excluded().into_iter().map(ExcludedSource::from).collect(),
            expires_at,
            expires_after_resume_seconds,
            counts: BatchCounts {
                selected: i64::from(batch.selected),
                left_out: i64::from(batch.selected - batch.accepted),
                waiting: tally.of(DeliveryState::Waiting),
                queued: tally.of(DeliveryState::Queued),
                sending: tally.of(DeliveryState::Sending),
                retrying: tally.of(DeliveryState::Retrying),
                sent: tally.of(DeliveryState::Sent),
                failed: tally.of(DeliveryState::Failed),
                suppressed: tally.of(DeliveryState::Suppressed),
                cancelled: tally.of(DeliveryState::Cancelled),
                expired: tally.of(DeliveryState::Expired),
                unsure: tally.unsure(),
            },
            id: batch.id,
            kind: batch.kind,
            version: batch.based_on.unwrap_or(batch.version),
            own_wording: batch.based_on.is_some(),
            state: batch.state,
            created_by: batch.created_by,
            created_at: batch.created_at,
            start_at: batch.start_at,
            finished_at: batch.finished_at,
            details_dropped_at: batch.details_dropped_at,
            reason: batch.reason,
            brake: batch.brake,
            left_out,
        }
    }
}

/// When emails that have not been tried yet expire. During a pause: how many seconds after its end.
fn expiry(batch: &Batch) -> (Option<OffsetDateTime>, Option<i64>) {
    match (batch.state, batch.stale_at, batch.paused_at) {
        (BatchState::Held | BatchState::Running, stale_at, _) => (stale_at, None),
        // A pause that began before the start uses up no time until then.
        (BatchState::Paused, Some(stale_at), Some(paused_at)) => {
            let left = stale_at - paused_at.max(batch.start_at);
            (None, Some(left.whole_seconds().max(0)))
        }
        _ => (None, None),
    }
}

/// A filter or list that a batch left out.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct ExcludedSource {
    /// `saved_filter` or `do_not_mail_list`.
    #[schema(value_type = String)]
    pub kind: ExclusionKind,
    /// Its id.
    pub id: Uuid,
    /// Its name when the batch was accepted.
    pub name: String,
    /// Whether it is a list that every batch leaves out.
    pub always: bool,
}

impl From<ExclusionSource> for ExcludedSource {
    fn from(source: ExclusionSource) -> Self {
        Self {
            kind: source.kind,
            id: source.id,
            name: source.name,
            always: source.always,
        }
    }
}
