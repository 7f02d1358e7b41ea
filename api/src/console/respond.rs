//! Responses of the console: pages, redirects and flash messages.

use crate::app::problem::Problem;
use askama::Template;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The cookie with the flash message.
const COOKIE: &str = "__Host-beckon-said";

/// Renders a page.
pub(super) fn page(template: &impl Template) -> Result<Response, Problem> {
    page_as(StatusCode::OK, template)
}

/// Renders a page with another status, such as 422 for a form with validation errors.
pub(super) fn page_as(status: StatusCode, template: &impl Template) -> Result<Response, Problem> {
    let text = template.render().map_err(|fault| {
        tracing::error!(error = %fault, "A page could not be written");
        Problem::internal()
    })?;
    Ok((status, Html(text)).into_response())
}

/// Redirects to another page with 303, so that the browser uses GET.
pub(super) fn redirect(to: &str) -> Response {
    let Ok(to) = HeaderValue::from_str(to) else {
        return Problem::internal().into_response();
    };
    (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response()
}

/// A flash message: shown once, on the next page.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Flash {
    /// Whether something was done. Otherwise the message is a note.
    pub(super) is_done: bool,
    pub(super) text: String,
}

/// Redirects with a flash message that reports what was done.
pub(super) fn redirect_with_flash(to: &str, text: &str) -> Response {
    redirect_with(to, &format!("done {text}"))
}

/// Redirects with a flash message that explains why nothing was done.
pub(super) fn redirect_with_note(to: &str, text: &str) -> Response {
    redirect_with(to, &format!("note {text}"))
}

fn redirect_with(to: &str, text: &str) -> Response {
    let mut response = redirect(to);
    let cookie = format!(
        "{COOKIE}={}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=60",
        URL_SAFE_NO_PAD.encode(text)
    );
    set_cookie(&mut response, &cookie);
    response
}

/// Reads the flash message.
pub(super) fn flash(cookies: &str) -> Option<Flash> {
    let bytes = URL_SAFE_NO_PAD.decode(cookie(cookies, COOKIE)?).ok()?;
    let (what, text) = std::str::from_utf8(&bytes).ok()?.split_once(' ')?;
    Some(Flash {
        is_done: what == "done",
        text: text.to_owned(),
    })
}

/// Deletes the flash message.
pub(super) fn forget_flash(response: &mut Response) {
    set_cookie(
        response,
        &format!("{COOKIE}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0"),
    );
}

/// Adds a cookie to a response.
pub(super) fn set_cookie(response: &mut Response, cookie: &str) {
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}

/// Finds a cookie in a `Cookie` header.
pub(super) fn cookie<'c>(cookies: &'c str, name: &str) -> Option<&'c str> {
    let pairs = cookies.split(';').filter_map(|pair| pair.trim().split_once('='));
    pairs
        .into_iter()
        .find(|(known, _)| *known == name)
        .map(|(_, value)| value)
}
