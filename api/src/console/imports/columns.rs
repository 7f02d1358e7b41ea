//! Column mapping: the administrator chooses the field that each column fills, with the first values as a guide.

mod line;

use super::find::get;
use super::import_options::ChosenOptions;
use super::template::MAX_FIELDS;
use super::upload::PATIENCE;
use crate::app::imports::staged::Chosen;
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::console::fields::Fields;
use crate::console::frame::{Frame, Section};
use crate::console::respond::{page, page_as, redirect, redirect_with_note};
use crate::console::session::Administrator;
use crate::http::query::Path;
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use import::{Mapping, Preview, column_keys};
use shared::store::imports::{Import, ImportState};
use shared::store::users;
use uuid::Uuid;

use line::{ColumnLine, Target, faults, lines, suggested};

/// The column mapping page.
#[derive(Template)]
#[template(path = "console/import_columns.html")]
struct ColumnsPage {
    frame: Frame,
    id: Uuid,
    lines: Vec<ColumnLine>,
    /// The row of the header.
    header_row: u32,
    /// The rows that may be the header, each with the beginning of its text.
    header_choices: Vec<(u32, String)>,
    how: ChosenOptions,
    /// Validation errors, each with the index of its column.
    faults: Vec<(usize, String)>,
    /// Why the columns could not be recognised.
    trouble: Option<String>,
    is_remembered: bool,
    /// Whether the file was checked before. Then there is a page to return to.
    was_checked: bool,
}

/// Shows the column mapping of a file that is not stored yet.
pub(super) async fn show(
    State(api): State<AppState>,
    administrator: Administrator,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let import = get(&api, id).await?;
    match import.state {
        ImportState::Checked => choose(&api, &administrator, &import).await,
        ImportState::Checking if import.is_interrupted => choose(&api, &administrator, &import).await,
        _ => Ok(redirect(&format!("/console/imports/{id}"))),
    }
}

/// Shows the column mapping, filled in with suggestions.
pub(super) async fn choose(
    api: &AppState,
    administrator: &Administrator,
    import: &Import,
) -> Result<Response, Problem> {
    let preview = api.staged_imports.preview(import, None).await?;
    let targets = suggested(&preview, Mapping::from_stored(import.mapping.as_ref()).as_ref());
    let shown = of(
        api,
        administrator,
        import,
        &preview,
        &targets,
        ChosenOptions::of(import),
    )
    .await?;
    page(&shown)
}

async fn of(
    api: &AppState,
    administrator: &Administrator,
    import: &Import,
    preview: &Preview,
    targets: &[Target],
    how: ChosenOptions,
) -> Result<ColumnsPage, Problem> {
    let title = format!("Columns of {}", import.file_name);
    let mut fields = users::field_names(&api.db).await?;
    fields.truncate(MAX_FIELDS);
    Ok(ColumnsPage {
        frame: administrator.frame(api, Section::Imports, title).await,
        id: import.id,
        lines: lines(preview, targets, &fields),
        header_row: preview.header_row,
        header_choices: preview.header_choices.clone(),
        how,
        faults: Vec::new(),
        trouble: import
            .trouble
            .as_ref()
            .filter(|trouble| trouble.is_about_columns)
            .map(|trouble| trouble.message.clone()),
        is_remembered: import.mapping_is_remembered,
        was_checked: import.state == ImportState::Checked,
    })
}

/// Checks the file again with the submitted column mapping.
pub(super) async fn submit(
    State(api): State<AppState>,
    administrator: Administrator,
    Path(id): Path<Uuid>,
    fields: Fields,
) -> Result<Response, Problem> {
    let import = get(&api, id).await?;
    let address = format!("/console/imports/{id}");
    let is_open =
        import.state == ImportState::Checked || import.state == ImportState::Checking && import.is_interrupted;
    if !is_open {
        return Ok(redirect(&address));
    }
    let header_row = fields.text("header-row").parse().ok();
    let preview = api.staged_imports.preview(&import, header_row).await?;
    let how = ChosenOptions::read(fields.text("mode"), fields.text("empty"));
    let targets: Vec<Target> = (0..preview.header.len())
        .map(|at| Target::read(fields.trimmed(&format!("as-{at}"))))
        .collect();
    // The selected fields are of the columns of another row.
    if fields.is_set("shown-row") && fields.text("shown-row").parse().ok() != Some(preview.header_row) {
        let targets = suggested(&preview, Mapping::from_stored(import.mapping.as_ref()).as_ref());
        return page(&of(&api, &administrator, &import, &preview, &targets, how).await?);
    }
    if fields.text("do") == "show" {
        return page(&of(&api, &administrator, &import, &preview, &targets, how).await?);
    }
    let written = column_keys(&preview.header)
        .into_iter()
        .zip(targets.iter().map(|target| target.0.clone()));
    let mapping = match (Mapping::new(written), faults(&targets)) {
        (Ok(mapping), faults) if faults.is_empty() => mapping,
        (_, faults) => {
            let mut refused = of(&api, &administrator, &import, &preview, &targets, how).await?;
            refused.frame = refused.frame.with_faults();
            refused.trouble = None;
            refused.faults = faults;
            return page_as(StatusCode::UNPROCESSABLE_ENTITY, &refused);
        }
    };
    let chosen = Chosen {
        mapping,
        header: preview.header,
        mode: how.mode,
        clears_empty: how.clears_empty,
    };
    if !api.staged_imports.choose(id, chosen, &administrator.actor).await? {
        return Ok(redirect_with_note(
            &address,
            "This file is already being checked or imported.",
        ));
    }
    if let Some(in_hand) = api.staged_imports.check(id, None).await? {
        in_hand.ended_within(PATIENCE).await;
    }
    Ok(redirect(&address))
}
