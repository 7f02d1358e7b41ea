//! Answers of the console: pages, and the way to the next page.

use crate::problem::Problem;
use askama::Template;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The cookie that takes one sentence to the next page.
const SAID: &str = "__Host-beckon-said";

/// A page.
pub(super) fn page(template: &impl Template) -> Result<Response, Problem> {
    page_as(StatusCode::OK, template)
}

/// A page with another status: 422 for a form that is shown again with what is wrong in it.
pub(super) fn page_as(status: StatusCode, template: &impl Template) -> Result<Response, Problem> {
    let text = template.render().map_err(|fault| {
        tracing::error!(error = %fault, "A page could not be written");
        Problem::internal()
    })?;
    Ok((status, Html(text)).into_response())
}

/// On to another page (303: with GET, whatever this request was).
pub(super) fn redirect(to: &str) -> Response {
    let Ok(to) = HeaderValue::from_str(to) else {
        return Problem::internal().into_response();
    };
    (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response()
}

/// What a page says of the one before.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Said {
    /// Whether something was done; otherwise it is only a note.
    pub(super) is_done: bool,
    /// A sentence.
    pub(super) text: String,
}

/// On to another page, which begins with a banner that says what was done. It is gone on the page
/// after that.
pub(super) fn redirect_saying(to: &str, said: &str) -> Response {
    redirect_with(to, &format!("done {said}"))
}

/// On to another page, which begins with a note: nothing was done, and why.
pub(super) fn redirect_noting(to: &str, said: &str) -> Response {
    redirect_with(to, &format!("note {said}"))
}

fn redirect_with(to: &str, said: &str) -> Response {
    let mut response = redirect(to);
    let cookie = format!(
        "{SAID}={}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=60",
        URL_SAFE_NO_PAD.encode(said)
    );
    set_cookie(&mut response, &cookie);
    response
}

/// What the page before wanted said.
pub(super) fn said(cookies: &str) -> Option<Said> {
    let bytes = URL_SAFE_NO_PAD.decode(cookie(cookies, SAID)?).ok()?;
    let (what, text) = std::str::from_utf8(&bytes).ok()?.split_once(' ')?;
    Some(Said {
        is_done: what == "done",
        text: text.to_owned(),
    })
}

/// Once shown it is over.
pub(super) fn forget_said(response: &mut Response) {
    set_cookie(
        response,
        &format!("{SAID}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0"),
    );
}

/// Adds a cookie to an answer.
pub(super) fn set_cookie(response: &mut Response, cookie: &str) {
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}

/// One of the cookies in a `Cookie` header.
pub(super) fn cookie<'c>(cookies: &'c str, name: &str) -> Option<&'c str> {
    let pairs = cookies.split(';').filter_map(|pair| pair.trim().split_once('='));
    pairs
        .into_iter()
        .find(|(known, _)| *known == name)
        .map(|(_, value)| value)
}
