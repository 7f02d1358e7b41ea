//! Guards every page behind the sign-in.
//!
//! Visitors who are not signed in get the sign-in page and then return to the page they wanted. If a session ends
//! while someone fills in a form, the sign-in page carries the submitted fields and the form can be sent after
//! signing in. A form is accepted only with its session's CSRF token (see `session.rs`) and from our own pages:
//! `Sec-Fetch-Site` and `Origin` show where it was filled in (W3C Fetch Metadata). Browsers set these headers; pages
//! cannot.

use super::carried::Carried;
use super::fault::is_for_frame;
use super::fields::Fields;
use super::respond::{forget_flash, redirect};
use super::session::{self, Administrator, signed_in};
use super::sign_in;
use crate::body::is_at_most;
use crate::concurrency_limit::Slot;
use crate::events::while_let_in;
use crate::problem::Problem;
use crate::server::Crowd;
use crate::state::Api;
use crate::wiped;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures_util::StreamExt as _;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// Form field for the CSRF token.
pub(super) const PROOF: &str = "proof";

/// Size limit for forms of a signed-in administrator. File uploads have their own limit.
const FORM_MOST_BYTES: usize = 2 * 1024 * 1024;

/// Size limit for forms of other clients. Forms up to this size need no slot: all connections together hold at most
/// 16 MiB of them.
pub(super) const SMALL_FORM_MOST_BYTES: usize = 16 * 1024;

/// Path for file uploads. Its handler checks the CSRF token, which is the form's first part.
pub(super) const UPLOAD: &str = "/console/imports/new";

/// Passes a request on if it has a session and, for a form, the right CSRF token.
pub(super) async fn pass(State(api): State<Api>, request: Request, next: Next) -> Response {
    match let_in(&api, request).await {
        Ok((administrator, request, _slot)) => with_page(api, administrator, request, next).await,
        Err(response) => *response,
    }
}

/// Authenticates a request and reads its form. The slot of a large form must be held until its page has answered.
async fn let_in(api: &Api, request: Request) -> Result<(Administrator, Request, Option<Slot>), Box<Response>> {
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
        return Ok((administrator, request, None));
    }
    let (mut parts, body) = request.into_parts();
    let slot = if is_at_most(&body, SMALL_FORM_MOST_BYTES) {
        None
    } else {
        Some(api.room.for_large_form(administrator.id).await.map_err(turned)?)
    };
    let mut fields = read(&parts.headers, body, FORM_MOST_BYTES).await.map_err(turned)?;
    if !is_proof(&administrator, &fields.take(PROOF).unwrap_or_default()) {
        return Err(turned(foreign()));
    }
    parts.extensions.insert(fields);
    Ok((administrator, Request::from_parts(parts, Body::empty()), slot))
}

/// Whether this is the CSRF token of the session.
pub(super) fn is_proof(administrator: &Administrator, given: &str) -> bool {
    given.as_bytes().ct_eq(administrator.proof.as_bytes()).into()
}

/// Runs the page's handler and attaches the administrator to the response. A download is aborted when the session ends.
async fn with_page(api: Api, administrator: Administrator, mut request: Request, next: Next) -> Response {
    let has_flash = administrator.flash.is_some();
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

/// Reads the fields of a form of up to `most_bytes`.
pub(super) async fn read(headers: &HeaderMap, body: Body, most_bytes: usize) -> Result<Fields, Problem> {
    if !is_plain_form(headers) {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "not_a_form",
            "This address only accepts the form on its own page.",
        ));
    }
    Fields::read(&whole(body, most_bytes).await?)
}

/// Like [`read`], for clients that are not signed in. Their forms have a short time limit while so many connections
/// are open that slow ones might block others.
pub(super) async fn read_from_stranger(parts: &Parts, body: Body, most_bytes: usize) -> Result<Fields, Problem> {
    let form = read(&parts.headers, body, most_bytes);
    let Some(crowd) = parts.extensions.get::<Crowd>() else {
        return form.await;
    };
    tokio::select! {
        form = form => form,
        () = crowd.out_of_patience() => Err(too_slow()),
    }
}

/// Reads a body of up to `most_bytes`, which is wiped when dropped because it may hold a password. A larger body is
/// discarded, but part of the rest is read: browsers show no response while they are still sending a form.
async fn whole(body: Body, most_bytes: usize) -> Result<Zeroizing<Vec<u8>>, Problem> {
    let mut pieces = body.into_data_stream();
    let (mut bytes, mut seen) = (Zeroizing::default(), 0);
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|_| broken_off())?;
        seen += piece.len();
        if seen <= most_bytes {
            wiped::append(&mut bytes, &piece);
        } else if seen <= most_bytes + FORM_MOST_BYTES {
            bytes = Zeroizing::default();
        } else {
            break;
        }
        wiped::wipe(piece);
    }
    if seen > most_bytes {
        return Err(too_large(most_bytes));
    }
    Ok(bytes)
}

fn too_large(most_bytes: usize) -> Problem {
    let most = match most_bytes / 1024 {
        kib if kib >= 1024 => format!("{} MB", kib / 1024),
        kib => format!("{kib} kB"),
    };
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "form_too_large",
        format!("The form is larger than {most}. Nothing was changed. Go back and submit less at a time."),
    )
}

fn too_slow() -> Problem {
    Problem::new(
        StatusCode::REQUEST_TIMEOUT,
        "form_too_slow",
        "The form did not arrive in time. Nothing was changed. Go back and submit it again.",
    )
}

fn broken_off() -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "form_broken_off",
        "The form was only partly received. Nothing was changed. Go back and submit it again.",
    )
}

fn is_plain_form(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type.is_some_and(|text| text.starts_with("application/x-www-form-urlencoded"))
}

/// Whether the headers show that another site caused this request.
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

/// The response to a form that fails these checks.
pub(super) fn foreign() -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        "form_not_ours",
        "This form came from another site or from an earlier session. Nothing was changed. Open the page again and \
         submit the form there.",
    )
}

/// The response for a client that is not signed in: a plain 401 for scripts and frames, the sign-in page for
/// navigation.
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
    let carried = match read_from_stranger(&parts, body, SMALL_FORM_MOST_BYTES).await {
        Ok(mut fields) => {
            fields.take(PROOF);
            Carried::of(&fields, SMALL_FORM_MOST_BYTES)
        }
        Err(problem) if problem.status == StatusCode::PAYLOAD_TOO_LARGE.as_u16() => Carried::TooLarge,
        Err(_) => Carried::Nothing,
    };
    sign_in::again(api, &to, carried).await.into_response()
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
