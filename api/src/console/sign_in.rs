//! Signing in and out.
//!
//! An unknown address and a wrong password get the same message after the same time. `credentials/attempt_limiter.rs`
//! limits how often passwords can be tried.

use super::carried_form::{CarriedForm, KEPT, fields_of};
use super::device::Device;
use super::fields::Fields;
use super::form_body::read_unauthenticated;
use super::form_origin::{foreign, is_foreign};
use super::frame::Frame;
use super::respond::{page, page_as, redirect, set_cookie};
use super::session::{self, Administrator};
use crate::app::administrator_password::{Client, Unchecked, check};
use crate::app::problem::Problem;
use crate::app::sessions::{begin_session, end_session};
use crate::app::state::AppState;
use crate::http::client_address::ClientAddress;
use crate::http::problem::status_of;
use crate::http::query::Query;
use crate::http::request_log;
use askama::Template;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Deserialize;
use shared::store::administrators::{self, Lock};
use url::form_urlencoded;
use zeroize::Zeroizing;

/// Size limit of the sign-in form: a carried form of up to 22 KiB and the form's own fields.
const SIGN_IN_MOST_BYTES: usize = 32 * 1024;

/// Message for a wrong address and for a wrong password.
const WRONG: &str = "The email address or password is incorrect.";

#[derive(Template)]
#[template(path = "console/sign_in.html")]
struct SignInPage {
    frame: Frame,
    email: String,
    to: String,
    carried: String,
    fault: Option<String>,
    /// Notice about the submitted form of a session that has ended.
    form_notice: Option<&'static str>,
    has_administrators: bool,
    is_cookie_missing: bool,
}

/// The page after signing in that offers to submit a carried form.
#[derive(Template)]
#[template(path = "console/carry_on.html")]
struct CarryOnPage {
    frame: Frame,
    to: String,
    fields: Vec<(String, String)>,
}

/// Query of the sign-in page.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct SignInQuery {
    to: Option<String>,
    came: Option<String>,
}

/// Address of the sign-in page that returns to another page.
pub(super) fn address(to: &str) -> String {
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("to", local(to))
        .finish();
    format!("/console/sign-in?{query}")
}

/// The address if it is inside the console, otherwise the start page. This prevents an open redirect to another site
/// after signing in.
fn local(to: &str) -> &str {
    if is_inside(to) { to } else { "/console" }
}

/// Whether an address from a request leads to a page of the console behind the sign-in.
pub(super) fn is_inside(to: &str) -> bool {
    let is_ours = to == "/console" || to.starts_with("/console/") || to.starts_with("/console?");
    let leads_back = to.starts_with("/console/sign-");
    is_ours && !leads_back && !to.contains(char::is_control) && !to.contains('\\')
}

/// Shows the sign-in page.
pub(super) async fn show(
    State(api): State<AppState>,
    Query(query): Query<SignInQuery>,
    request: Request,
) -> Result<Response, Problem> {
    let to = local(query.to.as_deref().unwrap_or_default()).to_owned();
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
        form_notice: None,
        has_administrators: administrators::can_any_sign_in(&api.db).await?,
        is_cookie_missing: query.came.is_some(),
    })
}

/// Shows the sign-in page to an administrator whose session ended while they filled in a form.
pub(super) async fn again(api: &AppState, to: &str, carried: CarriedForm) -> Result<Response, Problem> {
    let to = local(to).to_owned();
    let form_notice = Some(carried.notice());
    page_as(
        StatusCode::UNAUTHORIZED,
        &SignInPage {
            frame: Frame::open("Sign in again"),
            email: String::new(),
            to,
            form_notice,
            carried: carried.into_text(),
            fault: None,
            has_administrators: administrators::can_any_sign_in(&api.db).await?,
            is_cookie_missing: false,
        },
    )
}

/// Signs an administrator in.
pub(super) async fn enter(
    State(api): State<AppState>,
    client_address: ClientAddress,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    if is_foreign(&parts.headers) {
        return Err(foreign());
    }
    let fields = read_unauthenticated(&parts, body, SIGN_IN_MOST_BYTES).await?;
    // Boxed, so that a request whose form is still arriving does not hold the memory for checking it: a thousand
    // clients may send a byte a second.
    Box::pin(sign_in_with(api, client_address, parts, fields)).await
}

