//! Blocked addresses: `/v1/blocked-addresses`.

use crate::app::blocked::unblock_addresses;
use crate::app::caller::Caller;
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::http::pagination::{Page, PageRequest};
use crate::http::problem::ProblemBody;
use crate::http::query::{AddressKey, Path, Query};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use shared::store::blocked::{self, Blocked, BlockedFilter};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// A blocked address.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct BlockedView {
    /// The id, for pagination.
    #[serde(skip)]
    id: Uuid,
    /// The address as it was typed.
    pub email: String,
    /// Since when no email is sent to it.
    #[serde(with = "time::serde::rfc3339")]
    pub blocked_at: OffsetDateTime,
    /// Why it is blocked, as in the `reason` of a delivery.
    pub reason: String,
    /// The SMTP reply code.
    pub code: Option<i16>,
    /// The enhanced status code (RFC 3463).
    pub enhanced_code: Option<String>,
    /// The text of the mail server's reply. It is untrusted input: display it as plain text.
    pub reply: Option<String>,
    /// The delivery that failed.
    pub delivery: Uuid,
    /// The user who has the address now, if any.
    pub user: Option<Uuid>,
}

impl From<Blocked> for BlockedView {
    fn from(blocked: Blocked) -> Self {
        Self {
            id: blocked.id,
            email: blocked.email,
            blocked_at: blocked.blocked_at,
            reason: blocked.reason,
            code: blocked.code,
            enhanced_code: blocked.enhanced_code,
            reply: blocked.reply,
            delivery: blocked.delivery,
            user: blocked.user,
        }
    }
}

/// Filter and page.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct BlockedRequest {
    /// Part of the address, or of the name of its user.
    pub q: Option<String>,
    /// Maximum number of items: 1 to 1000, default 50.
    pub limit: Option<i64>,
    /// The `next_cursor` of the previous page.
    pub cursor: Option<String>,
}

/// Lists blocked addresses, newest first. Their users are left out of new batches (`address_blocked`), and emails
/// that are already waiting end as `suppressed`.
#[utoipa::path(get, path = "/v1/blocked-addresses", tag = "blocked addresses", params(BlockedRequest),
    responses((status = 200, body = Page<BlockedView>), (status = 400, body = ProblemBody)))]
pub async fn list(
    State(api): State<AppState>,
    Query(request): Query<BlockedRequest>,
) -> Result<Json<Page<BlockedView>>, Problem> {
    let page = PageRequest {
        limit: request.limit,
        cursor: request.cursor,
    };
    let filter = BlockedFilter {
        search: request.q,
        ..BlockedFilter::default()
    };
    let limit = page.limit()?;
    let found = blocked::list(&api.db, &filter, page.after()?, None, limit + 1).await?;
    let items = found.into_iter().map(BlockedView::from).collect();
    Ok(Json(Page::of(items, limit, |blocked: &BlockedView| blocked.id)))
}

/// Unblocks an address, so that emails can be sent to it again. Has no effect on an address that is not blocked.
#[utoipa::path(delete, path = "/v1/blocked-addresses/{address}", tag = "blocked addresses",
    params(("address" = String, Path, description = "The address; case and spelling are normalised.")),
    responses((status = 204), (status = 404, body = ProblemBody)))]
pub async fn unblock(
    State(api): State<AppState>,
    caller: Caller,
    Path(AddressKey(key)): Path<AddressKey>,
) -> Result<StatusCode, Problem> {
    let filter = BlockedFilter {
        email_key: Some(key),
        ..BlockedFilter::default()
    };
    unblock_addresses(&api, &caller.actor, filter).await?;
    Ok(StatusCode::NO_CONTENT)
}
