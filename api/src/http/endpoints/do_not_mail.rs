//! Do-not-mail lists: `/v1/do-not-mail-lists`.
//!
//! A list contains addresses, which need not be those of users. A batch leaves out the users on the lists that it
//! names, and on every list that is marked `always`.

use crate::app::caller::Caller;
use crate::app::do_not_mail::upload::{self, AddressFile, NewList};
use crate::app::do_not_mail::{self, download as addresses};
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::app::upload_spool::spool;
use crate::http::body::JsonBody;
use crate::http::download::{CSV, download};
use crate::http::file_form::form_of;
use crate::http::problem::ProblemBody;
use crate::http::query::{AddressKey, Path, PathPair, Query};
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use shared::store::do_not_mail::{self as store, DoNotMailList};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// A do-not-mail list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DoNotMailListView {
    /// Its id, for `exclude` in a batch.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Whether every batch leaves out the users on it.
    pub always: bool,
    /// Number of addresses on it.
    pub addresses: i64,
    /// When it was created.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// Who created it.
    pub created_by: String,
}

impl From<DoNotMailList> for DoNotMailListView {
    fn from(list: DoNotMailList) -> Self {
        Self {
            id: list.id,
            name: list.name,
            always: list.always,
            addresses: list.addresses,
            created_at: list.created_at,
            created_by: list.created_by,
        }
    }
}

/// All do-not-mail lists.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DoNotMailLists {
    /// By name; there are 100 at most.
    pub items: Vec<DoNotMailListView>,
}

/// The list to create from the file in the body.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct NewListRequest {
    /// A name that no other list has, ignoring capital letters; at most 100 characters.
    #[serde(default)]
    #[param(required = true)]
    pub name: String,
    /// Whether every batch leaves out the users on it.
    #[serde(default)]
    #[param(required = false)]
    pub always: bool,
    /// The sheet to read if the spreadsheet has several that are not empty.
    pub sheet: Option<String>,
}

/// How to read a file of addresses.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AddAddressesRequest {
    /// The sheet to read if the spreadsheet has several that are not empty.
    pub sheet: Option<String>,
}

/// The result of adding addresses.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct AddedAddresses {
    /// Number of addresses that were not on the list before.
    pub added: u64,
    /// Number of addresses on the list now.
    pub addresses: i64,
}

/// A change of a list.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeListRequest {
    /// Whether every batch leaves out the users on it.
    pub always: bool,
}

/// Lists the do-not-mail lists.
#[utoipa::path(get, path = "/v1/do-not-mail-lists", tag = "do not mail", responses((status = 200, body = DoNotMailLists)))]
pub async fn list(State(api): State<AppState>) -> Result<Json<DoNotMailLists>, Problem> {
    let found = store::list(&api.db).await?;
    Ok(Json(DoNotMailLists {
        items: found.into_iter().map(DoNotMailListView::from).collect(),
    }))
}

