//! Users in the API: their details, latest invite and access.

mod change;
pub mod lock;

use crate::body::JsonBody;
use crate::caller::Caller;
use crate::page::{Page, PageRequest};
use crate::problem::Problem;
use crate::query::Path;
use crate::state::Api;
use crate::user_filter::{FilterRequest, FilteredPage, require_known_fields};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::Value;
use shared::delivery::DeliveryState;
use shared::store::audit::Actor;
use shared::store::users::{self, Changed, User};
use shared::user_filter::Access;
use std::collections::BTreeMap;
use time::OffsetDateTime;
use tracing::info;
use utoipa::ToSchema;
use uuid::Uuid;

pub use change::ChangeRequest;
pub(crate) use change::{FieldChanges, read_change};
use lock::EndedView;

/// A user.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct UserView {
    /// The id.
    pub id: Uuid,
    /// The address as typed.
    pub email: String,
    /// The first name; may be empty.
    pub first_name: String,
    /// The last name; may be empty.
    pub last_name: String,
    /// The language tag, such as `pt-BR`; may be empty.
    pub language: String,
    /// The values of imported merge fields, by name.
    pub fields: BTreeMap<String, String>,
    /// The latest invite.
    pub invite: InviteView,
    /// Whether the user can sign in and has signed in.
    pub access: AccessView,
    /// Since when the address is blocked, because a mail server reported that it does not exist.
    #[serde(with = "time::serde::rfc3339::option")]
    pub blocked_at: Option<OffsetDateTime>,
    /// Since when the user is locked: they can neither sign in nor be sent a password.
    #[serde(with = "time::serde::rfc3339::option")]
    pub locked_at: Option<OffsetDateTime>,
    /// When the user was first imported.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}

/// The latest invite of a user.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct InviteView {
    /// `not_invited`, or the state of its delivery.
    pub state: &'static str,
    /// When the mail server accepted it.
    #[serde(with = "time::serde::rfc3339::option")]
    pub sent_at: Option<OffsetDateTime>,
}

/// The access of a user.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AccessView {
    /// `none`, `password_mailed`, `password_expired`, `signed_in` with a mailed password, or
    /// `own_password`.
    pub state: &'static str,
    /// When the latest mailed password expires or expired.
    #[serde(with = "time::serde::rfc3339::option")]
    pub password_expires_at: Option<OffsetDateTime>,
    /// When the user first signed in.
    #[serde(with = "time::serde::rfc3339::option")]
    pub signed_in_at: Option<OffsetDateTime>,
}

impl TryFrom<User> for UserView {
    type Error = Problem;

    fn try_from(user: User) -> Result<Self, Problem> {
        let access = AccessView {
            state: access_state(&user).as_str(),
            password_expires_at: user.password_expires_at,
            signed_in_at: user.signed_in_at,
        };
        Ok(Self {
            id: user.id,
            email: user.email,
            first_name: user.first_name,
            last_name: user.last_name,
            language: user.language,
            // Only texts are ever stored there.
            fields: serde_json::from_value(user.fields).map_err(|_| Problem::internal())?,
            invite: InviteView {
                state: user.invite_state.map_or("not_invited", DeliveryState::as_str),
                sent_at: user.invite_sent_at,
            },
            access,
            blocked_at: user.blocked_at,
            locked_at: user.locked_at,
            created_at: user.created_at,
        })
    }
}

/// How far a user has come in.
pub fn access_state(user: &User) -> Access {
    if user.has_chosen {
        Access::OwnPassword
    } else if user.signed_in_at.is_some() {
        Access::SignedIn
    } else if user.password_has_expired {
        Access::PasswordExpired
    } else if user.password_expires_at.is_some() {
        Access::PasswordMailed
    } else {
        Access::None
    }
}

/// Lists users in order of creation.
#[utoipa::path(get, path = "/v1/users", tag = "users", params(FilterRequest, PageRequest),
    responses((status = 200, body = Page<UserView>), (status = 400, body = Problem)))]
