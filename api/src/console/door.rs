//! The one way in to every page behind the sign-in.
//!
//! Whoever is not signed in gets the sign-in page and comes back to where they wanted to go. When
//! a session ended while somebody filled in a form, the sign-in page carries what they had typed,
//! and they find it again behind it. A form counts only with the proof of its session (see
//! `session.rs`) and from our own pages: `Sec-Fetch-Site` and `Origin` say where it was filled in
//! (W3C Fetch Metadata), and a browser sets them, not a page.

use super::fault::is_for_frame;
use super::fields::Fields;
use super::respond::{forget_said, redirect};
use super::session::{Administrator, signed_in};
use super::sign_in;
use crate::problem::Problem;
use crate::state::Api;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroize as _;

/// The field that holds the proof.
pub(super) const PROOF: &str = "proof";

/// Forms of the console are small; a file has its own way in.
const FORM_MOST_BYTES: usize = 2 * 1024 * 1024;

/// Where a file may be sent. Its handler checks the proof, which is the form's first part.
pub(super) const UPLOAD: &str = "/console/imports/new";

/// Lets a request through to its page when somebody is signed in and the form is theirs.
pub(super) async fn pass(State(api): State<Api>, request: Request, next: Next) -> Response {
    match let_in(&api, request).await {
        Ok((administrator, request)) => with_page(administrator, request, next).await,
        Err(response) => *response,
    }
}

async fn let_in(api: &Api, request: Request) -> Result<(Administrator, Request), Box<Response>> {
    let turned = |problem: Problem| Box::new(problem.into_response());
    let is_form = request.method() == Method::POST;
    if is_form && is_foreign(request.headers()) {
        return Err(turned(foreign()));
    }
    let who = signed_in(api, request.headers(), request.extensions())
        .await
        .map_err(turned)?;
    let Some(administrator) = who else {
        return Err(Box::new(stranger(api, request).await));
    };
    if administrator.must_choose && !["/console/password", "/console/sign-out"].contains(&request.uri().path()) {
        return Err(Box::new(redirect("/console/password")));
    }
    if !is_form || (request.uri().path() == UPLOAD && !is_plain_form(request.headers())) {
        return Ok((administrator, request));
    }
    let (mut parts, body) = request.into_parts();
    let fields = read(&parts.headers, body).await.map_err(turned)?;
    if !is_proof(&administrator, fields.text(PROOF)) {
        return Err(turned(foreign()));
    }
    parts.extensions.insert(fields.without(&[PROOF]));
    Ok((administrator, Request::from_parts(parts, Body::empty())))
}

/// Whether this is the proof that a form of this session carries.
pub(super) fn is_proof(administrator: &Administrator, given: &str) -> bool {
    given.as_bytes().ct_eq(administrator.proof.as_bytes()).into()
}

/// The page, with what the answer needs to know of its reader.
async fn with_page(administrator: Administrator, mut request: Request, next: Next) -> Response {
    let has_said = administrator.said.is_some();
    request.extensions_mut().insert(administrator.clone());
    let mut response = next.run(request).await;
    let content_type = response.headers().get(header::CONTENT_TYPE);
    let is_page = content_type.is_some_and(|value| value.as_bytes().starts_with(b"text/html"));
    if has_said && is_page && response.status().is_success() {
        forget_said(&mut response);
    }
    response.extensions_mut().insert(administrator);
    response
}

/// The fields of a form.
pub(super) async fn read(headers: &HeaderMap, body: Body) -> Result<Fields, Problem> {
    if !is_plain_form(headers) {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "not_a_form",
            "This address takes the form of its own page.",
        ));
    }
    let bytes = to_bytes(body, FORM_MOST_BYTES).await.map_err(|_| {
        Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "form_too_large",
            "The form is larger than 2 MB, or it did not arrive whole. Go back and send less at a time.",
        )
    })?;
    let fields = Fields::read(&bytes);
    wipe(bytes);
    Ok(fields)
}

/// Wipes the body of a form, which may hold a password, unless the connection still reads into the same buffer.
fn wipe(body: Bytes) {
    if let Ok(mut body) = body.try_into_mut() {
        body.as_mut().zeroize();
    }
}

fn is_plain_form(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type.is_some_and(|text| text.starts_with("application/x-www-form-urlencoded"))
}

/// Whether the browser says that another site made it send this.
pub(super) fn is_foreign(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return !matches!(site, "same-origin" | "none");
    }
    let (Some(origin), Some(host)) = (text("origin"), text("host")) else {
        return false;
    };
    origin.split_once("://").is_none_or(|(_, from)| from != host)
}

/// The answer to a form that is not ours.
pub(super) fn foreign() -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        "form_not_ours",
        "This form did not come from a page of yours, or the page is from an earlier sign-in. Nothing was done. \
         Open the page again and send it from there.",
    )
}

/// Whoever is not signed in. A script that asks in the background, or a frame within a page, is
/// only told so; a person is shown the sign-in page.
async fn stranger(api: &Api, request: Request) -> Response {
    let mode = request.headers().get("sec-fetch-mode");
    if mode.is_some_and(|mode| mode != "navigate") || is_for_frame(request.headers()) {
        return Problem::new(
            StatusCode::UNAUTHORIZED,
            "signed_out",
            "The session has ended. Sign in again.",
        )
        .into_response();
    }
    let to = path_of(request.uri());
    if request.method() != Method::POST {
        return redirect(&sign_in::address(&to));
    }
    let (parts, body) = request.into_parts();
    let carried = match read(&parts.headers, body).await {
        Ok(fields) => fields.without(&[PROOF]),
        Err(_) => Fields::default(),
    };
    sign_in::again(api, &to, &carried).await.into_response()
}

fn path_of(uri: &Uri) -> String {
    uri.path_and_query()
        .map_or_else(|| "/console".to_owned(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn foreign_with(pairs: &[(&'static str, &'static str)]) -> bool {
        let pairs = pairs
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)));
        is_foreign(&pairs.collect())
    }

    #[test]
    fn a_form_of_another_site_is_known_by_what_its_browser_says() {
        for site in ["cross-site", "same-site", "else"] {
            assert!(foreign_with(&[("sec-fetch-site", site)]), "{site}");
        }
        assert!(!foreign_with(&[("sec-fetch-site", "same-origin"), ("origin", "null")]));
        assert!(foreign_with(&[
            ("origin", "https://evil.example"),
            ("host", "beckon.example")
        ]));
        assert!(foreign_with(&[("origin", "null"), ("host", "beckon.example")]));
        assert!(!foreign_with(&[
            ("origin", "https://beckon.example"),
            ("host", "beckon.example")
        ]));
        assert!(!foreign_with(&[("host", "beckon.example")]));
    }
}
