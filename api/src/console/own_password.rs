//! An administrator's own password: chosen at the first sign-in, changed at any time.
//!
//! Every other session of theirs ends with the old password.

use super::fields::Fields;
use super::frame::{Frame, Place};
use super::password_check::{Checked, Client, check};
use super::respond::{page, page_as, redirect_saying, set_cookie};
use super::session::{self, Administrator};
use crate::problem::Problem;
use crate::state::Api;
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use shared::password::{PersonalWords, Rank, Verifier};
use shared::store::audit::{self, Act, Action};
use shared::store::{administrators, begin, commit, sessions};
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
    let words = PersonalWords::of([&administrator.email, &administrator.name, &api.letters.organisation]);
    let typed = Zeroizing::new(fields.text("new_password").to_owned());
    let new = match api.console_hashing.choose(Rank::FIRST, typed, words).await? {
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
    let (_, verifier) = api.console_hashing.hash(new).await?;
    let cookie = renew(&api, &administrator, verifier).await?;
    let mut response = redirect_saying("/console", "Your password is changed.");
    set_cookie(&mut response, &cookie);
    Ok(response)
}

async fn is_current(api: &Api, administrator: &Administrator, typed: &str) -> Result<bool, Problem> {
    let client = Client::in_session(administrator.proof());
    let password = Zeroizing::new(typed.to_owned());
    let checked = check(api, &administrator.email, password, &client).await?;
    Ok(matches!(checked, Checked::Right(lock) if lock.id == administrator.id))
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
