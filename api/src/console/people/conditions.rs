//! The conditions of a list beside its selects: an import, what users have in fields, and saved filters.

use super::view::View;
use crate::problem::Problem;
use crate::state::Api;
use crate::user_filter::words;
use shared::store::imports::{self, Import, ImportState};
use shared::store::saved_filters;
use shared::store::users;
use shared::user_filter::{Comparison, FieldCondition, Negatable, OWN_FIELDS};
use uuid::Uuid;

/// Imports to choose from: the latest.
const IMPORTS: i64 = 25;

/// Empty lines for conditions, beside those in use.
const EMPTY_LINES: usize = 2;

/// Fields to choose from.
const FIELDS_MOST: usize = 200;

/// What the form of a list offers beside its selects.
#[derive(Default)]
pub(in crate::console) struct Conditions {
    /// The latest imports: id, name, and whether it is the one in use.
    pub(in crate::console) imports: Vec<(Uuid, String, bool)>,
    /// Whether those of the import are left out.
    pub(in crate::console) is_import_negated: bool,
    /// Lines for conditions on fields.
    pub(in crate::console) lines: Vec<ConditionLine>,
    /// The conditions in use, in words.
    pub(in crate::console) words: Vec<String>,
    /// Saved filters: name, and what stands behind the `?`.
    pub(in crate::console) saved: Vec<(String, String)>,
}

/// A line for a condition on a field.
pub(in crate::console) struct ConditionLine {
    /// Value, and whether it is chosen.
    pub(in crate::console) fields: Vec<(String, bool)>,
    /// Value, words, and whether it is chosen.
    pub(in crate::console) comparisons: Vec<(&'static str, &'static str, bool)>,
    /// What the value is compared with.
    pub(in crate::console) value: String,
}

impl Conditions {
    /// How many of them are in use.
    pub(in crate::console) fn in_use(&self) -> usize {
        let imports = self.imports.iter().filter(|(_, _, is_chosen)| *is_chosen).count();
        let is_in_use = |line: &&ConditionLine| line.fields.iter().any(|(_, is_chosen)| *is_chosen);
        imports + self.lines.iter().filter(is_in_use).count()
    }
}

/// Reads what the form offers. `import` is the one in use.
pub(super) async fn of(api: &Api, view: &View, import: Option<&Import>) -> Result<Conditions, Problem> {
    let mut fields: Vec<String> = OWN_FIELDS.map(str::to_owned).to_vec();
    fields.extend(users::field_names(&api.db).await?);
    fields.truncate(FIELDS_MOST);
    let filter = &view.filter;
    let mut lines: Vec<ConditionLine> = filter.fields.iter().map(|one| line(&fields, Some(one))).collect();
    lines.extend((0..EMPTY_LINES).map(|_| line(&fields, None)));
    let saved = saved_filters::list(&api.db).await?;
    let saved = saved.into_iter().filter_map(|saved| {
        let view = View::of(saved.filter?, view.selection);
        Some((saved.name, view.query()))
    });
    let who = view.who().unwrap_or_default();
    Ok(Conditions {
        imports: latest_imports(api, import).await?,
        is_import_negated: filter.not.contains(&Negatable::Import),
        lines,
        words: words(&who, import.map(|import| import.file_name.as_str())),
        saved: saved.collect(),
    })
}

async fn latest_imports(api: &Api, import: Option<&Import>) -> Result<Vec<(Uuid, String, bool)>, Problem> {
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
