//! A password made for an administrator: shown once to whoever hands it over, for some days good for
//! one thing, to choose one's own.

use super::super::fields::Fields;
use super::super::frame::Place;
use super::super::once::{self, Told};
use super::super::session::Administrator as Reader;
use super::{PATH, get};
use crate::problem::Problem;
use crate::query::Path;
use crate::state::Api;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use shared::password::{Password, Verifier, os_randomness};
use shared::store::administrators::{self, FIRST_PASSWORD};
use shared::store::audit::{self, Act, Action};
use shared::store::begin;
use tracing::info;
use uuid::Uuid;
use zeroize::Zeroizing;

/// A password and what it is checked against.
pub(super) struct First {
    pub(super) shown: Zeroizing<String>,
    pub(super) verifier: Verifier,
}

/// Makes one.
pub(super) async fn make(api: &Api) -> Result<First, Problem> {
    let password = Password::generate(&mut os_randomness()).map_err(|_| Problem::internal())?;
    let (password, verifier) = api.console_hashing.hash(password).await?;
    Ok(First {
        shown: Zeroizing::new(password.expose_once().to_owned()),
        verifier,
    })
}

/// The page that shows it.
pub(super) async fn shown(
    api: &Api,
    reader: &Reader,
    title: String,
    secret: Option<Zeroizing<String>>,
    id: Uuid,
) -> Result<Response, Problem> {
    let frame = reader.frame(api, Place::Manage, title).await;
    let days = FIRST_PASSWORD.as_secs() / 86_400;
    let told = Told {
        first: "Copy this password now.",
        label: "First password",
        what_next: format!(
            "Give it to them in a way that nobody else reads. It works for {days} days and for one thing: when they \
             sign in with it, they choose a password of their own."
        ),
        otherwise: "Nobody can look it up. If it was not copied, make a new one on their page.",
        back: format!("{PATH}/{id}"),
        back_label: "Go to their page",
    };
    once::shown(frame, secret, told)
}

/// Gives somebody who lost theirs a new one, and ends their sessions.
pub(in super::super) async fn renew(
    State(api): State<Api>,
    reader: Reader,
    Path(id): Path<Uuid>,
    fields: Fields,
) -> Result<Response, Problem> {
    let known = get(&api, id).await?;
    if id == reader.id {
        return Err(Problem::conflict(
            "own_password",
            "This is you. Change your own password under Your account.",
        ));
    }
    let made = make(&api).await?;
    let once = once::form(&reader.caller(), "renew administrator", fields.text("token"))?;
    let (db, actor, name) = (api.db.clone(), reader.actor.clone(), known.name.clone());
    let verifier = made.verifier.as_stored().to_owned();
    let is_made = api
        .to_the_end(async move {
            let mut transaction = begin(&db).await?;
            if once.answered::<once::Made>(&mut transaction).await?.is_some() {
                return Ok(false);
            }
            if !administrators::give_first_password(&mut transaction, id, &verifier).await? {
                return Err(Problem::conflict(
                    "administrator_disabled",
                    "They are disabled and have no use for a password. Enable them first.",
                ));
            }
            let act = Act {
                actor: &actor,
                action: Action::AdministratorRenewed,
                subject: Some(format!("administrator {id}")),
                details: serde_json::json!({ "name": name }),
            };
            audit::note(&mut transaction, &act).await?;
            once.commit(&db, transaction, StatusCode::OK, &once::Made { id })
                .await?;
            info!(administrator.id = %id, "Gave an administrator a new password");
            Ok(true)
        })
        .await?;
    let title = if is_made {
        format!("{} has a new password", known.name)
    } else {
        format!("{} got a new password already", known.name)
    };
    shown(&api, &reader, title, is_made.then_some(made.shown), id).await
}
