//! Ending mailed passwords: a mail cannot be recalled, the password in it can.

use crate::body::JsonBody;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use shared::store::audit::{self, Act, Action, Actor};
use shared::store::credentials::{self, Scope};
use shared::store::{batches, begin, commit};
use utoipa::ToSchema;
use uuid::Uuid;

/// Rows cancelled at a time of a batch that this stops.
const CANCEL_GROUP: i64 = 10_000;

/// Whose mailed passwords to end.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokeRequest {
    /// Those mailed by this batch,
    pub batch: Option<Uuid>,
    /// or those of these users.
    #[serde(default)]
    pub users: Vec<Uuid>,
    /// Also those that were used. A password that a user chose is not revoked; lock the user instead.
    #[serde(default)]
    pub include_used: bool,
}

/// How it went.
#[derive(Debug, Serialize, ToSchema)]
pub struct Revoked {
    /// Passwords that stop working now.
    pub revoked: i64,
    /// Passwords that had been used and still work: their owners have signed in. None with
    /// `include_used`.
    pub already_used: i64,
    /// Password mails that were owed and are cancelled: the rest of the batch, or those to the users.
    pub mails_cancelled: i64,
    /// Password mails to the users that a worker had in hand. They are cancelled when their attempt
    /// ends; one that the mail server had taken by then is sent, and its password does not work.
    pub mails_in_hand: i64,
}

/// Ends mailed passwords, and stops those that are on their way.
///
/// A batch that is still sending is stopped, and password mails owed to the users are cancelled, so
/// that no password of theirs starts to work afterwards.
#[utoipa::path(post, path = "/v1/credentials/revoke", tag = "credentials", request_body = RevokeRequest,
    responses((status = 200, body = Revoked), (status = 422, body = Problem)))]
pub async fn revoke(
    State(api): State<Api>,
    caller: Caller,
    body: JsonBody<RevokeRequest>,
) -> Result<Json<Revoked>, Problem> {
    let request = body.value;
    if request.batch.is_none() && request.users.is_empty() {
        return Err(Problem::unprocessable(
            "nothing_to_revoke",
            "Say whose passwords to end: a batch, or users.",
        ));
    }
    Ok(Json(revoke_for(&api, &caller.actor, request).await?))
}

/// Ends mailed passwords, and puts on record that `actor` did.
///
/// # Errors
///
/// When Postgres is away; then none has ended.
pub async fn revoke_for(api: &Api, actor: &Actor, request: RevokeRequest) -> Result<Revoked, Problem> {
    let (db, actor) = (api.db.clone(), actor.clone());
    api.to_the_end(async move {
        let scope = Scope {
            batch: request.batch,
            users: &request.users,
            include_used: request.include_used,
        };
        let mut transaction = begin(&db).await?;
        let done = credentials::revoke(&mut transaction, scope, &format!("Stopped by {}", actor.name)).await?;
        let subject = request.batch.map(|batch| format!("batch {batch}"));
        if done.has_stopped_batch {
            let act = Act {
                actor: &actor,
                action: Action::BatchStopped,
                subject: subject.clone(),
                details: serde_json::json!({}),
            };
            audit::note(&mut transaction, &act).await?;
        }
        let act = Act {
            actor: &actor,
            action: Action::PasswordsRevoked,
            subject,
            details: serde_json::json!({
                "users": request.users.len(), "revoked": done.revoked, "already_used": done.already_used,
                "include_used": request.include_used, "mails_cancelled": done.mails.cancelled,
                "mails_in_hand": done.mails.in_hand
            }),
        };
        audit::note(&mut transaction, &act).await?;
        commit(transaction).await?;
        let mut answer = Revoked {
            revoked: done.revoked,
            already_used: done.already_used,
            mails_cancelled: done.mails.cancelled,
            mails_in_hand: done.mails.in_hand,
        };
        if let Some(batch) = request.batch.filter(|_| done.has_stopped_batch) {
            answer.mails_cancelled += cancel_rest(&db, batch).await?;
        }
        Ok(answer)
    })
    .await
}

/// Cancels what a stopped batch still owes; returns how many.
async fn cancel_rest(db: &shared::store::Db, batch: Uuid) -> Result<i64, Problem> {
    let mut all = 0;
    loop {
        let cancelled = batches::cancel_rest(db, batch, CANCEL_GROUP).await?;
        if cancelled == 0 {
            return Ok(all);
        }
        all += i64::try_from(cancelled).unwrap_or(i64::MAX);
    }
}
