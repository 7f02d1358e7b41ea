//! Editing a user's details.
//!
//! The form carries a digest of the values it was filled in with. If they have changed meanwhile, nothing is saved: the
//! form keeps the input and shows the current values beside it.

use super::add::FormPage;
use super::ended::consequences;
use super::form::{self, UserForm};
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::app::users;
use crate::console::fields::Fields;
use crate::console::frame::Section;
use crate::console::respond::{redirect_with_flash, redirect_with_note};
use crate::console::session::Administrator;
use crate::http::query::Path;
use axum::extract::State;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use shared::store::credentials;
use shared::store::users::{self as store, Changed, User, mails};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Shows the form.
pub(super) async fn show(
    State(api): State<AppState>,
    administrator: Administrator,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let user = users::get(&api, id).await?;
    of(&api, &administrator, &user, &form::values_of(&user)).await?.answer()
}

async fn of(
    api: &AppState,
    administrator: &Administrator,
    user: &User,
    values: &BTreeMap<String, String>,
) -> Result<FormPage, Problem> {
    let title = format!("Edit {}", user.called());
    let mut form = UserForm::with(api, values).await?;
    if has_mailed_password(api, user.id).await? {
        form.hint("email", ENDS);
    }
    Ok(FormPage {
        frame: administrator.frame(api, Section::Users, title).await,
        form,
        action: format!("/console/users/{}/edit", user.id),
        back: format!("/console/users/{}", user.id),
        button: "Save",
        seen: seen(&form::values_of(user)),
        is_new: false,
    })
}

/// Hint about changing the address of a user who has a mailed password.
const ENDS: &str = "If you change it, passwords mailed to the current address stop working, and password emails that have not been sent yet are cancelled";

/// Whether a mailed password of the user is valid or will still be sent.
async fn has_mailed_password(api: &AppState, id: Uuid) -> Result<bool, Problem> {
    if credentials::of_user(&api.db, id).await? > 0 {
        return Ok(true);
    }
    let mails = mails::of_user(&api.db, id, super::LISTED).await?;
    Ok(mails.iter().any(mails::Mail::is_owed_password))
}

/// Saves the changes.
pub(super) async fn save(
    State(api): State<AppState>,
    administrator: Administrator,
    Path(id): Path<Uuid>,
    fields: Fields,
) -> Result<Response, Problem> {
    let user = users::get(&api, id).await?;
    let before = form::values_of(&user);
    let (values, new) = (form::entered(&fields), form::entered_new(&fields));
    let mut shown = of(&api, &administrator, &user, &values).await?;
    shown.form.new_field = new.clone().unwrap_or_default();
    if fields.text("seen") != shown.seen {
        show_current_values(&mut shown.form, &before);
        return shown.answer();
    }
    let (change, names) = match form::change(&before, &values, new.as_ref()) {
        Ok(found) => found,
        Err(errors) => {
            shown.form.assign_errors(errors);
            return shown.answer();
        }
    };
    let to = format!("/console/users/{id}");
    if form::is_nothing(&change) {
        return Ok(redirect_with_note(&to, "Nothing was changed."));
    }
    let key = change.email.clone().map(|(_, key)| key);
    match users::apply(&api, id, change, names, &administrator.actor).await? {
        Changed::Done(ended) => {
            let words = format!("The details are saved.{}", consequences(&ended));
            Ok(redirect_with_flash(&to, &words))
        }
        Changed::Unknown => Err(Problem::not_found("user")),
        Changed::AddressTaken => {
            let taken_by = store::by_address(&api.db, &key.unwrap_or_default()).await?;
            shown.form.assign_taken_address(taken_by);
            shown.answer()
        }
    }
}

fn show_current_values(form: &mut UserForm, now: &BTreeMap<String, String>) {
    form.fault = Some("This user was changed while you were editing. The current values are shown next to yours; check them and save again".to_owned());
    for field in &mut form.fields {
        let is = now.get(&field.name).cloned().unwrap_or_default();
        if is != field.value {
            field.now = Some(is);
        }
    }
}

/// A short digest of the values that the form was filled in with.
fn seen(values: &BTreeMap<String, String>) -> String {
    let filled = values.iter().filter(|(_, value)| !value.is_empty());
    let mut digest = Sha256::new();
    for (name, value) in filled {
        digest.update(format!("{name}\n{}\n{value}\n", value.len()));
    }
    URL_SAFE_NO_PAD.encode(digest.finalize())
}