pub async fn list(State(api): State<Api>, asked: FilteredPage) -> Result<Json<Page<UserView>>, Problem> {
    let limit = asked.page.limit()?;
    require_known_fields(&api, &asked.filter, StatusCode::BAD_REQUEST).await?;
    let found = users::list(&api.db, &asked.filter, asked.page.after()?, limit + 1).await?;
    let items = found.into_iter().map(UserView::try_from).collect::<Result<_, _>>()?;
    Ok(Json(Page::of(items, limit, |user: &UserView| user.id)))
}

/// Shows a user.
#[utoipa::path(get, path = "/v1/users/{id}", tag = "users",
    responses((status = 200, body = UserView), (status = 404, body = Problem)))]
pub async fn show(State(api): State<Api>, Path(id): Path<Uuid>) -> Result<Json<UserView>, Problem> {
    Ok(Json(get(&api, id).await?.try_into()?))
}

/// The user with this id.
///
/// # Errors
///
/// 404 if there is no such user.
pub async fn get(api: &Api, id: Uuid) -> Result<User, Problem> {
    users::find(&api.db, id)
        .await?
        .ok_or_else(|| Problem::not_found("user"))
}

/// A user after a change, and what the change ended.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ChangedView {
    /// The user.
    #[serde(flatten)]
    pub user: UserView,
    /// What a change of address ended; all 0 if the address is the same.
    #[serde(flatten)]
    pub ended: EndedView,
}

/// Changes a user. Fields that are absent from the request stay the same.
///
/// Waiting emails are sent with the new values. A new address ends the passwords mailed to the old one and cancels
/// waiting password emails to it; waiting invites go to the new address.
#[utoipa::path(patch, path = "/v1/users/{id}", tag = "users", request_body = ChangeRequest,
    responses((status = 200, body = ChangedView), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
pub async fn change(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<Uuid>,
    body: JsonBody<ChangeRequest>,
) -> Result<Json<ChangedView>, Problem> {
    let (change, names) = read_change(body.value)?;
    let this = api.clone();
    api.to_the_end(async move {
        get(&this, id).await?;
        // Before the values: a name without a value is harmless, but a value whose name no system email may use is
        // lost.
        users::note_fields(&this.db, &names).await?;
        let ended = match users::change(&this.db, id, &change, &caller.actor).await? {
            Changed::Done(ended) => ended,
            Changed::Unknown => return Err(Problem::not_found("user")),
            Changed::AddressTaken => {
                return Err(Problem::conflict(
                    "address_taken",
                    "Another user has this address. Change or delete that user first.",
                ));
            }
        };
        info!(user.id = %id, "Changed a user");
        Ok(Json(ChangedView {
            user: get(&this, id).await?.try_into()?,
            ended: ended.into(),
        }))
    })
    .await
}

/// Exports everything stored about a user, except secrets, to hand to that person.
///
/// The export contains the user, the imports that include them, rejected rows of files, emails with the replies of
/// the mail server, and actions that concern them.
#[utoipa::path(get, path = "/v1/users/{id}/export", tag = "users",
    responses((status = 200, body = Object), (status = 404, body = Problem)))]
pub async fn export(State(api): State<Api>, caller: Caller, Path(id): Path<Uuid>) -> Result<Json<Value>, Problem> {
    Ok(Json(exported(&api, id, &caller.actor).await?))
}

/// Exports everything stored about the user with this id. The audit log records who exported it.
///
/// # Errors
///
/// 404 if there is no such user.
pub async fn exported(api: &Api, id: Uuid, actor: &Actor) -> Result<Value, Problem> {
    let exported = users::export(&api.db, id, actor)
        .await?
        .ok_or_else(|| Problem::not_found("user"))?;
    info!(user.id = %id, "Exported a user");
    Ok(exported)
}

/// Deletes a user and everything that identifies them. Waiting emails are cancelled. The ledgers keep their lines
/// without a name.
#[utoipa::path(delete, path = "/v1/users/{id}", tag = "users",
    responses((status = 204), (status = 404, body = Problem)))]
pub async fn delete(State(api): State<Api>, caller: Caller, Path(id): Path<Uuid>) -> Result<StatusCode, Problem> {
    let this = api.clone();
    api.to_the_end(async move {
        if !users::delete(&this.db, id, &caller.actor).await? {
            return Err(Problem::not_found("user"));
        }
        info!(user.id = %id, "Deleted a user");
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}
