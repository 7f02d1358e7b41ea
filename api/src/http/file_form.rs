//! How the file in a body is read, which its content type determines.

use crate::app::imports::request::BodyFormat;
use crate::app::problem::{Problem, ProblemKind};
use axum::http::{HeaderMap, header};

/// Content types of CSV files and spreadsheets. Windows sends CSV files with the content type of Excel files.
const TABLES: [&str; 6] = [
    "text/csv",
    "text/tab-separated-values",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/vnd.ms-excel.sheet.macroenabled.12",
    "application/vnd.ms-excel",
    "application/vnd.oasis.opendocument.spreadsheet",
];

/// The form of the body of a request with these headers.
///
/// # Errors
///
/// If the body is compressed or its content type is not supported.
pub(crate) fn form_of(headers: &HeaderMap) -> Result<BodyFormat, Problem> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content_type = content_type.unwrap_or_default().split(';').next().unwrap_or_default();
    let content_type = content_type.trim().to_ascii_lowercase();
    let is_plain = !headers.contains_key(header::CONTENT_ENCODING);
    match content_type.as_str() {
        table if is_plain && TABLES.contains(&table) => Ok(BodyFormat::Table),
        "application/json" if is_plain => Ok(BodyFormat::Json),
        _ => Err(Problem::new(
            ProblemKind::UnsupportedFormat,
            "not_csv",
            "Send a CSV file with Content-Type: text/csv, a spreadsheet (.xlsx, .xls, .ods) with its own type, or a \
             JSON array of users with application/json, uncompressed.",
        )),
    }
}
