//! Users in the API: their details, latest invite and access.

use crate::app::caller::Caller;
use crate::app::problem::{Problem, ProblemKind};
use crate::app::state::AppState;
use crate::app::user_filter::{FilterRequest, require_known_fields};
use crate::app::users::change::ChangeRequest;
use crate::app::users::lock::{lock_user, unlock_user};
use crate::app::users::{self, access_state};
use crate::http::body::JsonBody;
use crate::http::filter_query::{FilteredPage, UserListRequest};
use crate::http::pagination::Page;
use crate::http::problem::ProblemBody;
use crate::http::query::Path;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::Value;
use shared::delivery::DeliveryState;
use shared::store::users::{self as store, Ended, PageEdge, User};
use std::collections::BTreeMap;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

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

/// Lists users.
#[utoipa::path(get, path = "/v1/users", tag = "users", params(FilterRequest, UserListRequest),
    responses((status = 200, body = Page<UserView>), (status = 400, body = ProblemBody)))]
pub async fn list(State(api): State<AppState>, asked: FilteredPage) -> Result<Json<Page<UserView>>, Problem> {
    let limit = asked.page.limit()?;
    require_known_fields(&api, &asked.filter, ProblemKind::Malformed).await?;
    let after = asked.page.after()?;
    let found = match asked.order {
        None => store::list(&api.db, &asked.filter, after, limit + 1).await?,
        Some(order) => {
            // The place of a removed user in an order is unknown.
            if let Some(user) = after
                && store::find(&api.db, user).await?.is_none()
            {
                return Err(Problem::malformed(
                    "cursor_invalid",
                    "The last user of the previous page has been removed. Read the list from its beginning.",
                ));
            }
            store::sorted_page(&api.db, &asked.filter, order, after.map(PageEdge::After), limit + 1).await?
        }
    };
    let items = found.into_iter().map(UserView::try_from).collect::<Result<_, _>>()?;
    Ok(Json(Page::of(items, limit, |user: &UserView| user.id)))
}

/// Shows a user.
#[utoipa::path(get, path = "/v1/users/{id}", tag = "users",
    responses((status = 200, body = UserView), (status = 404, body = ProblemBody)))]
pub async fn show(State(api): State<AppState>, Path(id): Path<Uuid>) -> Result<Json<UserView>, Problem> {
    Ok(Json(users::get(&api, id).await?.try_into()?))
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
    responses((status = 200, body = ChangedView), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody),
        (status = 422, body = ProblemBody)))]
pub async fn change(
    State(api): State<AppState>,
    caller: Caller,
    Path(id): Path<Uuid>,
    body: JsonBody<ChangeRequest>,
) -> Result<Json<ChangedView>, Problem> {
    let ended = users::change(&api, id, body.value, &caller.actor).await?;
    Ok(Json(ChangedView {
        user: users::get(&api, id).await?.try_into()?,
        ended: ended.into(),
    }))
}

/// Exports everything stored about a user, except secrets, to hand to that person.
///
/// The export contains the user, the imports that include them, rejected rows of files, emails with the replies of
/// the mail server, and actions that concern them.
#[utoipa::path(get, path = "/v1/users/{id}/export", tag = "users",
    responses((status = 200, body = Object), (status = 404, body = ProblemBody)))]
pub async fn export(State(api): State<AppState>, caller: Caller, Path(id): Path<Uuid>) -> Result<Json<Value>, Problem> {
    Ok(Json(users::exported(&api, id, &caller.actor).await?))
}

/// Deletes a user and everything that identifies them. Waiting emails are cancelled. The ledgers keep their lines
/// without a name.
#[utoipa::path(delete, path = "/v1/users/{id}", tag = "users",
    responses((status = 204), (status = 404, body = ProblemBody)))]
pub async fn delete(State(api): State<AppState>, caller: Caller, Path(id): Path<Uuid>) -> Result<StatusCode, Problem> {
    users::delete(&api, id, &caller.actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What ended with a change or a lock.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct EndedView {
    /// Number of passwords that were ended.
    pub passwords_ended: i64,
    /// Number of waiting password emails that were cancelled.
    pub mails_cancelled: i64,
    /// Number of password emails that a worker was sending. They are cancelled when their attempt ends. One that the
    /// mail server accepts before is sent, but its password does not work.
    pub mails_in_hand: i64,
}

impl From<Ended> for EndedView {
    fn from(ended: Ended) -> Self {
        Self {
            passwords_ended: ended.passwords,
            mails_cancelled: ended.mails.cancelled,
            mails_in_hand: ended.mails.in_hand,
        }
    }
}

/// A locked user.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LockedView {
    /// Who.
    pub user: Uuid,
    /// Since when.
    #[serde(with = "time::serde::rfc3339")]
    pub locked_at: OffsetDateTime,
    /// What the lock ended; all 0 if the user was already locked.
    #[serde(flatten)]
    pub ended: EndedView,
}

/// An unlocked user.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct UnlockedView {
    /// Who.
    pub user: Uuid,
    /// Whether they were locked until now.
    pub was_locked: bool,
}

/// Locks a user. All their passwords end, including the one they chose, and waiting password emails are cancelled.
/// Until they are unlocked, they are left out of password emails (`user_locked`). Has no effect on a locked user.
#[utoipa::path(post, path = "/v1/users/{id}/lock", tag = "users",
    responses((status = 200, body = LockedView), (status = 404, body = ProblemBody)))]
pub async fn lock(
    State(api): State<AppState>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Json<LockedView>, Problem> {
    let locked = lock_user(&api, &caller.actor, id).await?;
    Ok(Json(LockedView {
        user: id,
        locked_at: locked.at,
        ended: locked.ended.into(),
    }))
}

/// Unlocks a user. Their passwords are not restored: send them a password email. Has no effect on a user who is not
/// locked.
#[utoipa::path(post, path = "/v1/users/{id}/unlock", tag = "users",
    responses((status = 200, body = UnlockedView), (status = 404, body = ProblemBody)))]
pub async fn unlock(
    State(api): State<AppState>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Json<UnlockedView>, Problem> {
    let was_locked = unlock_user(&api, &caller.actor, id).await?;
    Ok(Json(UnlockedView { user: id, was_locked }))
}
