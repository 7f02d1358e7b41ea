//! The parameters of an import request, apart from the file.

use crate::app::problem::{FieldError, Problem};
use crate::app::validation::without_controls;
use import::single::ValueFault;
use import::{Accepted, Directions, Mapping, RowRules};
use serde::{Deserialize, Serialize};
use shared::store::imports::file::RowOptions;
use shared::store::imports::{Accepting, ImportMode};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use utoipa::IntoParams;

/// Options of an import.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ImportRequest {
    /// The name of the file, shown in lists.
    #[serde(default)]
    pub file_name: String,
    /// Return the expected result without storing anything.
    #[serde(default)]
    pub dry_run: bool,
    /// The sheet to read, for a spreadsheet with several sheets that are not empty.
    pub sheet: Option<String>,
    /// The row of the header, counted from 1 as in a spreadsheet. By default it is the row with the columns of
    /// `mapping`, or the one of the first rows that looks most like a header.
    #[param(minimum = 1)]
    pub header_row: Option<u32>,
    /// Import values that look damaged (`problems` with `acceptable`) as they are. An unknown language is left out, and
    /// line breaks become spaces.
    #[serde(default)]
    pub accept_doubtful: bool,
    /// Import values that look damaged as they are if their problem has one of these codes, separated by commas, such
    /// as `shared_address,number_as_name`.
    pub accept: Option<String>,
    /// The mapping of columns to fields, as a JSON object such as
    /// `{"Dept.": "department", "Name": "full_name", "Notes": null}`. The key is the name of the column, or its
    /// letter if the name is blank or occurs twice. Null means that the column is not imported. All other columns are
    /// mapped by their names.
    pub mapping: Option<String>,
    /// Which users to create or update: `create_and_update` (default), `create_only` or `update_only`. All other rows
    /// are counted as `ignored`.
    #[serde(default)]
    #[param(value_type = String, required = false)]
    pub mode: ImportMode,
    /// Effect of an empty cell: `keep` (default) keeps the existing value, `clear` removes it.
    #[serde(default)]
    #[param(value_type = String, required = false)]
    pub empty: EmptyCells,
}

/// Effect of an empty cell.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EmptyCells {
    /// Keeps the existing value.
    #[default]
    Keep,
    /// Removes the value.
    Clear,
}

impl From<bool> for EmptyCells {
    fn from(clears: bool) -> Self {
        if clears { Self::Clear } else { Self::Keep }
    }
}

/// Options for all rows of a file.
#[derive(Clone, Copy, Debug, Default)]
pub struct ImportOptions {
    /// Whether users are created, updated or both.
    pub mode: ImportMode,
    /// Effect of an empty cell.
    pub empty: EmptyCells,
}

impl ImportRequest {
    /// The options for all rows.
    pub const fn options(&self) -> ImportOptions {
        ImportOptions {
            mode: self.mode,
            empty: self.empty,
        }
    }

    /// The options for all rows, for the store and the parser.
    ///
    /// # Errors
    ///
    /// If `accept` has a code that cannot be accepted.
    pub fn row_options(&self) -> Result<(RowOptions, RowRules), Problem> {
        let clears_empty = self.empty == EmptyCells::Clear;
        let accepting = self.accepting();
        let rules = RowRules {
            accepted: accepted(&accepting)?,
            clears_empty,
        };
        let options = RowOptions {
            accepting,
            mode: self.mode,
            clears_empty,
        };
        Ok((options, rules))
    }

    fn accepting(&self) -> Accepting {
        match &self.accept {
            _ if self.accept_doubtful => Accepting::Everything,
            None => Accepting::Nothing,
            Some(codes) => {
                let codes = codes.split(',').map(str::trim).filter(|code| !code.is_empty());
                Accepting::Problems(codes.map(str::to_owned).collect())
            }
        }
    }

    /// How to parse the file.
    ///
    /// # Errors
    ///
    /// The errors in the mapping.
    pub fn directions(&self, form: BodyFormat) -> Result<Directions, Problem> {
        let mapping = self.mapping.as_deref().map(read_mapping).transpose()?;
        if mapping.is_some() && matches!(form, BodyFormat::Json) {
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
            header_row: self.header_row,
        })
    }
}

/// The kinds of damage that are accepted.
///
/// # Errors
///
/// If a code is not one of a kind of damage.
pub fn accepted(accepting: &Accepting) -> Result<Accepted, Problem> {
    let codes = match accepting {
        Accepting::Nothing => return Ok(Accepted::NONE),
        Accepting::Everything => return Ok(Accepted::ALL),
        Accepting::Problems(codes) => codes,
    };
    Accepted::of(codes.iter().map(String::as_str)).map_err(|unknown| {
        let (unknown, known) = (
            import::single::shown(unknown),
            Accepted::codes().collect::<Vec<_>>().join(", "),
        );
        let message = format!("{unknown} is no problem that can be accepted. Those are {known}.");
        Problem::invalid("invalid_request", "The parameters cannot be used; see errors.")
            .with_errors(vec![FieldError::in_field("accept", "not_acceptable", message)])
    })
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
    Problem::invalid("mapping_invalid", "The mapping cannot be used; see errors.").with_errors(errors)
}

/// The parameters of a request as text, to recognise a repeated request.
pub fn named(request: &ImportRequest) -> String {
    let mut name = format!("import {} {}", request.file_name, request.dry_run);
    if let Some(sheet) = &request.sheet {
        name.push_str(" of sheet ");
        name.push_str(sheet);
    }
    if let Some(row) = request.header_row {
        let _ = write!(name, " with the header in row {row}");
    }
    if request.accept_doubtful {
        name.push_str(" with doubtful values");
    }
    if let Some(codes) = &request.accept {
        name.push_str(" accepting ");
        name.push_str(codes);
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

/// The form of the body.
#[derive(Clone, Copy, Debug)]
pub enum BodyFormat {
    /// CSV or a spreadsheet, distinguished by the first bytes.
    Table,
    /// An array of users.
    Json,
}

/// The name of the file, as it is shown in lists.
///
/// # Errors
///
/// If it has a character that cannot be shown.
pub fn file_name(given: &str) -> Result<String, Problem> {
    let name = given.trim();
    let seen = without_controls("file_name", name).and_then(|()| {
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
        Problem::invalid("invalid_request", "The file's name cannot be used; see errors.").with_errors(vec![error])
    })?;
    let name: String = name.chars().take(200).collect();
    Ok(if name.is_empty() { "import".to_owned() } else { name })
}
