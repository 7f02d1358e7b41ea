//! Signing in and out.
//!
//! An unknown address and a wrong password get the same words after the same time, and passwords
//! can be tried no faster than for the people themselves (`credentials/tries.rs`).

use super::door::{self, foreign, is_foreign};
use super::fields::Fields;
use super::frame::Frame;
use super::respond::{page, page_as, redirect, set_cookie};
use super::session::{self, Administrator};
use crate::observe;
use crate::problem::Problem;
use crate::query::Query;
use crate::state::Api;
use askama::Template;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use shared::address::EmailAddress;
use shared::password::{Form, Verifier};
use shared::store::administrators::{self, Lock};
use shared::store::audit::{self, AccessEvent, Act, Action, Actor, ActorKind};
use shared::store::{begin, commit, sessions};
use std::time::Instant;
use tracing::info;
use url::form_urlencoded;
use uuid::Uuid;
use zeroize::Zeroizing;

/// Longer passwords are refused before hashing.
const PASSWORD_MOST_BYTES: usize = 1_024;

/// The sign-in page.
#[derive(Template)]
#[template(path = "console/sign_in.html")]
struct SignInPage {
    frame: Frame,
    email: String,
    to: String,
    carried: String,
    fault: Option<String>,
    /// Whether a form is kept for afterwards.
    is_lost_session: bool,
    has_administrators: bool,
    is_cookie_missing: bool,
}

/// The page behind the sign-in that offers to go on with a form that came too late.
#[derive(Template)]
#[template(path = "console/carry_on.html")]
struct CarryOnPage {
    frame: Frame,
    to: String,
    fields: Vec<(String, String)>,
}

/// Where to go after signing in.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Wish {
    to: Option<String>,
    came: Option<String>,
}

/// The address of the sign-in page for somebody who wanted to go elsewhere.
pub(super) fn address(to: &str) -> String {
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("to", local(to))
        .finish();
    format!("/console/sign-in?{query}")
}

/// A way within the console; anything else would send somebody who has just signed in to a
/// stranger's page.
fn local(to: &str) -> &str {
    if is_inside(to) { to } else { "/console" }
}

/// Whether an address that came with a request leads to a page of the console behind the sign-in.
pub(super) fn is_inside(to: &str) -> bool {
    let is_ours = to == "/console" || to.starts_with("/console/") || to.starts_with("/console?");
    let leads_back = to.starts_with("/console/sign-");
    is_ours && !leads_back && !to.contains(char::is_control) && !to.contains('\\')
}

/// Asks who is there.
pub(super) async fn show(
    State(api): State<Api>,
    Query(wish): Query<Wish>,
    request: Request,
) -> Result<Response, Problem> {
    let to = local(wish.to.as_deref().unwrap_or_default()).to_owned();
    if session::signed_in(&api, request.headers(), request.extensions())
        .await?
        .is_some()
    {
        return Ok(redirect(&to));
    }
    page(&SignInPage {
        frame: Frame::open("Sign in"),
        email: String::new(),
        to,
        carried: String::new(),
        fault: None,
        is_lost_session: false,
        has_administrators: administrators::is_anybody(&api.db).await?,
        is_cookie_missing: wish.came.is_some(),
    })
}

/// Asks again who is there, for somebody whose session ended while they filled in a form.
pub(super) async fn again(api: &Api, to: &str, carried: &Fields) -> Result<Response, Problem> {
    // What is typed into a field for a password goes nowhere but where it was meant to.
    let is_secret = carried.pairs().iter().any(|(name, _)| name.contains("password"));
    let carried = if is_secret { String::new() } else { carried.encoded() };
    let to = local(to).to_owned();
    page_as(
        StatusCode::UNAUTHORIZED,
        &SignInPage {
            frame: Frame::open("Sign in again"),
            email: String::new(),
            to,
            is_lost_session: true,
            carried,
            fault: None,
            has_administrators: administrators::is_anybody(&api.db).await?,
            is_cookie_missing: false,
        },
    )
}

/// Lets somebody in.
pub(super) async fn enter(State(api): State<Api>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    if is_foreign(&parts.headers) {
        return Err(foreign());
    }
    let fields = door::read(&parts.headers, body).await?;
    let to = local(fields.text("to")).to_owned();
    let email = fields.trimmed("email").to_owned();
    let carried = fields.text("carried").to_owned();
    let password = Zeroizing::new(fields.text("password").to_owned());
    let origin = observe::origin(&parts.extensions);
    let checked = checked(&api, &origin, &email, password).await;
    if let Some(outcome) = outcome(&checked) {
        api.metrics.sign_ins.with_label_values(&[outcome]).inc();
    }
    let lock = match checked {
        Ok(lock) => lock,
        Err(Refused::Problem(problem)) => return Err(problem),
        Err(Refused::Said(status, fault)) => {
            return page_as(
                status,
                &SignInPage {
                    frame: Frame::open("Sign in").with_faults(),
                    email,
                    to,
                    is_lost_session: !carried.is_empty(),
                    carried,
                    fault: Some(fault),
                    has_administrators: true,
                    is_cookie_missing: false,
                },
            );
        }
    };
    let (token, digest) = session::make_token()?;
    remember(&api, &lock, digest, origin).await?;
    let mut response = if carried.is_empty() {
        // By way of the sign-in page, which can tell when the cookie did not come back.
        redirect(&format!("{}&came=1", address(&to)))
    } else {
        carry_on(&lock, &token, to, &carried)?
    };
    set_cookie(&mut response, &session::beginning(&token));
    Ok(response)
}

