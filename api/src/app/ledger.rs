//! A batch's complete ledger as CSV: one row per selected person, sent or left out.
//!
//! It is streamed in groups of rows, so a million rows take no more memory than a thousand.

use crate::app::state::AppState;
use crate::app::status_labels;
use futures_util::{Stream, stream};
use import::SafeCsv;
use shared::delivery::DeliveryState;
use shared::store::cursor::PageCursor;
use shared::store::deliveries;
use std::io;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

/// Rows read from Postgres at a time.
const GROUP: i64 = 2_000;

const SEPARATOR: u8 = b',';

const HEADER: [&str; COLUMNS] = [
    "email", "user", "delivery", "state", "reason", "attempts", "due_at", "sent_at", "unsure", "status",
];

const COLUMNS: usize = 10;

/// Progress of the export.
enum ExportPosition {
    Header,
    Deliveries(Option<Uuid>),
    LeftOut(i64),
    End,
}

/// The ledger, in pieces.
pub fn csv(
    api: AppState,
    batch: Uuid,
    state: Option<DeliveryState>,
) -> impl Stream<Item = io::Result<Vec<u8>>> + Send + 'static {
    stream::try_unfold((api, ExportPosition::Header), move |(api, place)| async move {
        let (text, next) = part(&api, batch, state, place).await?;
        Ok::<_, io::Error>(text.map(|text| (text, (api, next))))
    })
}

async fn part(
    api: &AppState,
    batch: Uuid,
    state: Option<DeliveryState>,
    place: ExportPosition,
) -> io::Result<(Option<Vec<u8>>, ExportPosition)> {
    match place {
        ExportPosition::Header => {
            let header = SafeCsv::new(Vec::new(), SEPARATOR)?;
            Ok((
                Some(written(header, [HEADER.map(str::to_owned)])?),
                ExportPosition::Deliveries(None),
            ))
        }
        ExportPosition::Deliveries(after) => {
            let rows = deliveries::of_batch(&api.db, batch, state, after, GROUP).await;
            let rows = rows.map_err(io::Error::other)?;
            let next = match rows.last() {
                Some(last) => ExportPosition::Deliveries(Some(last.id)),
                None if state.is_some() => ExportPosition::End,
                None => ExportPosition::LeftOut(0),
            };
            Ok((
                Some(written(headerless_csv(), rows.into_iter().map(delivery_line))?),
                next,
            ))
        }
        ExportPosition::LeftOut(after) => {
            let rows = deliveries::left_out(&api.db, batch, PageCursor::After(after), GROUP).await;
            let rows = rows.map_err(io::Error::other)?;
            let next = rows
                .last()
                .map_or(ExportPosition::End, |last| ExportPosition::LeftOut(last.id));
            Ok((
                Some(written(headerless_csv(), rows.into_iter().map(left_out_line))?),
                next,
            ))
        }
        ExportPosition::End => Ok((None, ExportPosition::End)),
    }
}

fn delivery_line(row: deliveries::Delivery) -> [String; COLUMNS] {
    let moment = |at: Option<OffsetDateTime>| at.and_then(|at| at.format(&Rfc3339).ok()).unwrap_or_default();
    let status = status_labels::status(row.state, row.reason.as_deref(), row.batch_state);
    [
        row.email.unwrap_or_default(),
        row.user.map(|id| id.to_string()).unwrap_or_default(),
        row.id.to_string(),
        row.state.as_str().to_owned(),
        row.reason.unwrap_or_default(),
        row.attempts.to_string(),
        moment(row.due_at),
        moment(row.sent_at),
        row.unsure.to_string(),
        status.word.to_owned(),
    ]
}

fn left_out_line(row: deliveries::LeftOut) -> [String; COLUMNS] {
    let empty = String::new;
    let status = format!("Left out: {}", status_labels::left_out(&row.reason));
    [
        row.email.unwrap_or_default(),
        row.user.map(|id| id.to_string()).unwrap_or_default(),
        empty(),
        "left_out".to_owned(),
        row.reason,
        empty(),
        empty(),
        empty(),
        empty(),
        status,
    ]
}

/// A CSV writer for a part that continues the previous one.
fn headerless_csv() -> SafeCsv<Vec<u8>> {
    SafeCsv::continued(Vec::new(), SEPARATOR)
}

fn written(mut piece: SafeCsv<Vec<u8>>, lines: impl IntoIterator<Item = [String; COLUMNS]>) -> io::Result<Vec<u8>> {
    for line in lines {
        piece.write(line)?;
    }
    piece.finish()
}
