//! Activity as a CSV file.

use super::{ActivityQuery, batch_word, state_words};
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::app::status_labels::status;
use crate::console::csv_response::{GROUP, csv};
use crate::http::query::Query;
use axum::extract::State;
use axum::response::Response;
use shared::delivery::DeliveryState;
use shared::store::activity::{self, Sending};
use shared::store::cursor::PageCursor;
use shared::store::deliveries::Delivery;
use shared::store::ledger;
use std::io;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Exports everything that this search and these filters match.
pub(in crate::console) async fn show(
    State(api): State<AppState>,
    Query(list_query): Query<ActivityQuery>,
) -> Result<Response, Problem> {
    Ok(match list_query.search().map(str::to_owned) {
        Some(search) => mails(api, search),
        None => batches(api, &list_query),
    })
}

fn mails(api: AppState, search: String) -> Response {
    let header = [
        "Email",
        "Email address",
        "Status",
        "Since (UTC)",
        "Attempts",
        "Reference",
    ];
    let read = move |before| {
        let (api, search) = (api.clone(), search.clone());
        async move {
            let rows = ledger::to_people(&api.db, &search, before, GROUP).await;
            let rows = rows.map_err(io::Error::other)?;
            let next = rows.last().map(|last| Some(last.id));
            Ok((rows.into_iter().map(mail_line).collect(), next))
        }
    };
    csv("emails", header.map(str::to_owned).to_vec(), None, read)
}

fn mail_line(row: Delivery) -> Vec<String> {
    vec![
        batch_word(row.kind).to_owned(),
        row.email.unwrap_or_default(),
        status(row.state, row.reason.as_deref(), row.batch_state)
            .word
            .to_owned(),
        written(row.moved_at),
        row.attempts.to_string(),
        row.id.to_string(),
    ]
}

fn batches(api: AppState, list_query: &ActivityQuery) -> Response {
    let header = [
        "Email",
        "Email address",
        "Requested (UTC)",
        "By",
        "Status",
        "Selected",
        "Left out",
        "Sent",
        "Failed",
        "Blocked address",
        "Stopped",
        "Finished (UTC)",
        "Reference",
    ];
    let filter = list_query.filter();
    let read = move |cursor| {
        let api = api.clone();
        async move {
            let rows = activity::list(&api.db, filter, cursor, GROUP).await;
            let rows = rows.map_err(io::Error::other)?;
            let next = rows.last().map(|last| PageCursor::After(last.id));
            Ok((rows.iter().map(batch_line).collect(), next))
        }
    };
    csv("activity", header.map(str::to_owned).to_vec(), PageCursor::Start, read)
}

fn batch_line(row: &Sending) -> Vec<String> {
    let counts = row.delivery_counts();
    let of = |states: &[DeliveryState]| -> String {
        let those = counts.iter().filter(|deliveries| states.contains(&deliveries.state));
        let sum: i64 = those.map(|deliveries| deliveries.count).sum();
        if row.finished_at.is_some() {
            sum.to_string()
        } else {
            String::new()
        }
    };
    vec![
        batch_word(row.kind).to_owned(),
        row.email.clone().unwrap_or_default(),
        written(row.created_at),
        row.created_by.clone(),
        state_words(row.state).1.to_owned(),
        row.selected.to_string(),
        (row.selected - row.accepted).to_string(),
        of(&[DeliveryState::Sent]),
        of(&[DeliveryState::Failed, DeliveryState::Expired]),
        of(&[DeliveryState::Suppressed]),
        of(&[DeliveryState::Cancelled]),
        row.finished_at.map(written).unwrap_or_default(),
        row.id.to_string(),
    ]
}

fn written(at: OffsetDateTime) -> String {
    let at = at.replace_nanosecond(0).unwrap_or(at).to_offset(time::UtcOffset::UTC);
    at.format(&Rfc3339).unwrap_or_default()
}
