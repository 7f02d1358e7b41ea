//! The parameters of an import request beside its file.

use crate::problem::{FieldError, Problem};
use axum::http::{HeaderMap, StatusCode, header};
use import::single::ValueFault;
use import::{Directions, Mapping, RowRules};
use serde::{Deserialize, Serialize};
use shared::store::imports::ImportMode;
use shared::store::imports::rows::Manner;
use std::collections::BTreeMap;
use utoipa::IntoParams;

/// How to import.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ImportRequest {
    /// What the file is called, to know it again.
    #[serde(default)]
    pub file_name: String,
    /// Only say what would happen.
    #[serde(default)]
    pub dry_run: bool,
    /// The sheet to read of a spreadsheet with several that have something in them.
    pub sheet: Option<String>,
    /// Take values that look damaged (`problems` with `acceptable`) as they are.
    #[serde(default)]
    pub accept_doubtful: bool,
    /// What columns are read as: a JSON object with the field of each, such as
    /// `{"Dept.": "department", "Name": "full_name", "Notes": null}`. The key is the column's name, or its letter where
    /// the name is blank or comes twice. Null: not imported. Columns that are not named are read by their names.
    pub mapping: Option<String>,
    /// Which people to create or update: `create_and_update` (default), `create_only` or `update_only`. Rows of the
    /// others are counted as `ignored`.
    #[serde(default)]
    #[param(value_type = String, required = false)]
    pub mode: ImportMode,
    /// What an empty cell does: `keep` (default) leaves the value as it is, `clear` removes it.
    #[serde(default)]
    #[param(value_type = String, required = false)]
    pub empty: EmptyCells,
}

/// What an empty cell does.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EmptyCells {
    /// It leaves the value as it is.
    #[default]
    Keep,
    /// It removes the value.
    Clear,
}

impl From<bool> for EmptyCells {
    fn from(clears: bool) -> Self {
        if clears { Self::Clear } else { Self::Keep }
    }
}

/// How all rows of a file are imported.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct How {
    /// Which people it creates or updates.
    pub mode: ImportMode,
    /// What an empty cell does.
    pub empty: EmptyCells,
}

impl ImportRequest {
    /// What it says about all rows.
    pub(super) const fn how(&self) -> How {
        How {
            mode: self.mode,
            empty: self.empty,
        }
    }

    /// What it says about all rows, as the store and the reader take it.
    pub(super) fn manner(&self) -> (Manner, RowRules) {
        let clears_empty = self.empty == EmptyCells::Clear;
        let manner = Manner {
            accepts_doubtful: self.accept_doubtful,
            mode: self.mode,
            clears_empty,
        };
        let rules = RowRules {
            accepts_doubtful: self.accept_doubtful,
            clears_empty,
        };
        (manner, rules)
    }

    /// How its file is to be read.
    ///
    /// # Errors
    ///
    /// 422 with what is wrong with the mapping.
    pub(super) fn directions(&self, form: Form) -> Result<Directions, Problem> {
        let mapping = self.mapping.as_deref().map(read_mapping).transpose()?;
        if mapping.is_some() && matches!(form, Form::Json) {
            return Err(mapping_faults(vec![FieldError::in_field(
                "mapping",
                "mapping_of_json",
                "A JSON array has no columns. Name the fields in it, or send a CSV file or a spreadsheet.",
            )]));
        }
        Ok(Directions {
            sheet: self.sheet.clone(),
            mapping,
            remembered: Vec::new(),
        })
    }
}

fn read_mapping(text: &str) -> Result<Mapping, Problem> {
    let written: BTreeMap<String, Option<String>> = serde_json::from_str(text).map_err(|fault| {
        let message = format!(
            "mapping is not a JSON object of column names and fields: {fault}. Write for example {{\"Dept.\": \"department\"}}."
        );
        mapping_faults(vec![FieldError::in_field("mapping", "mapping_invalid", message)])
    })?;
    Mapping::new(written).map_err(|faults| {
        let error = |(column, fault): (String, ValueFault)| FieldError {
            column: Some(import::single::shown(&column)),
            ..FieldError::in_field("mapping", fault.code, fault.message)
        };
        mapping_faults(faults.into_iter().map(error).collect())
    })
}

fn mapping_faults(errors: Vec<FieldError>) -> Problem {
    Problem::unprocessable("mapping_invalid", "The mapping cannot be used; see errors.").with_errors(errors)
}

/// What a request asks for beside its file, to know it again.
pub(super) fn named(request: &ImportRequest) -> String {
    let mut name = format!("import {} {}", request.file_name, request.dry_run);
    if let Some(sheet) = &request.sheet {
        name.push_str(" of sheet ");
        name.push_str(sheet);
    }
    if request.accept_doubtful {
        name.push_str(" with doubtful values");
    }
    if let Some(mapping) = &request.mapping {
        name.push_str(" mapped ");
        name.push_str(mapping);
    }
    if request.mode != ImportMode::default() {
        name.push_str(" to ");
        name.push_str(request.mode.as_str());
    }
    if request.empty == EmptyCells::Clear {
        name.push_str(" with empty cells cleared");
    }
    name
}

/// In what form the people come.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form {
    /// CSV or a spreadsheet; the first bytes say which.
    Table,
    Json,
}

/// What CSV files and spreadsheets are sent as. Windows calls a CSV by the name of Excel's files.
const TABLES: [&str; 6] = [
    "text/csv",
    "text/tab-separated-values",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/vnd.ms-excel.sheet.macroenabled.12",
    "application/vnd.ms-excel",
    "application/vnd.oasis.opendocument.spreadsheet",
];

impl Form {
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let content_type = content_type.unwrap_or_default().split(';').next().unwrap_or_default();
        let content_type = content_type.trim().to_ascii_lowercase();
        let is_plain = !headers.contains_key(header::CONTENT_ENCODING);
        match content_type.as_str() {
            table if is_plain && TABLES.contains(&table) => Ok(Self::Table),
            "application/json" if is_plain => Ok(Self::Json),
            _ => Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "not_csv",
                "Send a CSV file with Content-Type: text/csv, a spreadsheet (.xlsx, .xls, .ods) with its own type, or a \
                 JSON array of users with application/json, uncompressed.",
            )),
        }
    }
}

pub(super) fn file_name(given: &str) -> Result<String, Problem> {
    let name = given.trim();
    let seen = crate::body::without_controls("file_name", name).and_then(|()| {
        if name.chars().any(shared::name::is_invisible) {
            let hidden = "file_name has an invisible character; remove it.";
            return Err(FieldError::in_field(
                "file_name",
                "invisible_character",
                hidden.to_owned(),
            ));
        }
        Ok(())
    });
    seen.map_err(|error| {
        Problem::unprocessable("invalid_request", "The file's name cannot be used; see errors.")
            .with_errors(vec![error])
    })?;
    let name: String = name.chars().take(200).collect();
    Ok(if name.is_empty() { "import".to_owned() } else { name })
}
