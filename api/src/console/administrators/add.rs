//! Adding an administrator, who then chooses a password through a link.

use super::super::fields::Fields;
use super::super::frame::{Frame, Section};
use super::super::one_time_secret;
use super::super::respond::{page, page_as};
use super::super::session::Administrator as Reader;
use super::link;
use crate::app::administrators::{Addition, add_administrator};
use crate::app::problem::Problem;
use crate::app::state::AppState;
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use shared::address::EmailAddress;
use shared::name::check_administrator;
use shared::store::administrators::FIRST_PASSWORD;

#[derive(Template)]
#[template(path = "console/administrator_new.html")]
struct NewPage {
    frame: Frame,
    email: String,
    name: String,
    token: String,
    faults: Faults,
}

/// Validation errors by field.
#[derive(Default)]
struct Faults {
    email: Option<String>,
    name: Option<String>,
}

/// Shows the form.
pub(in super::super) async fn ask(State(api): State<AppState>, reader: Reader) -> Result<Response, Problem> {
    page(&form(&api, &reader, &Fields::default(), Faults::default()).await)
}

async fn form(api: &AppState, reader: &Reader, fields: &Fields, faults: Faults) -> NewPage {
    let frame = reader.frame(api, Section::Manage, "Add an administrator").await;
    let token = fields.text("token");
    NewPage {
        frame: if faults.email.is_some() || faults.name.is_some() {
            frame.with_faults()
        } else {
            frame
        },
        email: fields.trimmed("email").to_owned(),
        name: fields.trimmed("name").to_owned(),
        token: if token.is_empty() {
            one_time_secret::token()
        } else {
            token.to_owned()
        },
        faults,
    }
}

/// Adds the administrator and shows their link.
pub(in super::super) async fn add(
    State(api): State<AppState>,
    reader: Reader,
    fields: Fields,
) -> Result<Response, Problem> {
    let (address, mut faults) = validate(&fields);
    let Some(address) = address.filter(|_| faults.name.is_none()) else {
        return page_as(
            StatusCode::UNPROCESSABLE_ENTITY,
            &form(&api, &reader, &fields, faults).await,
        );
    };
    let name = fields.trimmed("name");
    let added = add_administrator(&api, &reader.session(), &address, name, fields.text("token")).await?;
    match added {
        Addition::Done { id, token } => {
            let title = format!("{name} is an administrator");
            link::shown(&api, &reader, title, Some(token), (id, FIRST_PASSWORD)).await
        }
        Addition::Repeated(id) => {
            let title = format!("{name} was already added");
            link::shown(&api, &reader, title, None, (id, FIRST_PASSWORD)).await
        }
        Addition::AddressTaken => {
            faults.email = Some("An administrator has this email address already".to_owned());
            let page = form(&api, &reader, &fields, faults).await;
            page_as(StatusCode::CONFLICT, &page)
        }
        Addition::NameTaken(taken) => {
            faults.name = Some(format!(
                "Another administrator is called {taken}, which is the same or looks the same. Names identify people \
                 in the audit log, so add something to it"
            ));
            let page = form(&api, &reader, &fields, faults).await;
            page_as(StatusCode::CONFLICT, &page)
        }
    }
}

fn validate(fields: &Fields) -> (Option<EmailAddress>, Faults) {
    let mut faults = Faults::default();
    let typed = fields.trimmed("email");
    let address = match EmailAddress::parse(typed) {
        Ok(address) => Some(address),
        Err(_) if typed.is_empty() => {
            faults.email = Some("Enter an email address".to_owned());
            None
        }
        Err(fault) => {
            faults.email = Some(fault.to_string());
            None
        }
    };
    faults.name = check_administrator(fields.trimmed("name"))
        .err()
        .map(|fault| fault.to_string());
    (address, faults)
}
