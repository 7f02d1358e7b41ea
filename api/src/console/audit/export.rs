//! The audit log as CSV, streamed: a million rows take no more memory than a page.

use super::AuditQuery;
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::http::query::Query;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use import::SafeCsv;
use shared::store::audit::{self, Entry};
use std::io;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

/// Rows read from Postgres at a time.
const GROUP: u16 = 1_000;

const SEPARATOR: u8 = b',';

const HEADER: [&str; 9] = [
    "at",
    "who",
    "action",
    "subject",
    "details",
    "actor_kind",
    "actor_id",
    "client_address",
    "request_id",
];

/// Progress of the export.
#[derive(Clone, Copy)]
enum ExportPosition {
    Header,
    Before(Option<Uuid>),
    End,
}

/// Exports all matching entries, newest first.
pub(in super::super) async fn csv(
    State(api): State<AppState>,
    Query(query): Query<AuditQuery>,
) -> Result<Response, Problem> {
    let filter = query.filter().map_err(|faults| {
        let detail = faults.from.or(faults.to).unwrap_or("Write the days as 2026-11-23");
        Problem::invalid("day_invalid", format!("{detail}."))
    })?;
    let lines = stream::try_unfold(ExportPosition::Header, move |stand| {
        let (api, filter) = (api.clone(), filter.clone());
        async move {
            let before = match stand {
                ExportPosition::End => return Ok(None),
                ExportPosition::Header => None,
                ExportPosition::Before(before) => before,
            };
            let found = audit::list(&api.db, &filter, before, None, i64::from(GROUP)).await;
            let found = found.map_err(io::Error::other)?;
            let next = match found.last() {
                Some(last) if found.len() == usize::from(GROUP) => ExportPosition::Before(Some(last.id)),
                _ => ExportPosition::End,
            };
            let is_first = matches!(stand, ExportPosition::Header);
            Ok::<_, io::Error>(Some((written(is_first, found)?, next)))
        }
    });
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"audit-log.csv\""),
    ];
    Ok((headers, Body::from_stream(lines)).into_response())
}

fn written(is_first: bool, entries: Vec<Entry>) -> io::Result<Bytes> {
    let mut piece = if is_first {
        let mut piece = SafeCsv::new(Vec::new(), SEPARATOR)?;
        piece.write(HEADER)?;
        piece
    } else {
        SafeCsv::continued(Vec::new(), SEPARATOR)
    };
    for entry in entries {
        piece.write([
            entry.at.format(&Rfc3339).unwrap_or_default(),
            entry.who,
            entry.action,
            entry.subject.unwrap_or_default(),
            entry.details.to_string(),
            entry.actor_kind.unwrap_or_default(),
            entry.actor_id.map(|id| id.to_string()).unwrap_or_default(),
            entry.client_address.unwrap_or_default(),
            entry.request_id.unwrap_or_default(),
        ])?;
    }
    Ok(Bytes::from(piece.finish()?))
}
