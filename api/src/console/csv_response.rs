//! Lists as CSV, streamed in groups of rows: a million rows take no more memory than a thousand.

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use import::SafeCsv;
use std::future::Future;
use std::io;

const SEPARATOR: u8 = b',';

/// Rows read from Postgres at a time.
pub(super) const GROUP: i64 = 2_000;

/// A group of rows, and the position of the next group; `None` after the last.
pub(super) type Group<P> = (Vec<Vec<String>>, Option<P>);

/// A CSV response with this file name: the header row, then the rows that `read` returns from `start` on.
pub(super) fn csv<P, R, F>(name: &str, header: Vec<String>, start: P, read: R) -> Response
where
    P: Send + 'static,
    R: Fn(P) -> F + Send + 'static,
    F: Future<Output = io::Result<Group<P>>> + Send + 'static,
{
    let begun = (Some(start), Some(header), read);
    let lines = stream::try_unfold(begun, |(place, header, read)| async move {
        if let Some(header) = header {
            let first = written(SafeCsv::new(Vec::new(), SEPARATOR)?, [header])?;
            return Ok(Some((first, (place, None, read))));
        }
        let Some(place) = place else {
            return Ok::<_, io::Error>(None);
        };
        let (lines, next) = read(place).await?;
        let piece = written(SafeCsv::continued(Vec::new(), SEPARATOR), lines)?;
        Ok(Some((piece, (next, None, read))))
    });
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}.csv\""),
        ),
    ];
    (headers, Body::from_stream(lines)).into_response()
}

fn written(mut piece: SafeCsv<Vec<u8>>, lines: impl IntoIterator<Item = Vec<String>>) -> io::Result<Bytes> {
    for line in lines {
        piece.write(line)?;
    }
    Ok(Bytes::from(piece.finish()?))
}
