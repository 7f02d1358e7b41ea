//! A batch's report as CSV: the imported data of each person and the outcome of their email. Once corrected, the
//! file can be imported again.

use super::mails;
use crate::app::batches;
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::app::status_labels::{self, status};
use crate::console::csv_response::{GROUP, csv};
use crate::http::query::Path;
use axum::extract::State;
use axum::response::Response;
use shared::batch::BatchState;
use shared::store::cursor::PageCursor;
use shared::store::deliveries::{self, LeftOut};
use shared::store::ledger::{self, ReportLine};
use shared::store::users;
use std::io;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

/// Progress of the export.
enum ExportPosition {
    Deliveries(Option<Uuid>),
    LeftOut(i64),
}

/// Exports all selected people.
pub(in crate::console) async fn show(State(api): State<AppState>, Path(id): Path<Uuid>) -> Result<Response, Problem> {
    let batch = batches::get(&api, id).await?;
    let fields = users::field_names(&api.db).await?;
    let own = ["email", "first_name", "last_name"].map(str::to_owned);
    let ours = [
        "Status",
        "Reason",
        "Time (UTC)",
        "Attempts",
        "Mail server’s reply",
        "Possibly twice",
    ]
    .map(str::to_owned);
    let header = own.into_iter().chain(fields.iter().cloned()).chain(ours).collect();
    let name = format!(
        "report-{}",
        mails(batch.kind, i64::from(batch.accepted)).replace([' ', ','], "-")
    );
    let read = move |place| {
        let (api, fields) = (api.clone(), fields.clone());
        async move { group(&api, id, batch.state, &fields, place).await }
    };
    Ok(csv(&name, header, ExportPosition::Deliveries(None), read))
}

/// Exports the people who were left out.
pub(in crate::console) async fn left_out(
    State(api): State<AppState>,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    batches::get(&api, id).await?;
    let header = ["email", "name", "Why left out"].map(str::to_owned).to_vec();
    let read = move |after| {
        let api = api.clone();
        async move {
            let rows = deliveries::left_out(&api.db, id, PageCursor::After(after), GROUP).await;
            let rows = rows.map_err(io::Error::other)?;
            let next = rows.last().map(|last| last.id);
            let line = |row: LeftOut| {
                let name = row.name.unwrap_or_default().trim().to_owned();
                vec![
                    row.email.unwrap_or_default(),
                    name,
                    status_labels::left_out(&row.reason).to_owned(),
                ]
            };
            Ok((rows.into_iter().map(line).collect(), next))
        }
    };
    Ok(csv("left-out", header, 0, read))
}

async fn group(
    api: &AppState,
    id: Uuid,
    batch: BatchState,
    fields: &[String],
    place: ExportPosition,
) -> io::Result<(Vec<Vec<String>>, Option<ExportPosition>)> {
    match place {
        ExportPosition::Deliveries(after) => {
            let rows = ledger::report(&api.db, id, after, GROUP)
                .await
                .map_err(io::Error::other)?;
            let next = match rows.last() {
                Some(last) => ExportPosition::Deliveries(Some(last.id)),
                None => ExportPosition::LeftOut(0),
            };
            Ok((
                rows.into_iter().map(|row| line(row, batch, fields)).collect(),
                Some(next),
            ))
        }
        ExportPosition::LeftOut(after) => {
            let rows = deliveries::left_out(&api.db, id, PageCursor::After(after), GROUP).await;
            let rows = rows.map_err(io::Error::other)?;
            let next = rows.last().map(|last| ExportPosition::LeftOut(last.id));
            Ok((rows.into_iter().map(|row| left_out_line(row, fields)).collect(), next))
        }
    }
}

fn line(row: ReportLine, batch: BatchState, fields: &[String]) -> Vec<String> {
    let status = status(row.state, row.reason.as_deref(), batch);
    let mut line = vec![row.email, row.first_name, row.last_name];
    line.extend(fields.iter().map(|field| {
        let value = row.fields.get(field).and_then(serde_json::Value::as_str);
        value.unwrap_or_default().to_owned()
    }));
    line.extend([
        status.word.to_owned(),
        status.help.to_owned(),
        row.moved_at
            .replace_nanosecond(0)
            .unwrap_or(row.moved_at)
            .to_offset(time::UtcOffset::UTC)
            .format(&Rfc3339)
            .unwrap_or_default(),
        row.attempts.to_string(),
        row.reply.unwrap_or_default(),
        if row.unsure { "yes".to_owned() } else { String::new() },
    ]);
    line
}

fn left_out_line(row: LeftOut, fields: &[String]) -> Vec<String> {
    let mut line = vec![
        row.email.unwrap_or_default(),
        row.name.unwrap_or_default().trim().to_owned(),
    ];
    line.resize(3 + fields.len(), String::new());
    line.extend(["Left out".to_owned(), status_labels::left_out(&row.reason).to_owned()]);
    line.resize(3 + fields.len() + 6, String::new());
    line
}
