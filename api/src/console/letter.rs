//! What is shown in a frame within a page: a mail's HTML part, or a page of ours about one.
//!
//! It is a document of its own, in a frame that may run nothing and load nothing; its styles are
//! its own and reach no further.

use super::respond::page;
use crate::problem::Problem;
use askama::Template;
use axum::http::{HeaderValue, header};
use axum::response::{Html, IntoResponse as _, Response};

/// What the document may do: look as it looks. Only our own pages may frame it.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox; frame-ancestors 'self'";

/// The same for a page of ours, which has our sheet too.
const OWN_POLICY: &str = "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src data:; sandbox; \
                          frame-ancestors 'self'";

/// A page for the frame.
pub(super) fn framed(template: &impl Template) -> Result<Response, Problem> {
    let mut response = page(template)?;
    let policy = HeaderValue::from_static(OWN_POLICY);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    Ok(response)
}

/// The document.
pub(super) fn document(html: String) -> Response {
    ([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(html)).into_response()
}