/// Creates a list from a file. Accepts the formats of `POST /v1/imports` and reads only the addresses; a plain list of
/// addresses needs no header. If one address is invalid, the whole file is rejected, because the address that was
/// meant would be missing on the list.
#[utoipa::path(post, path = "/v1/do-not-mail-lists", tag = "do not mail", params(NewListRequest),
    request_body(content((String = "text/csv"), (Vec<u8> = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        (Vec<u8> = "application/vnd.ms-excel"), (Vec<u8> = "application/vnd.oasis.opendocument.spreadsheet"),
        (Vec<Object> = "application/json"))),
    responses((status = 201, body = DoNotMailListView), (status = 409, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub async fn create(
    State(api): State<AppState>,
    caller: Caller,
    Query(request): Query<NewListRequest>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<DoNotMailListView>), Problem> {
    let form = form_of(&headers)?;
    let name = upload::list_name(&request.name)?;
    let file = AddressFile {
        spooled: spool(&api.concurrency_limits, caller.id(), body.into_data_stream()).await?,
        form,
        sheet: request.sheet,
        was_list: false,
    };
    let new = NewList {
        name,
        always: request.always,
    };
    let id = upload::create(&api, new, file, &caller.actor).await?;
    Ok((StatusCode::CREATED, Json(do_not_mail::get(&api, id).await?.into())))
}

/// Adds the addresses of a file to a list. Reads the file as for a new list. Addresses that are on it stay.
#[utoipa::path(post, path = "/v1/do-not-mail-lists/{id}/addresses", tag = "do not mail",
    params(AddAddressesRequest), request_body(content((String = "text/csv"), (Vec<u8> = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        (Vec<u8> = "application/vnd.ms-excel"), (Vec<u8> = "application/vnd.oasis.opendocument.spreadsheet"),
        (Vec<Object> = "application/json"))),
    responses((status = 200, body = AddedAddresses), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub async fn add_addresses(
    State(api): State<AppState>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Query(request): Query<AddAddressesRequest>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<AddedAddresses>, Problem> {
    let form = form_of(&headers)?;
    do_not_mail::get(&api, id).await?;
    let file = AddressFile {
        spooled: spool(&api.concurrency_limits, caller.id(), body.into_data_stream()).await?,
        form,
        sheet: request.sheet,
        was_list: false,
    };
    let added = upload::add(&api, id, file, &caller.actor).await?;
    let addresses = do_not_mail::get(&api, id).await?.addresses;
    Ok(Json(AddedAddresses { added, addresses }))
}

/// Removes an address from a list. Does nothing if the address is not on it.
#[utoipa::path(delete, path = "/v1/do-not-mail-lists/{id}/addresses/{address}", tag = "do not mail",
    params(("id" = Uuid, Path), ("address" = String, Path, description = "The address, in any spelling that an import accepts.")),
    responses((status = 204), (status = 404, body = ProblemBody)))]
pub async fn remove_address(
    State(api): State<AppState>,
    caller: Caller,
    PathPair(id, AddressKey(key)): PathPair<Uuid, AddressKey>,
) -> Result<StatusCode, Problem> {
    do_not_mail::get(&api, id).await?;
    do_not_mail::remove(&api, id, &key, &caller.actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sets whether every batch leaves out the users on a list. Batches that were accepted before are not changed.
#[utoipa::path(patch, path = "/v1/do-not-mail-lists/{id}", tag = "do not mail", request_body = ChangeListRequest,
    responses((status = 200, body = DoNotMailListView), (status = 404, body = ProblemBody)))]
pub async fn change(
    State(api): State<AppState>,
    caller: Caller,
    Path(id): Path<Uuid>,
    body: JsonBody<ChangeListRequest>,
) -> Result<Json<DoNotMailListView>, Problem> {
    do_not_mail::set_always(&api, id, body.value.always, &caller.actor).await?;
    Ok(Json(do_not_mail::get(&api, id).await?.into()))
}

/// Deletes a list with its addresses. Batches that were accepted before are not changed.
#[utoipa::path(delete, path = "/v1/do-not-mail-lists/{id}", tag = "do not mail",
    responses((status = 204), (status = 404, body = ProblemBody)))]
pub async fn delete(State(api): State<AppState>, caller: Caller, Path(id): Path<Uuid>) -> Result<StatusCode, Problem> {
    do_not_mail::delete_list(&api, id, &caller.actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Returns the addresses of a list as a CSV file, in alphabetical order. Addresses of deleted users are not in the
/// file, although the list still applies to them.
#[utoipa::path(get, path = "/v1/do-not-mail-lists/{id}/addresses.csv", tag = "do not mail",
    responses((status = 200, content_type = "text/csv", body = String), (status = 404, body = ProblemBody)))]
pub async fn addresses_csv(State(api): State<AppState>, Path(id): Path<Uuid>) -> Result<Response, Problem> {
    do_not_mail::get(&api, id).await?;
    let name = format!("do-not-mail-{id}.csv");
    Ok(download(CSV, &name, addresses::csv(api, id)))
}
