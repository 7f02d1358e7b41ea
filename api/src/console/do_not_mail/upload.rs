//! The page that uploads addresses, for a new list or an existing one.

use super::{find, path_of};
use crate::app::do_not_mail::upload::{self, AddressFile, NewList};
use crate::app::imports::request::BodyFormat;
use crate::app::problem::{Problem, ProblemKind};
use crate::app::state::AppState;
use crate::app::upload_spool::UPLOAD_MOST_BYTES;
use crate::console::format::some;
use crate::console::frame::{Frame, Section};
use crate::console::imports::receive::{Refused, Texts, most, receive};
use crate::console::respond::{page_as, redirect_with_flash};
use crate::console::session::Administrator;
use crate::http::problem::status_of;
use crate::http::query::Query;
use askama::Template;
use axum::extract::State;
use axum::extract::multipart::{Multipart, MultipartRejection};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use shared::store::do_not_mail::DoNotMailList;
use uuid::Uuid;

/// Faulty rows that the page lists.
const FAULTS_SHOWN: usize = 20;

/// The list that addresses are added to.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    list: Option<Uuid>,
}

#[derive(Template)]
#[template(path = "console/do_not_mail_new.html")]
struct UploadPage {
    frame: Frame,
    /// The list that addresses are added to; none for a new one.
    list: Option<DoNotMailList>,
    name: String,
    always: bool,
    pasted: String,
    /// Errors: the field and the message.
    faults: Vec<(&'static str, String)>,
    most: String,
    most_bytes: usize,
}

impl UploadPage {
    fn fault_of(&self, field: &str) -> Option<&str> {
        let fault = self.faults.iter().find(|(at, _)| *at == field);
        fault.map(|(_, fault)| fault.as_str())
    }
}

async fn answer(
    api: &AppState,
    administrator: &Administrator,
    texts: Texts,
    status: StatusCode,
    faults: Vec<(&'static str, String)>,
) -> Result<Response, Problem> {
    let list = match texts.list {
        Some(id) => Some(find(api, id).await?),
        None => None,
    };
    let title = list.as_ref().map_or_else(
        || "Add a do-not-mail list".to_owned(),
        |list| format!("Add addresses to {}", list.name),
    );
    let frame = administrator.frame(api, Section::Users, title).await;
    let shown = UploadPage {
        frame: if faults.is_empty() { frame } else { frame.with_faults() },
        list,
        name: texts.name,
        always: texts.always,
        pasted: texts.pasted.text,
        faults,
        most: most(),
        most_bytes: UPLOAD_MOST_BYTES,
    };
    page_as(status, &shown)
}

/// Shows the page.
pub(super) async fn show(
    State(api): State<AppState>,
    administrator: Administrator,
    Query(asked): Query<ListQuery>,
) -> Result<Response, Problem> {
    answer(
        &api,
        &administrator,
        Texts::of_list(asked.list),
        StatusCode::OK,
        Vec::new(),
    )
    .await
}

/// Creates a list from an uploaded file, or adds its addresses to an existing list.
pub(super) async fn upload(
    State(api): State<AppState>,
    administrator: Administrator,
    multipart: Result<Multipart, MultipartRejection>,
) -> Result<Response, Problem> {
    let nothing = "Select a file, or paste the addresses";
    let form = match receive(&api.concurrency_limits, &administrator, multipart, nothing).await {
        Ok(form) => form,
        Err(Refused::Problem(problem)) => return Err(problem),
        Err(Refused::Fault(fault, texts)) => {
            let faults = vec![("file", fault)];
            return answer(&api, &administrator, texts, StatusCode::UNPROCESSABLE_ENTITY, faults).await;
        }
    };
    let file = AddressFile {
        spooled: form.file,
        form: BodyFormat::Table,
        sheet: None,
        was_list: form.texts.pasted.is_list,
    };
    match store(&api, &administrator, &form.texts, file).await {
        Ok((id, message)) => Ok(redirect_with_flash(&path_of(id), &message)),
        Err(problem) if matches!(problem.kind, ProblemKind::Conflict | ProblemKind::Invalid) => {
            let status = status_of(problem.kind);
            let field = if form.texts.pasted.is_empty() { "file" } else { "pasted" };
            answer(&api, &administrator, form.texts, status, faults_of(&problem, field)).await
        }
        Err(problem) => Err(problem),
    }
}

async fn store(
    api: &AppState,
    administrator: &Administrator,
    texts: &Texts,
    file: AddressFile,
) -> Result<(Uuid, String), Problem> {
    let actor = &administrator.actor;
    if let Some(id) = texts.list {
        let added = upload::add(api, id, file, actor).await?;
        let added = i64::try_from(added).unwrap_or(i64::MAX);
        let added = some(added, "address was", "addresses were");
        return Ok((id, format!("{added} added to this list.")));
    }
    let new = NewList {
        name: upload::list_name(&texts.name)?,
        always: texts.always,
    };
    let id = upload::create(api, new, file, actor).await?;
    Ok((id, "The list was saved.".to_owned()))
}

/// The errors of the form, by field.
fn faults_of(problem: &Problem, field: &'static str) -> Vec<(&'static str, String)> {
    let is_about_name = problem.code == "name_taken"
        || problem
            .errors
            .iter()
            .any(|error| error.field.as_deref() == Some("name"));
    if is_about_name {
        let sentence = match problem.errors.first().map(|error| error.code.as_str()) {
            Some("blank") => "Give the list a name".to_owned(),
            Some(_) => "The name must be 100 characters or fewer, without control characters".to_owned(),
            None => problem.detail.clone(),
        };
        return vec![("name", sentence)];
    }
    let mut faults = vec![(field, problem.detail.clone())];
    let rows = problem.errors.iter().filter_map(|error| {
        let row = error.row?;
        Some((field, format!("Row {row}: {}", error.message)))
    });
    faults.extend(rows.take(FAULTS_SHOWN));
    faults
}
