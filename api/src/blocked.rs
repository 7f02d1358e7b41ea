//! Blocked addresses: a relay reported that they do not exist, so no email is sent to them until an administrator or
//! API client unblocks them.

use crate::caller::Caller;
use crate::page::{Page, PageRequest};
use crate::problem::Problem;
use crate::query::{InPath, Path, Query};
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use shared::address::{AddressFault, EmailAddress};
use shared::store::audit::Actor;
use shared::store::blocked::{self, Blocked, BlockedFilter};
use std::str::FromStr;
use time::OffsetDateTime;
use tracing::info;
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

/// An address in a path, normalised.
pub struct Key(String);

impl FromStr for Key {
    type Err = AddressFault;

    fn from_str(text: &str) -> Result<Self, AddressFault> {
        EmailAddress::parse(text).map(|address| Self(address.key()))
    }
}

impl InPath for Key {
    const OTHERWISE: &'static str = "This is not an email address.";
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
    responses((status = 200, body = Page<BlockedView>), (status = 400, body = Problem)))]
pub async fn list(
    State(api): State<Api>,
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
    responses((status = 204), (status = 404, body = Problem)))]
pub async fn unblock(State(api): State<Api>, caller: Caller, Path(Key(key)): Path<Key>) -> Result<StatusCode, Problem> {
    let filter = BlockedFilter {
        email_key: Some(key),
        ..BlockedFilter::default()
    };
    unblock_those(&api, &caller.actor, filter).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Unblocks the matching addresses and returns their number.
pub(crate) async fn unblock_those(api: &Api, actor: &Actor, filter: BlockedFilter) -> Result<i64, Problem> {
    let (db, actor) = (api.db.clone(), actor.clone());
    api.to_the_end(async move {
        let unblocked = blocked::unblock(&db, &filter, &actor).await?;
        if unblocked > 0 {
            info!(addresses = unblocked, "Unblocked addresses");
        }
        Ok(unblocked)
    })
    .await
}
