//! An administrator's own password: chosen at the first sign-in, changed at any time.
//!
//! Changing it ends all other sessions of the administrator.

use super::fields::Fields;
use super::frame::{Frame, Place};
use super::respond::{page, page_as, redirect_with_flash, set_cookie};
use super::session::{self, Administrator};
use crate::app::administrator_password::{Client, check, identity};
use crate::app::problem::Problem;
use crate::app::sessions::session_ended;
use crate::app::state::AppState;
use crate::app::token::make_token;
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use shared::password::{Form, PersonalWords, Rank, Verifier};
use shared::store::administrators::{self, OwnChange};
use shared::store::audit::{self, Act, Action};
use shared::store::{begin, commit, sessions};
use zeroize::Zeroizing;

#[derive(Template)]
#[template(path = "console/own_password.html")]
struct OwnPasswordPage {
    frame: Frame,
    email: String,
    is_first: bool,
    faults: Faults,
}

/// Validation errors by field.
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

async fn form(api: &AppState, administrator: &Administrator) -> OwnPasswordPage {
    OwnPasswordPage {
        frame: administrator.frame(api, Place::Account, "Choose a password").await,
        email: administrator.email.clone(),
        is_first: administrator.must_choose,
        faults: Faults::default(),
    }
}

/// Shows the form.
pub(super) async fn show(State(api): State<AppState>, administrator: Administrator) -> Result<Response, Problem> {
    page(&form(&api, &administrator).await)
}

/// Changes the password.
pub(super) async fn choose(
    State(api): State<AppState>,
    administrator: Administrator,
    fields: Fields,
) -> Result<Response, Problem> {
    let mut faults = Faults::default();
    let checked = checked(&api, &administrator, fields.text("current_password")).await?;
    if checked.is_none() {
        faults.current = Some("The password is incorrect".to_owned());
    }
    let words = PersonalWords::of([&administrator.email, &administrator.name, &api.letters.organisation]);
    let typed = fields.text("new_password");
    let judged = api
        .console_hashing
        .choose(Rank::FIRST, Zeroizing::new(typed.to_owned()), words);
    let new = match judged.await? {
        Ok(new) => Some(new),
        Err(fault) => {
            faults.new = Some(fault.to_string());
            None
        }
    };
    if typed != fields.text("again_password") {
        faults.again = Some("The passwords do not match".to_owned());
    }
    if let Some(checked) = checked.as_deref().filter(|_| faults.is_empty())
        && is_kept(&api, &administrator, checked, typed).await?
    {
        faults.new = Some("This is the password you have now. Choose another one".to_owned());
    }
    let (Some(new), Some(checked), true) = (new, checked, faults.is_empty()) else {
        let mut page = form(&api, &administrator).await;
        page.frame = page.frame.with_faults();
        page.faults = faults;
        return page_as(StatusCode::UNPROCESSABLE_ENTITY, &page);
    };
    let (_, verifier) = api.console_hashing.hash(new).await?;
    let cookie = renew(&api, &administrator, checked, verifier).await?;
    let mut response = redirect_with_flash("/console", "Your password is changed.");
    set_cookie(&mut response, &cookie);
    Ok(response)
}

/// The verifier that authorises the change: that of the current password, which was typed, or that of the first
/// password, which began the session.
async fn checked(api: &AppState, administrator: &Administrator, typed: &str) -> Result<Option<String>, Problem> {
    if !administrator.must_choose {
        return current_verifier(api, administrator, typed).await;
    }
    let key = identity(&administrator.email);
    let lock = administrators::lock_of(&api.db, &key).await?;
    lock.map(|lock| Some(lock.verifier)).ok_or_else(session_ended)
}

/// The administrator's stored verifier, if the typed password matches it.
pub(super) async fn current_verifier(
    api: &AppState,
    administrator: &Administrator,
    typed: &str,
) -> Result<Option<String>, Problem> {
    let client = Client::in_session(&administrator.session());
    let password = Zeroizing::new(typed.to_owned());
    let lock = check(api, &administrator.email, password, &client).await?;
    Ok(lock
        .filter(|lock| lock.id == administrator.id)
        .map(|lock| lock.verifier))
}

/// Whether the new password equals the current one. A first password also matches without hyphens and in other case,
/// because it can be typed that way (ASVS 5.0, 6.4.1).
async fn is_kept(api: &AppState, administrator: &Administrator, verifier: &str, typed: &str) -> Result<bool, Problem> {
    let form = if administrator.must_choose {
        Form::Generated
    } else {
        Form::Chosen
    };
    matches(api, verifier, form, typed).await
}

async fn matches(api: &AppState, verifier: &str, form: Form, typed: &str) -> Result<bool, Problem> {
    let verifiers = vec![(Verifier::from_stored(verifier.to_owned()), form)];
    let typed = Zeroizing::new(typed.to_owned());
    let found = api.console_hashing.verify(Rank::FIRST, verifiers, typed).await?;
    Ok(found.is_some())
}

/// Stores the password, ends all sessions and begins a new one for this browser.
async fn renew(
    api: &AppState,
    administrator: &Administrator,
    checked: String,
    verifier: Verifier,
) -> Result<String, Problem> {
    let (token, digest) = make_token()?;
    let mut transaction = begin(&api.db).await?;
    let change = OwnChange {
        id: administrator.id,
        session: administrator.digest(),
        checked: &checked,
        verifier: verifier.as_stored(),
    };
    let is_done = administrators::change_own(&mut transaction, change).await?
        && sessions::begin(&mut transaction, administrator.id, change.verifier, &digest).await?;
    if !is_done {
        return Err(session_ended());
    }
    let act = Act {
        actor: &administrator.actor,
        action: Action::OwnPasswordChanged,
        subject: None,
        details: serde_json::json!({}),
    };
    audit::note(&mut transaction, &act).await?;
    commit(transaction).await?;
    Ok(session::beginning(&token))
}
