//! Filters of a list beside its selects: an import, field values, and saved filters.

use super::typed::TypedConditions;
use super::view::View;
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::app::user_filter::words;
use shared::store::imports::{self, Import, ImportState};
use shared::store::saved_filters;
use shared::store::users;
use shared::user_filter::{Comparison, FieldCondition, Negatable, OWN_FIELDS};
use uuid::Uuid;

/// Maximum number of imports to choose from, the latest first.
const IMPORTS: i64 = 25;

/// Number of empty lines for further conditions.
const EMPTY_LINES: usize = 2;

/// Maximum number of fields to choose from.
const MAX_FIELDS: usize = 200;

/// What the filter form offers beside its selects.
#[derive(Default)]
pub(in crate::console) struct Conditions {
    /// The latest imports: id, name, and whether it is selected.
    pub(in crate::console) imports: Vec<(Uuid, String, bool)>,
    /// Whether the condition on the import is negated.
    pub(in crate::console) is_import_negated: bool,
    /// Lines for conditions on field values.
    pub(in crate::console) lines: Vec<ConditionLine>,
    /// The conditions in use, as text.
    pub(in crate::console) words: Vec<String>,
    /// Fields that can be shown as columns, and whether they are shown.
    pub(in crate::console) columns: Vec<(String, bool)>,
    /// Saved filters: name and query string.
    pub(in crate::console) saved: Vec<(String, String)>,
}

/// A line for a condition on a field value.
pub(in crate::console) struct ConditionLine {
    /// Field name, and whether it is selected.
    pub(in crate::console) fields: Vec<(String, bool)>,
    /// Value, label, and whether it is selected.
    pub(in crate::console) comparisons: Vec<(&'static str, &'static str, bool)>,
    /// The value to compare with.
    pub(in crate::console) value: String,
    /// Its error.
    pub(in crate::console) fault: Option<String>,
}

impl Conditions {
    /// Number of conditions in use.
    pub(in crate::console) fn in_use(&self) -> usize {
        let imports = self.imports.iter().filter(|(_, _, is_chosen)| *is_chosen).count();
        let is_in_use = |line: &&ConditionLine| line.fields.iter().any(|(_, is_chosen)| *is_chosen);
        imports + self.lines.iter().filter(is_in_use).count()
    }
}

/// Loads what the form offers. `import` is the selected one.
pub(super) async fn of(api: &AppState, view: &View, import: Option<&Import>) -> Result<Conditions, Problem> {
    let custom = users::field_names(&api.db).await?;
    let columns = custom.iter().take(MAX_FIELDS);
    let columns = columns
        .map(|name| (name.clone(), view.columns.contains(name)))
        .collect();
    let mut fields: Vec<String> = OWN_FIELDS.map(str::to_owned).to_vec();
    fields.extend(custom);
    fields.truncate(MAX_FIELDS);
    let filter = &view.filter;
    let mut lines: Vec<ConditionLine> = filter.fields.iter().map(|one| line(&fields, Some(one))).collect();
    lines.extend((0..EMPTY_LINES).map(|_| line(&fields, None)));
    let saved = saved_filters::list(&api.db).await?;
    let saved = saved.into_iter().filter_map(|saved| {
        let view = View {
            sort: view.sort,
            columns: view.columns.clone(),
            ..View::of(saved.filter?, view.selection)
        };
        Some((saved.name, view.query()))
    });
    let who = view.user_filter().unwrap_or_default();
    Ok(Conditions {
        imports: latest_imports(api, import).await?,
        is_import_negated: filter.not.contains(&Negatable::Import),
        lines,
        columns,
        words: words(&who, import.map(|import| import.file_name.as_str())),
        saved: saved.collect(),
    })
}

impl Conditions {
    /// Shows the conditions on fields as typed, with the error of one of them.
    pub(super) fn as_typed(&mut self, typed: &TypedConditions) {
        let names: Vec<String> = self.lines.first().map_or_else(Vec::new, |line| {
            line.fields.iter().map(|(name, _)| name.clone()).collect()
        });
        let shown = typed.lines.iter().enumerate().map(|(at, one)| {
            let mut line = line(&names, None);
            for (name, is_chosen) in &mut line.fields {
                *is_chosen = *name == one.field;
            }
            for (value, _, is_chosen) in &mut line.comparisons {
                *is_chosen = *value == one.op;
            }
            line.value.clone_from(&one.value);
            line.fault = (at == typed.faulty).then(|| typed.fault.clone());
            line
        });
        let shown: Vec<ConditionLine> = shown.collect();
        let empty = self.lines.len().saturating_sub(EMPTY_LINES);
        drop(self.lines.splice(..empty, shown));
    }
}

async fn latest_imports(api: &AppState, import: Option<&Import>) -> Result<Vec<(Uuid, String, bool)>, Problem> {
    let latest = imports::list(&api.db, None, None, IMPORTS).await?;
    let mut shown: Vec<Import> = latest
        .into_iter()
        .filter(|one| one.state == ImportState::Done)
        .collect();
    if let Some(import) = import
        && !shown.iter().any(|one| one.id == import.id)
    {
        shown.push(import.clone());
    }
    let row = |one: Import| (one.id, one.file_name, import.is_some_and(|import| import.id == one.id));
    Ok(shown.into_iter().map(row).collect())
}

fn line(fields: &[String], condition: Option<&FieldCondition>) -> ConditionLine {
    let field = condition.map(|condition| condition.field.as_str());
    let mut fields: Vec<(String, bool)> = fields
        .iter()
        .map(|name| (name.clone(), Some(name.as_str()) == field))
        .collect();
    if let Some(field) = field.filter(|field| !fields.iter().any(|(name, _)| name == field)) {
        fields.push((field.to_owned(), true));
    }
    let op = condition.map_or(Comparison::Is, |condition| condition.op);
    ConditionLine {
        fields,
        comparisons: Comparison::ALL
            .map(|one| (one.as_str(), shown(one), one == op))
            .to_vec(),
        value: condition
            .and_then(|condition| condition.value.clone())
            .unwrap_or_default(),
        fault: None,
    }
}

const fn shown(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Is => "is",
        Comparison::IsNot => "is not",
        Comparison::Contains => "contains",
        Comparison::NotContains => "does not contain",
        Comparison::Empty => "is empty",
        Comparison::NotEmpty => "is not empty",
        Comparison::Before => "is before",
        Comparison::After => "is after",
    }
}
