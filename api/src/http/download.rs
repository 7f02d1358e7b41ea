//! Files that are streamed, so that a million rows take no more memory than a thousand.

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use futures_util::Stream;
use std::io;

/// The content type of CSV files.
pub(crate) const CSV: &str = "text/csv; charset=utf-8";

/// The content type of Excel files.
pub(crate) const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

/// A response with a file that the browser saves under this name.
pub(crate) fn download<B, S>(content_type: &'static str, name: &str, pieces: S) -> Response
where
    B: Into<Bytes> + 'static,
    S: Stream<Item = io::Result<B>> + Send + 'static,
{
    let headers = [
        (header::CONTENT_TYPE, content_type.to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    (headers, Body::from_stream(pieces)).into_response()
}
