//! Documents shown in a frame within a page: an email's HTML part, or a page of ours about an email.
//!
//! The frame runs no scripts and loads nothing. Styles inside it do not affect the page around it.

use super::respond::page;
use crate::app::problem::Problem;
use askama::Template;
use axum::http::{HeaderValue, header};
use axum::response::{Html, IntoResponse as _, Response};

/// Content security policy of the document: inline styles and images only. Only our own pages may frame it.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox; frame-ancestors 'self'";

/// Content security policy of our own framed pages, which also use our style sheet.
const OWN_POLICY: &str = "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src data:; sandbox; \
                          frame-ancestors 'self'";

/// A page of ours for a frame.
pub(super) fn framed(template: &impl Template) -> Result<Response, Problem> {
    let mut response = page(template)?;
    let policy = HeaderValue::from_static(OWN_POLICY);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    Ok(response)
}

/// An email's HTML part.
pub(super) fn document(html: String) -> Response {
    ([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(html)).into_response()
}