/// Checks a form and begins a session.
async fn sign_in_with(
    api: AppState,
    client_address: ClientAddress,
    parts: Parts,
    fields: Fields,
) -> Result<Response, Problem> {
    let before = session::digest_in(&parts.headers);
    let to = local(fields.text("to")).to_owned();
    let email = fields.trimmed("email").to_owned();
    let carried = fields.text("carried").to_owned();
    let password = Zeroizing::new(fields.text("password").to_owned());
    // Checking a password can take a while, and many requests may wait for it.
    drop(fields);
    let device = Device::of(&parts.headers);
    let origin = request_log::origin(&parts.extensions);
    let identity = device.as_ref().map(Device::identity);
    let client = Client::for_sign_in(&api, origin.clone(), &email, client_address.0, identity).await?;
    let checked = checked(&api, &email, password, &client).await;
    if let Some(outcome) = outcome(&checked) {
        api.metrics.sign_ins.with_label_values(&[outcome]).inc();
    }
    let refused = |refusal: ShownRefusal| {
        let page = SignInPage {
            frame: Frame::open("Sign in").with_faults(),
            email: email.clone(),
            to: to.clone(),
            form_notice: (!carried.is_empty()).then_some(KEPT),
            carried: carried.clone(),
            fault: Some(refusal.sentence),
            has_administrators: true,
            is_cookie_missing: false,
        };
        let mut response = page_as(refusal.status, &page)?;
        if let Some(seconds) = refusal.retry_after {
            let headers: &mut HeaderMap = response.headers_mut();
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        Ok(response)
    };
    let lock = match checked {
        Ok(lock) => lock,
        Err(Refused::Problem(problem)) => return Err(problem),
        Err(Refused::Shown(refusal)) => return refused(refusal),
    };
    let Some(token) = begin_session(&api, &lock, before.as_deref(), origin).await? else {
        return refused(ShownRefusal::wrong(WRONG));
    };
    let device = device.map_or_else(Device::generate, Ok)?;
    device.remember(&api, lock.id).await;
    let mut response = match fields_of(&carried).filter(|fields| !fields.pairs().is_empty()) {
        // Via the sign-in page, which detects a browser that does not return the cookie.
        None => redirect(&format!("{}&came=1", address(&to))),
        Some(fields) => carry_on(&lock, &token, to, &fields)?,
    };
    set_cookie(&mut response, &session::beginning(&token));
    set_cookie(&mut response, &device.set_cookie());
    Ok(response)
}

fn carry_on(lock: &Lock, token: &str, to: String, carried: &Fields) -> Result<Response, Problem> {
    let mut frame = Frame::open("You are signed in again");
    frame.name.clone_from(&lock.name);
    frame.csrf_token = session::csrf_token_of(token);
    page(&CarryOnPage {
        frame,
        to,
        fields: carried.pairs().to_vec(),
    })
}

enum Refused {
    Shown(ShownRefusal),
    Problem(Problem),
}

/// Why a sign-in was refused, as the sign-in page shows it.
struct ShownRefusal {
    status: StatusCode,
    sentence: String,
    retry_after: Option<u32>,
    /// Label for the sign-in metric.
    outcome: &'static str,
}

impl ShownRefusal {
    /// The address or password is wrong.
    fn wrong(sentence: &str) -> Self {
        Self {
            status: StatusCode::UNPROCESSABLE_ENTITY,
            sentence: sentence.to_owned(),
            retry_after: None,
            outcome: "wrong",
        }
    }
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<Unchecked> for Refused {
    fn from(unchecked: Unchecked) -> Self {
        let Some(outcome) = unchecked.outcome() else {
            return Self::Problem(unchecked.into());
        };
        let problem = Problem::from(unchecked);
        Self::Shown(ShownRefusal {
            status: status_of(problem.kind),
            sentence: problem.detail,
            retry_after: problem.retry_after,
            outcome,
        })
    }
}

/// Label for the sign-in metric; `None` for internal failures.
fn outcome(checked: &Result<Lock, Refused>) -> Option<&'static str> {
    match checked {
        Ok(_) => Some("right"),
        Err(Refused::Shown(refusal)) => Some(refusal.outcome),
        Err(Refused::Problem(_)) => None,
    }
}

/// The administrator with this address and password.
async fn checked(api: &AppState, email: &str, password: Zeroizing<String>, client: &Client) -> Result<Lock, Refused> {
    if email.is_empty() || password.is_empty() {
        let refusal = ShownRefusal::wrong("Enter your email address and your password.");
        return Err(Refused::Shown(refusal));
    }
    let lock = check(api, email, password, client).await?;
    lock.ok_or_else(|| Refused::Shown(ShownRefusal::wrong(WRONG)))
}

/// Signs an administrator out.
pub(super) async fn sign_out(State(api): State<AppState>, administrator: Administrator) -> Result<Response, Problem> {
    end_session(&api, &administrator.session()).await?;
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
