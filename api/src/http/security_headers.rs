//! Headers that protect responses in the browser: of all routes, and of the console's pages.
//!
//! Documents in frames have policies of their own: see `console/letter.rs`.

use axum::Router;
use axum::http::{HeaderName, HeaderValue, header};
use tower_http::set_header::SetResponseHeaderLayer;

/// Isolates our pages from pages that opened them or that they open.
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// Content security policy of responses that are not pages of the console.
const API_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'";

/// Content security policy of the pages: our own style sheet, script, images and forms only. Injected styles and scripts have no
/// effect.
const PAGE_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; \
                      frame-ancestors 'none'";

/// Adds the headers to all responses of these routes, except where a response has its own.
pub fn on_all(routes: Router) -> Router {
    routes
        .layer(always(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(always(header::CACHE_CONTROL, "no-store"))
        .layer(always(header::REFERRER_POLICY, "no-referrer"))
        .layer(always(OPENER_POLICY, "same-origin"))
        .layer(always(header::CONTENT_SECURITY_POLICY, API_POLICY))
}

/// Adds the content security policy of the console's pages.
pub fn for_pages() -> SetResponseHeaderLayer<HeaderValue> {
    always(header::CONTENT_SECURITY_POLICY, PAGE_POLICY)
}

fn always(name: HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
}
