//! An administrator's own password: chosen at the first sign-in, changed at any time.
//!
//! Every other session of theirs ends with the old password.

use super::fields::Fields;
use super::frame::{Frame, Place};
use super::respond::{page, page_as, redirect_saying, set_cookie};
use super::session::{self, Administrator};
use crate::problem::Problem;
use crate::state::Api;
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use shared::address::EmailAddress;
use shared::password::{Form, Password, Verifier};
use shared::store::audit::{self, Act, Action};
use shared::store::{administrators, begin, commit, sessions};
use std::time::Instant;
use zeroize::Zeroizing;

/// The page.
#[derive(Template)]
#[template(path = "console/own_password.html")]
struct OwnPasswordPage {
    frame: Frame,
    email: String,
    is_first: bool,
    faults: Faults,
}

/// What is wrong, beside which field.
#[derive(Default)]
struct Faults {
    current: Option<String>,
    new: Option<String>,
    again: Option<String>,
}

impl Faults {
    const fn is_empty(&self) -> bool {
        self.current.is_none() && self.new.is_none() && self.again.is_none()
    }
}

async fn form(api: &Api, administrator: &Administrator) -> OwnPasswordPage {
    OwnPasswordPage {
        frame: administrator.frame(api, Place::Account, "Choose a password").await,
        email: administrator.email.clone(),
        is_first: administrator.must_choose,
        faults: Faults::default(),
    }
}

/// Asks for it.
pub(super) async fn show(State(api): State<Api>, administrator: Administrator) -> Result<Response, Problem> {
    page(&form(&api, &administrator).await)
}

/// Sets it.
pub(super) async fn choose(
    State(api): State<Api>,
    administrator: Administrator,
    fields: Fields,
) -> Result<Response, Problem> {
    let mut faults = Faults::default();
    if !administrator.must_choose && !is_current(&api, &administrator, fields.text("current_password")).await? {
        faults.current = Some("This is not your password".to_owned());
    }
    let new = match Password::chosen(fields.text("new_password")) {
        Ok(new) => Some(new),
        Err(fault) => {
            faults.new = Some(fault.to_string());
            None
        }
    };
    if fields.text("new_password") != fields.text("again_password") {
        faults.again = Some("This differs from the password above".to_owned());
    }
    let Some(new) = new.filter(|_| faults.is_empty()) else {
        let mut page = form(&api, &administrator).await;
        page.frame = page.frame.with_faults();
        page.faults = faults;
        return page_as(StatusCode::UNPROCESSABLE_ENTITY, &page);
    };
    let (_, verifier) = api.hashing.hash(new).await.map_err(|_| Problem::internal())?;
    let cookie = renew(&api, &administrator, verifier).await?;
    let mut response = redirect_saying("/console", "Your password is changed.");
    set_cookie(&mut response, &cookie);
    Ok(response)
}

async fn is_current(api: &Api, administrator: &Administrator, typed: &str) -> Result<bool, Problem> {
    let key = EmailAddress::parse(&administrator.email).map_or_else(|_| String::new(), |address| address.key());
    let Ok(spent) = api.tries.take(&format!("console {key}"), Instant::now()) else {
        return Err(Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_tries",
            "Too many passwords were tried. Wait ten seconds and try again.",
        ));
    };
    let lock = administrators::lock_of(&api.db, &key).await?;
    let verifiers = lock
        .into_iter()
        .map(|lock| (Verifier::from_stored(lock.verifier), Form::Chosen));
    let found = api
        .hashing
        .verify(verifiers.collect(), Zeroizing::new(typed.to_owned()))
        .await
        .map_err(|_| Problem::internal())?;
    if found.is_some() {
        api.tries.give_back(spent);
    }
    Ok(found.is_some())
}

/// Stores it, ends all sessions and begins another for the one who is here.
async fn renew(api: &Api, administrator: &Administrator, verifier: Verifier) -> Result<String, Problem> {
    let (token, digest) = session::make_token()?;
    let (db, administrator) = (api.db.clone(), administrator.clone());
    api.to_the_end(async move {
        let mut transaction = begin(&db).await?;
        administrators::renew(&mut transaction, administrator.id, verifier.as_stored(), false).await?;
        sessions::begin(&mut transaction, administrator.id, &digest).await?;
        let act = Act {
            actor: &administrator.actor,
            action: Action::OwnPasswordChanged,
            subject: None,
            details: serde_json::json!({}),
        };
        audit::note(&mut transaction, &act).await?;
        commit(transaction).await?;
        Ok(())
    })
    .await?;
    Ok(session::beginning(&token))
}