async fn remember(api: &Api, lock: &Lock, digest: Vec<u8>, origin: Actor) -> Result<(), Problem> {
    let (db, lock) = (api.db.clone(), lock.clone());
    api.to_the_end(async move {
        let mut transaction = begin(&db).await?;
        sessions::begin(&mut transaction, lock.id, &digest).await?;
        let act = Act {
            actor: &Actor {
                kind: ActorKind::Administrator(lock.id),
                name: lock.name.clone(),
                ..origin
            },
            action: Action::SignedIn,
            subject: None,
            details: serde_json::json!({}),
        };
        audit::note(&mut transaction, &act).await?;
        commit(transaction).await?;
        info!(administrator.id = %lock.id, "An administrator signed in");
        Ok(())
    })
    .await
}

fn carry_on(lock: &Lock, token: &str, to: String, carried: &str) -> Result<Response, Problem> {
    let mut frame = Frame::open("You are signed in again");
    frame.name.clone_from(&lock.name);
    frame.proof = session::proof_of(token);
    page(&CarryOnPage {
        frame,
        to,
        fields: Fields::read(carried.as_bytes()).pairs().to_vec(),
    })
}

enum Refused {
    Said(StatusCode, String),
    Problem(Problem),
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

/// What a sign-in counts as; one that failed for a reason of ours is none.
fn outcome(checked: &Result<Lock, Refused>) -> Option<&'static str> {
    match checked {
        Ok(_) => Some("right"),
        Err(Refused::Said(StatusCode::TOO_MANY_REQUESTS, _)) => Some("throttled"),
        Err(Refused::Said(..)) => Some("wrong"),
        Err(Refused::Problem(_)) => None,
    }
}

/// Who has this address and this password.
async fn checked(api: &Api, origin: &Actor, email: &str, password: Zeroizing<String>) -> Result<Lock, Refused> {
    let said = |fault: &str| Refused::Said(StatusCode::UNPROCESSABLE_ENTITY, fault.to_owned());
    if email.is_empty() || password.is_empty() {
        return Err(said("Enter your email address and your password."));
    }
    let key = EmailAddress::parse(email).map_or_else(|_| email.to_lowercase(), |address| address.key());
    let spent = api
        .tries
        .take(&format!("console {key}"), Instant::now())
        .map_err(|wait| {
            Refused::Said(
                StatusCode::TOO_MANY_REQUESTS,
                format!(
                    "Too many passwords were tried for this address. Try again in {} seconds.",
                    wait.as_millis().div_ceil(1_000)
                ),
            )
        })?;
    let lock = administrators::lock_of(&api.db, &key).await.map_err(Problem::from)?;
    let form = match &lock {
        Some(lock) if lock.must_choose => Form::Generated,
        _ => Form::Chosen,
    };
    let is_plausible = password.len() <= PASSWORD_MOST_BYTES;
    let candidate = if is_plausible {
        password
    } else {
        Zeroizing::new("-".to_owned())
    };
    let verifiers = lock
        .iter()
        .map(|lock| (Verifier::from_stored(lock.verifier.clone()), form));
    let found = api
        .hashing
        .verify(verifiers.collect(), candidate)
        .await
        .map_err(|fault| {
            tracing::error!(error = %fault, "A password could not be checked");
            Problem::internal()
        })?;
    match lock {
        Some(lock) if found.is_some() && is_plausible => {
            api.tries.give_back(spent);
            Ok(lock)
        }
        other => {
            note_failure(api, Action::SignInFailed, origin, other.map(|lock| lock.id)).await?;
            Err(said("The email address and the password do not belong together."))
        }
    }
}

/// Puts on record that a sign-in did not succeed. What was typed is not recorded: it may be a password in the wrong
/// field.
async fn note_failure(api: &Api, action: Action, origin: &Actor, administrator: Option<Uuid>) -> Result<(), Problem> {
    let (this, event) = (
        api.clone(),
        AccessEvent {
            action,
            actor: origin.clone(),
            subject: administrator.map(|id| format!("administrator {id}")),
        },
    );
    api.to_the_end(async move {
        this.access_events.note(&this.db, event).await;
        Ok(())
    })
    .await
}

/// Lets somebody out.
pub(super) async fn leave(State(api): State<Api>, administrator: Administrator) -> Result<Response, Problem> {
    let db = api.db.clone();
    api.to_the_end(async move {
        let mut transaction = begin(&db).await?;
        if sessions::end(&mut transaction, administrator.digest()).await? {
            let act = Act {
                actor: &administrator.actor,
                action: Action::SignedOut,
                subject: None,
                details: serde_json::json!({}),
            };
            audit::note(&mut transaction, &act).await?;
        }
        commit(transaction).await?;
        info!(administrator.id = %administrator.id, "An administrator signed out");
        Ok(())
    })
    .await?;
    let mut response = redirect("/console/sign-in");
    set_cookie(&mut response, &session::ending());
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_out_of_the_console() {
        for inside in ["/console", "/console/users?q=a&page=2", "/console/batches/1"] {
            assert_eq!(local(inside), inside);
        }
        for outside in [
            "",
            "//evil.example",
            "https://evil.example",
            "/v1/users",
            "/consolevil",
            "/console/\\evil",
            "/console/sign-in",
            "/console/\r\nx: y",
        ] {
            assert_eq!(local(outside), "/console", "{outside}");
        }
    }
}
