//! Changes to who has access require the password again and a session that has not ended.
//!
//! Otherwise, anyone who finds a signed-in browser could create an API key or an administrator and keep that
//! access after the session ends. So the password must have been entered in the last ten minutes (ASVS 5.0,
//! 7.5.3). The page that asks for it carries the fields of the original form and submits them, with the password,
//! to the form's own address. The session then gets a new token.

use super::fields::Fields;
use super::frame::Section;
use super::respond::{page_as, set_cookie};
use super::session::{self, Administrator};
use crate::app::own_password::confirm_password;
use crate::app::problem::{Problem, ProblemKind};
use crate::app::state::AppState;
use askama::Template;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use zeroize::Zeroizing;

/// Form field for the password.
const PASSWORD: &str = "confirm_password";

/// The page that asks for the password.
#[derive(Template)]
#[template(path = "console/confirm.html")]
struct ConfirmPage {
    frame: super::frame::Frame,
    email: String,
    /// Address that the form is submitted to.
    to: String,
    /// Address of the page that contains the form.
    back: String,
    fields: Vec<(String, String)>,
    fault: Option<String>,
}

/// Passes a form on if the password was entered recently or is part of the form.
pub(super) async fn confirmed(State(api): State<AppState>, mut request: Request, next: Next) -> Response {
    let parts = request.extensions_mut();
    let (Some(reader), Some(mut form)) = (parts.get::<Administrator>().cloned(), parts.remove::<Fields>()) else {
        return Problem::internal().into_response();
    };
    let typed = form.take(PASSWORD).map(Zeroizing::new);
    if reader.is_recently_authenticated {
        request.extensions_mut().insert(form);
        return next.run(request).await;
    }
    let to = request.uri().path().to_owned();
    let Some(typed) = typed.as_deref().filter(|typed| !typed.is_empty()) else {
        let fault = typed.map(|_| "Enter your password".to_owned());
        return ask(&api, &reader, to, form, fault, StatusCode::UNAUTHORIZED).await;
    };
    let (reader, cookie) = match confirm(&api, &reader, typed).await {
        Ok(Some(confirmed)) => confirmed,
        Ok(None) => {
            let fault = Some("The password is incorrect".to_owned());
            return ask(&api, &reader, to, form, fault, StatusCode::UNPROCESSABLE_ENTITY).await;
        }
        Err(problem) if problem.kind == ProblemKind::LimitReached => {
            let fault = Some(problem.detail);
            return ask(&api, &reader, to, form, fault, StatusCode::TOO_MANY_REQUESTS).await;
        }
        Err(problem) => return problem.into_response(),
    };
    request.extensions_mut().insert(form);
    request.extensions_mut().insert(reader.clone());
    let mut response = next.run(request).await;
    response.extensions_mut().insert(reader);
    set_cookie(&mut response, &cookie);
    response
}

/// The page that contains the form submitted to this address.
fn page_with_form(to: &str) -> String {
    match to {
        "/console/keys" | "/console/administrators" => format!("{to}/new"),
        // Forms that act on one administrator are on that administrator's page.
        of_one => of_one.rsplit_once('/').map_or("/console", |(page, _)| page).to_owned(),
    }
}

async fn ask(
    api: &AppState,
    reader: &Administrator,
    to: String,
    form: Fields,
    fault: Option<String>,
    status: StatusCode,
) -> Response {
    let frame = reader.frame(api, Section::Manage, "Confirm your password").await;
    let page = ConfirmPage {
        frame: if fault.is_some() { frame.with_faults() } else { frame },
        email: reader.email.clone(),
        back: page_with_form(&to),
        to,
        fields: form.pairs().to_vec(),
        fault,
    };
    page_as(status, &page).unwrap_or_else(axum::response::IntoResponse::into_response)
}

/// Checks the password and gives the session a new token. `None` if the password is wrong.
async fn confirm(
    api: &AppState,
    reader: &Administrator,
    typed: &str,
) -> Result<Option<(Administrator, String)>, Problem> {
    let token = confirm_password(api, &reader.session(), typed).await?;
    Ok(token.map(|token| (reader.in_session(&token), session::beginning(&token))))
}
