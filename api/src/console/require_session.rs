//! Guards every page behind the sign-in.
//!
//! Visitors who are not signed in get the sign-in page and then return to the page they wanted. If a session ends
//! while someone fills in a form, the sign-in page carries the submitted fields and the form can be sent after
//! signing in. A form is accepted only with its session's CSRF token (see `session.rs`) and from our own pages (see
//! `form_origin.rs`).

use super::carried_form::CarriedForm;
use super::fault::{is_for_frame, is_navigation};
use super::form_body::{FORM_MOST_BYTES, SMALL_FORM_MOST_BYTES, is_plain_form, read, read_unauthenticated};
use super::form_origin::{foreign, is_foreign};
use super::respond::{forget_flash, redirect};
use super::session::{self, Administrator, signed_in};
use super::sign_in;
use crate::app::concurrency_limit::Slot;
use crate::app::problem::{Problem, ProblemKind};
use crate::app::state::AppState;
use crate::http::body::is_at_most;
use crate::http::stream_access::while_let_in;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use subtle::ConstantTimeEq as _;

/// Form field for the CSRF token.
pub(super) const CSRF_FIELD: &str = "csrf_token";

/// Paths for file uploads. Their handlers check the CSRF token, which is the form's first part.
const UPLOADS: [&str; 2] = ["/console/imports/new", "/console/do-not-mail/new"];

/// Passes a request on if it has a session and, for a form, the right CSRF token.
pub(super) async fn require_session(State(api): State<AppState>, request: Request, next: Next) -> Response {
    match authenticate_form(&api, request).await {
        Ok((administrator, request, _slot)) => with_page(api, administrator, request, next).await,
        Err(response) => *response,
    }
}

/// Authenticates a request and reads its form. The slot of a large form must be held until its page has answered.
async fn authenticate_form(
    api: &AppState,
    request: Request,
) -> Result<(Administrator, Request, Option<Slot>), Box<Response>> {
    let turned = |problem: Problem| Box::new(problem.into_response());
    let is_form = request.method() == Method::POST;
    if is_form && is_foreign(request.headers()) {
        return Err(turned(foreign()));
    }
    let who = signed_in(api, request.headers(), request.extensions())
        .await
        .map_err(turned)?;
    let Some(administrator) = who else {
        return Err(Box::new(respond_unauthenticated(api, request).await));
    };
    if administrator.must_choose && !["/console/password", "/console/sign-out"].contains(&request.uri().path()) {
        return Err(Box::new(redirect("/console/password")));
    }
    if !is_form || (UPLOADS.contains(&request.uri().path()) && !is_plain_form(request.headers())) {
        return Ok((administrator, request, None));
    }
    let (mut parts, body) = request.into_parts();
    let slot = if is_at_most(&body, SMALL_FORM_MOST_BYTES) {
        None
    } else {
        Some(
            api.concurrency_limits
                .for_large_form(administrator.id)
                .await
                .map_err(turned)?,
        )
    };
    let mut fields = read(&parts.headers, body, FORM_MOST_BYTES).await.map_err(turned)?;
    if !is_csrf_token(&administrator, &fields.take(CSRF_FIELD).unwrap_or_default()) {
        return Err(turned(foreign()));
    }
    parts.extensions.insert(fields);
    Ok((administrator, Request::from_parts(parts, Body::empty()), slot))
}

/// Whether this is the CSRF token of the session.
pub(super) fn is_csrf_token(administrator: &Administrator, given: &str) -> bool {
    given.as_bytes().ct_eq(administrator.csrf_token.as_bytes()).into()
}

/// Runs the page's handler and attaches the administrator to the response. A download is aborted when the session ends.
async fn with_page(api: AppState, administrator: Administrator, mut request: Request, next: Next) -> Response {
    // A script follows the redirect after an upload before the browser shows the page.
    let is_navigation = is_navigation(request.headers());
    let has_flash = administrator.flash.is_some() && is_navigation;
    request.extensions_mut().insert(administrator.clone());
    let mut response = next.run(request).await;
    let content_type = response.headers().get(header::CONTENT_TYPE);
    let is_page = content_type.is_some_and(|value| value.as_bytes().starts_with(b"text/html"));
    if has_flash && is_page && response.status().is_success() {
        forget_flash(&mut response);
    }
    // A page that asked for the password has already inserted the administrator with the new session token.
    let digest = administrator.digest().to_vec();
    response.extensions_mut().get_or_insert_with(|| administrator);
    while_let_in(response, move || {
        let (api, digest) = (api.clone(), digest.clone());
        async move { session::is_valid(&api, &digest).await }
    })
}

/// The response for a client that is not signed in: a plain 401 for scripts and frames, the sign-in page for
/// navigation.
async fn respond_unauthenticated(api: &AppState, request: Request) -> Response {
    if !is_navigation(request.headers()) || is_for_frame(request.headers()) {
        return Problem::new(
            ProblemKind::Unauthenticated,
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
    let carried = match read_unauthenticated(&parts, body, SMALL_FORM_MOST_BYTES).await {
        Ok(mut fields) => {
            fields.take(CSRF_FIELD);
            CarriedForm::of(&fields, SMALL_FORM_MOST_BYTES)
        }
        Err(problem) if problem.kind == ProblemKind::TooLarge => CarriedForm::TooLarge,
        Err(_) => CarriedForm::Nothing,
    };
    sign_in::again(api, &to, carried).await.into_response()
}

fn path_of(uri: &Uri) -> String {
    uri.path_and_query()
        .map_or_else(|| "/console".to_owned(), ToString::to_string)
}
