//! Rejects forms that another site submitted.
//!
//! `Sec-Fetch-Site` and `Origin` show where a form was filled in (W3C Fetch Metadata). Browsers set these headers; pages
//! cannot.

use crate::app::problem::{Problem, ProblemKind};
use axum::http::HeaderMap;

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
        ProblemKind::Forbidden,
        "form_not_ours",
        "This form came from another site or from an earlier session. Nothing was changed. Open the page again and \
         submit the form there.",
    )
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
