//! People who were selected but left out, with the reasons.

use super::{address, seen};
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::app::status_labels;
use crate::console::cursor::{LIMIT, PageRows};
use crate::console::format::{Moment, counted, moment, some};
use crate::console::frame::{Frame, Section};
use crate::console::respond::page;
use crate::console::session::Administrator;
use crate::http::query::{Path, Query};
use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use shared::store::cursor::PageCursor;
use shared::store::deliveries::{self, LeftOut};
use uuid::Uuid;

/// Position in the list.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::console) struct LeftOutQuery {
    after: Option<i64>,
    before: Option<i64>,
    page: Option<u32>,
}

#[derive(Template)]
#[template(path = "console/batch_left_out.html")]
struct LeftOutPage {
    frame: Frame,
    id: Uuid,
    /// Number of people per reason.
    reasons: Vec<(&'static str, String)>,
    rows: Vec<Row>,
    /// When the names were deleted.
    dropped: Option<Moment>,
    previous: String,
    next: String,
    number: u32,
}

struct Row {
    user: Option<Uuid>,
    name: String,
    email: String,
    why: &'static str,
    is_blocked: bool,
}

impl Row {
    fn of(left_out: &LeftOut) -> Self {
        let name = left_out.name.as_deref().unwrap_or_default().trim();
        let email = left_out.email.clone().unwrap_or_else(|| "Deleted user".to_owned());
        Self {
            user: left_out.user,
            name: if name.is_empty() {
                email.clone()
            } else {
                name.to_owned()
            },
            email: if name.is_empty() { String::new() } else { email },
            why: status_labels::left_out(&left_out.reason),
            is_blocked: left_out.is_blocked,
        }
    }
}

pub(in crate::console) async fn show(
    State(api): State<AppState>,
    administrator: Administrator,
    Path(id): Path<Uuid>,
    Query(query): Query<LeftOutQuery>,
) -> Result<Response, Problem> {
    let (seen, _) = seen(&api, id).await?;
    let cursor = PageCursor::of(query.after, query.before);
    let mut found = deliveries::left_out(&api.db, id, cursor, LIMIT).await?;
    let dropped = seen.view.details_dropped_at.map(moment);
    if dropped.is_some() {
        found.clear();
    }
    let found = PageRows::of(found, cursor);
    let number = query.page.unwrap_or(1).max(1);
    let (previous, next) = found.links(number, |name, row, number| {
        format!("{}/left-out?{name}={}&page={number}", address(id), row.id)
    });
    let left_out = &seen.view.left_out;
    let mut reasons: Vec<_> = left_out
        .iter()
        .map(|(reason, count)| (status_labels::left_out(reason), *count))
        .collect();
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let mut title = some(seen.view.counts.left_out, "person left out", "people left out");
    if number > 1 {
        title = format!("{title}, page {number}");
    }
    page(&LeftOutPage {
        frame: administrator.frame(&api, Section::Activity, title).await,
        id,
        reasons: reasons.into_iter().map(|(why, count)| (why, counted(count))).collect(),
        previous,
        next,
        rows: found.rows.iter().map(Row::of).collect(),
        dropped,
        number,
    })
}
