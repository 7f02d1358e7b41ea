//! A mail's HTML part, shown inside a page.
//!
//! It is a document of its own, in a frame that may run nothing and load nothing; its styles are
//! its own and reach no further.

use axum::http::header;
use axum::response::{Html, IntoResponse as _, Response};

/// What the document may do: look as it looks. Only our own pages may frame it.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox; frame-ancestors 'self'";

/// The document.
pub(super) fn document(html: String) -> Response {
    ([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(html)).into_response()
}
