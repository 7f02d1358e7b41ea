//! Activity as a CSV file.

use super::{Look, batch_word, state_words};
use crate::console::sheet::{GROUP, csv};
use crate::problem::Problem;
use crate::query::Query;
use crate::state::Api;
use crate::status_words::status;
use axum::extract::State;
use axum::response::Response;
use shared::delivery::DeliveryState;
use shared::store::activity::{self, Sending};
use shared::store::deliveries::Delivery;
use shared::store::ledger::{self, Turn};
use std::io;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Exports everything that this search and these filters match.
pub(in crate::console) async fn show(State(api): State<Api>, Query(look): Query<Look>) -> Result<Response, Problem> {
    Ok(match look.search().map(str::to_owned) {
        Some(search) => mails(api, search),
        None => batches(api, &look),
    })
}

fn mails(api: Api, search: String) -> Response {
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

fn batches(api: Api, look: &Look) -> Response {
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
    let filter = look.filter();
    let read = move |turn| {
        let api = api.clone();
        async move {
            let rows = activity::list(&api.db, filter, turn, GROUP).await;
            let rows = rows.map_err(io::Error::other)?;
            let next = rows.last().map(|last| Turn::After(last.id));
            Ok((rows.iter().map(batch_line).collect(), next))
        }
    };
    csv("activity", header.map(str::to_owned).to_vec(), Turn::Start, read)
}

fn batch_line(row: &Sending) -> Vec<String> {
    let alike = row.alike();
    let of = |states: &[DeliveryState]| -> String {
        let those = alike.iter().filter(|alike| states.contains(&alike.state));
        let sum: i64 = those.map(|alike| alike.count).sum();
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
