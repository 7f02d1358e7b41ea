//! The people: who they are, what mails they got, and whether they have come in.

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

/// A user as they are answered.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct UserView {
    /// Their id.
    pub id: Uuid,
    /// Their address, as typed.
    pub email: String,
    /// First name, or an empty text.
    pub first_name: String,
    /// Last name, or an empty text.
    pub last_name: String,
    /// Language tag, such as `pt-BR`, or an empty text.
    pub language: String,
    /// Their values of your own merge fields, by name.
    pub fields: BTreeMap<String, String>,
    /// The latest invite.
    pub invite: InviteView,
    /// Whether they can sign in, and have.
    pub access: AccessView,
    /// Since when no mail goes to their address, because a relay has said that nobody has it.
    #[serde(with = "time::serde::rfc3339::option")]
    pub blocked_at: Option<OffsetDateTime>,
    /// Since when they can neither sign in nor be sent a password, because somebody locked them.
    #[serde(with = "time::serde::rfc3339::option")]
    pub locked_at: Option<OffsetDateTime>,
    /// When they were first brought in.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}

/// What became of somebody's latest invite.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct InviteView {
    /// `not_invited`, or the state of its delivery.
    pub state: &'static str,
    /// When the relay took it.
    #[serde(with = "time::serde::rfc3339::option")]
    pub sent_at: Option<OffsetDateTime>,
}

/// How far somebody has come in.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AccessView {
    /// `none`, `password_mailed`, `password_expired`, `signed_in` with a mailed password, or
    /// `own_password`.
    pub state: &'static str,
    /// When the latest mailed password stops or stopped working.
    #[serde(with = "time::serde::rfc3339::option")]
    pub password_expires_at: Option<OffsetDateTime>,
    /// When a password of theirs was first verified.
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

/// Lists users in the order they came.
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

/// The user of this id, or 404.
///
/// # Errors
///
/// 404 when there is none.
pub async fn get(api: &Api, id: Uuid) -> Result<User, Problem> {
    users::find(&api.db, id)
        .await?
        .ok_or_else(|| Problem::not_found("user"))
}

/// A user as they are after a change, and what it ended.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ChangedView {
    /// The user.
    #[serde(flatten)]
    pub user: UserView,
    /// What ended because the address is another; all 0 otherwise.
    #[serde(flatten)]
    pub ended: EndedView,
}

/// Changes a user. What the request leaves out stays as it is.
///
/// Mails that wait carry the new values; those sent are not touched. Another address ends the passwords
/// mailed to the one before and cancels password mails owed to it; invites that wait go to the new one.
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
        // Before the values: a name without a value is harmless, a value under a name that no
        // system email may use is lost.
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

/// Everything that is kept about a user, but for secrets, to hand to the person.
///
/// Besides the user this is what the tables say about them elsewhere: imports they were in, rows of files
/// that were rejected, mails with what the mail server said, and what was done to them.
#[utoipa::path(get, path = "/v1/users/{id}/export", tag = "users",
    responses((status = 200, body = Object), (status = 404, body = Problem)))]
pub async fn export(State(api): State<Api>, caller: Caller, Path(id): Path<Uuid>) -> Result<Json<Value>, Problem> {
    Ok(Json(exported(&api, id, &caller.actor).await?))
}

/// Everything that is kept about the user of this id, or 404. The audit log says who exported it.
///
/// # Errors
///
/// 404 when there is none.
pub async fn exported(api: &Api, id: Uuid, actor: &Actor) -> Result<Value, Problem> {
    let exported = users::export(&api.db, id, actor)
        .await?
        .ok_or_else(|| Problem::not_found("user"))?;
    info!(user.id = %id, "Exported a user");
    Ok(exported)
}

/// Deletes a user and everything that names them. Mails owed to them are cancelled; the ledgers
/// keep their lines without a name.
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
