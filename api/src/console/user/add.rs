//! Adding one user by hand.

use super::form::{self, UserForm};
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::console::fields::Fields;
use crate::console::frame::{Frame, Section};
use crate::console::respond::{page, page_as, redirect_with_flash};
use crate::console::session::Administrator;
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use shared::store::users::added::{self, Added, NewUser};
use shared::store::users::{self as store, Change};
use std::collections::BTreeMap;

/// The form page, also used to edit a user.
#[derive(Template)]
#[template(path = "console/user_form.html")]
pub(super) struct FormPage {
    pub(super) frame: Frame,
    pub(super) form: UserForm,
    /// Address that the form is submitted to.
    pub(super) action: String,
    /// Address of the Cancel link.
    pub(super) back: String,
    /// Label of the button.
    pub(super) button: &'static str,
    /// Digest of the values that the form was filled in with, to detect a conflicting change.
    pub(super) seen: String,
    pub(super) is_new: bool,
}

impl FormPage {
    /// Renders the page, with status 422 if it shows errors.
    pub(super) fn answer(mut self) -> Result<Response, Problem> {
        if !self.form.has_faults() {
            return page(&self);
        }
        self.frame = self.frame.with_faults();
        page_as(StatusCode::UNPROCESSABLE_ENTITY, &self)
    }
}

/// Shows the form.
pub(super) async fn show(State(api): State<AppState>, administrator: Administrator) -> Result<Response, Problem> {
    of(&api, &administrator, &BTreeMap::new()).await?.answer()
}

async fn of(
    api: &AppState,
    administrator: &Administrator,
    values: &BTreeMap<String, String>,
) -> Result<FormPage, Problem> {
    Ok(FormPage {
        frame: administrator.frame(api, Section::Users, "Add a user").await,
        form: UserForm::with(api, values).await?,
        action: "/console/users/add".to_owned(),
        back: "/console/users".to_owned(),
        button: "Add user",
        seen: String::new(),
        is_new: true,
    })
}

/// Adds a user.
pub(super) async fn add(
    State(api): State<AppState>,
    administrator: Administrator,
    fields: Fields,
) -> Result<Response, Problem> {
    let (values, new) = (form::entered(&fields), form::entered_new(&fields));
    let mut shown = of(&api, &administrator, &values).await?;
    shown.form.new_field = new.clone().unwrap_or_default();
    let judged = form::change(&BTreeMap::new(), &with_address(values), new.as_ref());
    let (change, names) = match judged {
        Ok(found) => found,
        Err(errors) => {
            shown.form.assign_errors(errors);
            return shown.answer();
        }
    };
    let new = read_user(change).ok_or_else(Problem::internal)?;
    store::record_fields(&api.db, &names).await?;
    match added::add(&api.db, &new, &administrator.actor).await? {
        Added::Done(id) => Ok(redirect_with_flash(
            &format!("/console/users/{id}"),
            "The user is added. No one was emailed.",
        )),
        Added::AddressTaken(by) => {
            shown.form.assign_taken_address(Some(by));
            shown.answer()
        }
    }
}

/// Makes sure that an empty address is validated too.
fn with_address(mut values: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let address = values.entry("email".to_owned()).or_default();
    if address.is_empty() {
        " ".clone_into(address);
    }
    values
}

fn read_user(change: Change) -> Option<NewUser> {
    Some(NewUser {
        email: change.email?,
        first_name: change.first_name.unwrap_or_default(),
        last_name: change.last_name.unwrap_or_default(),
        language: change.language.unwrap_or_default(),
        fields: form::filled(change.fields),
    })
}
