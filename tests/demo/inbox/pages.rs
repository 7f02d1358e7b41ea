//! The content of the pages.

use std::sync::Arc;

use askama::Template;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse as _, Response};
use reqwest::Url;
use serde::Deserialize;

use super::caught::Caught;
use crate::voice::counted;

/// Mails per page of the list.
const ON_PAGE: usize = 50;

/// The views of a mail, by their name in the URL and on the page.
const VIEWS: [(&str, &str); 4] = [
    ("mail", "Mail"),
    ("text", "Plain text"),
    ("headers", "Headers"),
    ("source", "Source"),
];

/// The query string.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    /// Words to search for.
    q: String,
    /// Kind of mail; empty for all.
    kind: String,
    /// Page of the list, from 1.
    page: usize,
    /// View of a mail.
    view: String,
}

/// The list of mails.
#[derive(Template)]
#[template(path = "list.html", config = "demo/askama.toml")]
pub(super) struct ListPage {
    wanted: Wanted,
    tabs: Vec<Tab>,
    mails: Vec<Arc<Caught>>,
    matching: String,
    pages: usize,
    first: String,
    last: String,
}

struct Tab {
    kind: &'static str,
    name: &'static str,
    count: String,
}

/// One mail.
#[derive(Template)]
#[template(path = "mail.html", config = "demo/askama.toml")]
pub(super) struct MailPage {
    wanted: Wanted,
    mail: Arc<Caught>,
    newer: Option<usize>,
    older: Option<usize>,
    views: [(&'static str, &'static str); 4],
}

/// The demo's version of the platform's sign-in page.
#[derive(Template)]
#[template(path = "sign_in.html", config = "demo/askama.toml")]
pub(super) struct SignInPage {
    email: String,
    outcome: Option<bool>,
}

#[derive(Template)]
#[template(path = "missing.html", config = "demo/askama.toml")]
struct MissingPage {
    what: &'static str,
}

impl Wanted {
    /// Replaces unknown values by valid ones.
    pub(super) fn in_bounds(mut self) -> Self {
        self.q.truncate(self.q.floor_char_boundary(200));
        self.page = self.page.max(1);
        if !["invite", "password"].contains(&self.kind.as_str()) {
            self.kind.clear();
        }
        if !VIEWS.iter().any(|(key, _)| *key == self.view) {
            "mail".clone_into(&mut self.view);
        }
        self
    }

    /// This position in the list as a query string, escaped for an attribute.
    fn query(&self) -> String {
        self.on_page(self.page)
    }

    fn on_page(&self, page: usize) -> String {
        let page = page.to_string();
        let parts = [("q", self.q.as_str()), ("kind", &self.kind), ("page", &page)];
        let url = Url::parse_with_params("http://demo/", parts);
        let query = url.ok().and_then(|url| url.query().map(str::to_owned));
        // After URL encoding, only this needs HTML escaping.
        query.unwrap_or_default().replace('&', "&amp;")
    }

    fn choose(&self, all: &[Arc<Caught>], kind: &str) -> Vec<Arc<Caught>> {
        let words: Vec<String> = self.q.to_lowercase().split_whitespace().map(str::to_owned).collect();
        let newest_first = all.iter().rev();
        newest_first
            .filter(|mail| kind.is_empty() || mail.kind == kind)
            .filter(|mail| mail.matches(&words))
            .cloned()
            .collect()
    }
}

impl ListPage {
    pub(super) fn of(all: &[Arc<Caught>], mut wanted: Wanted) -> Response {
        let chosen = wanted.choose(all, &wanted.kind);
        let pages = chosen.len().div_ceil(ON_PAGE).max(1);
        wanted.page = wanted.page.min(pages);
        let start = (wanted.page - 1) * ON_PAGE;
        let mails: Vec<_> = chosen.iter().skip(start).take(ON_PAGE).cloned().collect();
        let tab = |kind: &'static str, name| Tab {
            kind,
            name,
            count: counted(wanted.choose(all, kind).len()),
        };
        let page = Self {
            tabs: vec![tab("", "All"), tab("invite", "Invites"), tab("password", "Passwords")],
            matching: counted(chosen.len()),
            pages,
            first: counted(start + 1),
            last: counted(start + mails.len()),
            mails,
            wanted,
        };
        shown(&page)
    }
}

impl MailPage {
    pub(super) fn of(all: &[Arc<Caught>], number: usize, wanted: Wanted) -> Response {
        let Some(mail) = number.checked_sub(1).and_then(|place| all.get(place)) else {
            return missing("There is no such mail.");
        };
        let mut neighbours = wanted.choose(all, &wanted.kind);
        neighbours.retain(|other| other.number != number);
        let newer = neighbours.iter().rev().find(|other| other.number > number);
        let older = neighbours.iter().find(|other| other.number < number);
        let page = Self {
            mail: Arc::clone(mail),
            newer: newer.map(|mail| mail.number),
            older: older.map(|mail| mail.number),
            views: VIEWS,
            wanted,
        };
        shown(&page)
    }
}

impl SignInPage {
    pub(super) fn of(email: String, outcome: Option<bool>) -> Response {
        shown(&Self { email, outcome })
    }
}

/// Address and password from the submitted form.
pub(super) fn form(body: &str) -> (String, String) {
    let mut url = Url::parse("http://demo/").ok();
    if let Some(url) = &mut url {
        url.set_query(Some(body));
    }
    let value = |name: &str| {
        let mut pairs = url.iter().flat_map(Url::query_pairs);
        let found = pairs.find(|(key, _)| key == name);
        found.map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    };
    (value("email"), value("password"))
}

/// The response for a missing mail or page.
pub(super) fn missing(what: &'static str) -> Response {
    (StatusCode::NOT_FOUND, shown(&MissingPage { what })).into_response()
}

fn shown(page: &impl Template) -> Response {
    match page.render() {
        Ok(html) => Html(html).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
