//! An administrator's own password: chosen at the first sign-in, changed at any time.
//!
//! Changing it ends all other sessions of the administrator.

use super::fields::Fields;
use super::frame::{Frame, Section};
use super::respond::{page, page_as, redirect_with_flash, set_cookie};
use super::session::{self, Administrator};
use crate::app::own_password::{
    ChangeFaults, NewPasswordFault, OwnPasswordChange, TypedPasswords, change_own_password,
};
use crate::app::problem::Problem;
use crate::app::state::AppState;
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

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
    fn of(faults: &ChangeFaults) -> Self {
        Self {
            current: faults.is_current_wrong.then(|| "The password is incorrect".to_owned()),
            new: faults.new.as_ref().map(|fault| match fault {
                NewPasswordFault::Unfit(fault) => fault.to_string(),
                NewPasswordFault::Unchanged => "This is the password you have now. Choose another one".to_owned(),
            }),
            again: faults
                .is_again_different
                .then(|| "The passwords do not match".to_owned()),
        }
    }
}

async fn form(api: &AppState, administrator: &Administrator) -> OwnPasswordPage {
    OwnPasswordPage {
        frame: administrator.frame(api, Section::Account, "Choose a password").await,
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
    let typed = TypedPasswords {
        current: fields.text("current_password"),
        new: fields.text("new_password"),
        again: fields.text("again_password"),
    };
    let token = match change_own_password(&api, &administrator.session(), typed).await? {
        OwnPasswordChange::Done(token) => token,
        OwnPasswordChange::Rejected(faults) => {
            let mut page = form(&api, &administrator).await;
            page.frame = page.frame.with_faults();
            page.faults = Faults::of(&faults);
            return page_as(StatusCode::UNPROCESSABLE_ENTITY, &page);
        }
    };
    let mut response = redirect_with_flash("/console", "Your password is changed.");
    set_cookie(&mut response, &session::beginning(&token));
    Ok(response)
}
