//! Versions of a system email: listing, viewing and comparing them.

use super::super::format::{Moment, author, counted, moment, some};
use super::super::frame::{Frame, Section};
use super::super::respond::page;
use super::super::session::Administrator;
use super::difference::Comparison;
use super::{Letter, Saved, languages};
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::app::system_emails::current;
use crate::http::query::{KindPath, Path, Query, SearchForm, SearchQuery};
use askama::Template as Page;
use axum::extract::{FromRequestParts, RawPathParams, State};
use axum::http::request::Parts;
use axum::response::Response;
use serde::Deserialize;
use shared::store::system_emails::{self, BATCHES_COUNTED, Entry, Version};
use shared::system_email::{SystemEmailKind, Template};

/// Versions per page.
const PAGE: i64 = 50;

#[derive(Page)]
#[template(path = "console/system_email_history.html")]
struct HistoryPage {
    frame: Frame,
    letter: Letter,
    in_use: i32,
    lines: Vec<Line>,
    previous: String,
    next: String,
    number: i64,
}

/// A version in the list.
struct Line {
    version: i32,
    subject: String,
    by: String,
    at: Moment,
    used: String,
}

impl From<Entry> for Line {
    fn from(entry: Entry) -> Self {
        let used = match entry.batches {
            0 => "no batch yet".to_owned(),
            n if n > BATCHES_COUNTED => format!("more than {} batches", counted(BATCHES_COUNTED)),
            n => some(n, "batch", "batches"),
        };
        Self {
            version: entry.version,
            subject: entry.subject,
            by: author(&entry.created_by),
            at: moment(entry.created_at),
            used,
        }
    }
}

/// Cursor of the list.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HistoryQuery {
    /// Only versions before this one.
    before: Option<i32>,
}

/// Lists the versions, newest first.
pub(super) async fn list(
    State(api): State<AppState>,
    administrator: Administrator,
    Path(kind): KindPath,
    Query(HistoryQuery { before }): Query<HistoryQuery>,
) -> Result<Response, Problem> {
    let in_use = current(&api, kind).await?.version;
    let mut found = system_emails::versions(&api.db, kind, before, PAGE + 1).await?;
    let has_more = i64::try_from(found.len()).is_ok_and(|found| found > PAGE);
    if has_more {
        found.pop();
    }
    let path = format!("/console/system-emails/{}/history", kind.as_str());
    let first = found.first().map_or(in_use, |entry| entry.version);
    // Version numbers have no gaps.
    let number = i64::from(in_use - first) / PAGE + 1;
    let previous = match i64::from(first) + PAGE + 1 {
        _ if first >= in_use => String::new(),
        before if before > i64::from(in_use) => path.clone(),
        before => format!("{path}?before={before}"),
    };
    let next = match found.last() {
        Some(last) if has_more => format!("{path}?before={}", last.version),
        _ => String::new(),
    };
    let mut title = format!("History of {}", kind.name());
    if !previous.is_empty() || !next.is_empty() {
        title = format!("{title} (page {number})");
    }
    page(&HistoryPage {
        frame: administrator.frame(&api, Section::Manage, title).await,
        letter: kind.into(),
        in_use,
        lines: found.into_iter().map(Line::from).collect(),
        previous,
        next,
        number,
    })
}

/// A version in the path: `{key}` and `{version}`.
#[derive(Clone, Copy, Debug)]
pub(super) struct VersionPath {
    pub(super) kind: SystemEmailKind,
    /// `None` for the original text.
    pub(super) version: Option<i32>,
}

/// Takes the place of a version number in a path: the original text.
pub(super) const ORIGINAL: &str = "original";

impl<S: Send + Sync> FromRequestParts<S> for VersionPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(kind) = KindPath::from_request_parts(parts, state).await?;
        let nothing = || Problem::not_found("version");
        let params = RawPathParams::from_request_parts(parts, state)
            .await
            .map_err(|_| nothing())?;
        let (_, value) = params.iter().nth(1).ok_or_else(nothing)?;
        let version = if value == ORIGINAL {
            None
        } else {
            Some(value.parse().map_err(|_| nothing())?)
        };
        Ok(Self { kind, version })
    }
}

/// The version with this number, or 404.
pub(super) async fn get(api: &AppState, kind: SystemEmailKind, version: i32) -> Result<Version, Problem> {
    // Wording for one batch is shown on the page of the batch.
    let found = system_emails::find(&api.db, kind, version).await?;
    let shared = found.filter(|version| version.based_on.is_none());
    shared.ok_or_else(|| Problem::not_found("version"))
}

#[derive(Page)]
#[template(path = "console/system_email_version.html")]
struct VersionPage {
    frame: Frame,
    letter: Letter,
    saved: Saved,
    /// The texts by the name of their language.
    texts: Vec<(String, Template)>,
    in_use: i32,
}

/// Shows a version.
pub(super) async fn show(
    State(api): State<AppState>,
    administrator: Administrator,
    VersionPath { kind, version }: VersionPath,
) -> Result<Response, Problem> {
    let version = get(&api, kind, version.unwrap_or(1)).await?;
    let title = format!("Version {} of {}", version.version, kind.name());
    page(&VersionPage {
        frame: administrator.frame(&api, Section::Manage, title).await,
        letter: kind.into(),
        saved: Saved::from(&version),
        in_use: current(&api, kind).await?.version,
        texts: languages::named(&version.texts()),
    })
}

/// The page that compares two versions.
#[derive(Page)]
#[template(path = "console/system_email_compare.html")]
struct ComparePage {
    frame: Frame,
    letter: Letter,
    left: Saved,
    right: Saved,
    in_use: i32,
    comparison: Comparison,
}

/// The two versions; the current one by default.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pair {
    from: Option<i32>,
    to: Option<i32>,
}

impl SearchForm for Pair {
    const MAY_BE_EMPTY: &'static [&'static str] = &["from", "to"];
}

/// Compares two versions.
pub(super) async fn compare(
    State(api): State<AppState>,
    administrator: Administrator,
    Path(kind): KindPath,
    SearchQuery(Pair { from, to }): SearchQuery<Pair>,
) -> Result<Response, Problem> {
    let in_use = current(&api, kind).await?.version;
    let left = get(&api, kind, from.unwrap_or(in_use)).await?;
    let right = get(&api, kind, to.unwrap_or(in_use)).await?;
    let title = format!("Versions {} and {} of {}", left.version, right.version, kind.name());
    page(&ComparePage {
        frame: administrator.frame(&api, Section::Manage, title).await,
        letter: kind.into(),
        comparison: Comparison::of_versions(&left.texts(), &right.texts()),
        left: Saved::from(&left),
        right: Saved::from(&right),
        in_use,
    })
}
