//! Templates for import files, with the columns that Beckon recognises and the selected merge fields.

use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::app::upload_spool::disk;
use crate::console::session::Administrator;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use import::{EXAMPLE_ADDRESS, SafeCsv, TemplateColumn, write_template};
use shared::store::users;
use std::io::Seek as _;
use tokio_util::io::ReaderStream;
use url::form_urlencoded;

/// Maximum number of merge fields in a template.
pub(super) const MAX_FIELDS: usize = 100;

/// Standard columns: name, example and explanation.
const KNOWN: [(&str, &str, &str); 4] = [
    (
        "email address",
        EXAMPLE_ADDRESS,
        "Required. Existing people are updated, not added twice.",
    ),
    ("first name", "First", "Used to greet the person."),
    ("last name", "Last", "The family name."),
    (
        "language",
        "en",
        "A language or its code, such as English, en, de or pt-BR.",
    ),
];

/// The template as a spreadsheet.
pub(super) async fn xlsx(
    State(api): State<AppState>,
    _administrator: Administrator,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let columns = columns(&api, query).await?;
    let written = tokio::task::spawn_blocking(move || {
        let mut file = tempfile::tempfile()?;
        write_template(&columns, &mut file)?;
        file.rewind()?;
        Ok(file)
    });
    let file: std::io::Result<std::fs::File> = written.await.map_err(|_| Problem::internal())?;
    let file = file.map_err(|fault| disk(&fault))?;
    let headers = [
        (
            header::CONTENT_TYPE,
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        ),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"people.xlsx\""),
    ];
    let body = Body::from_stream(ReaderStream::new(tokio::fs::File::from_std(file)));
    Ok((headers, body).into_response())
}

/// The template as CSV, without the explanations.
pub(super) async fn csv(
    State(api): State<AppState>,
    _administrator: Administrator,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let columns = columns(&api, query).await?;
    let written = || {
        let mut file = SafeCsv::new(Vec::new(), b',')?;
        file.write(columns.iter().map(|column| column.name.as_str()))?;
        file.write(columns.iter().map(|column| column.example.as_str()))?;
        file.finish()
    };
    let file = written().map_err(|fault: std::io::Error| disk(&fault))?;
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"people.csv\""),
    ];
    Ok((headers, file).into_response())
}

/// The standard columns and the selected merge fields that exist.
async fn columns(api: &AppState, query: Option<String>) -> Result<Vec<TemplateColumn>, Problem> {
    let query = query.unwrap_or_default();
    let ticked: Vec<String> = form_urlencoded::parse(query.as_bytes())
        .filter(|(name, _)| name == "field")
        .map(|(_, value)| value.into_owned())
        .collect();
    let known = KNOWN.iter().map(|&(name, example, help)| TemplateColumn {
        name: name.to_owned(),
        example: example.to_owned(),
        help: help.to_owned(),
    });
    let fields = users::field_names(&api.db).await?;
    let own = fields
        .into_iter()
        .filter(|field| ticked.contains(field))
        .take(MAX_FIELDS);
    let own = own.map(|field| TemplateColumn {
        example: String::new(),
        help: format!("Used in emails as {{{{ {field} }}}}."),
        name: field,
    });
    Ok(known.chain(own).collect())
}
