//! The search, filters and position of a list, as the address contains them.

use super::preset::Preset;
use super::typed::{self, TypedCondition, TypedConditions};
use crate::app::problem::Problem;
use crate::app::user_filter::FilterRequest;
use crate::console::fields::Fields;
use crate::http::filter_query::read;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::Deserialize;
use shared::store::users::UserOrder;
use shared::user_filter::UserFilter;
use url::form_urlencoded::Serializer;
use uuid::Uuid;

/// Search, filters and position.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(in crate::console) struct View {
    /// The preset.
    pub(in crate::console) preset: Option<Preset>,
    /// The individual filters.
    pub(in crate::console) filter: UserFilter,
    /// Cursor: the page that follows this user.
    pub(in crate::console) before: Option<Uuid>,
    /// Cursor: the page that ends before this user.
    pub(in crate::console) after: Option<Uuid>,
    /// Page number, for the title.
    pub(in crate::console) page: Option<u32>,
    /// The current selection.
    pub(in crate::console) selection: Option<Uuid>,
    /// The order; none for the newest first.
    pub(in crate::console) sort: Option<UserOrder>,
    /// Fields shown as columns.
    pub(in crate::console) columns: Vec<String>,
}

/// Maximum number of fields shown as columns.
pub(super) const MAX_COLUMNS: usize = 6;

/// Query parameters other than the filters.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ViewParameters {
    status: Option<Preset>,
    before: Option<Uuid>,
    after: Option<Uuid>,
    page: Option<u32>,
    selection: Option<Uuid>,
    sort: Option<UserOrder>,
    /// Separated by commas.
    columns: Option<String>,
}

impl ViewParameters {
    const NAMES: [&str; 7] = ["status", "before", "after", "page", "selection", "sort", "columns"];
}

impl<S: Send + Sync> FromRequestParts<S> for View {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Self::parse(parts.uri.query().unwrap_or_default())
    }
}

impl View {
    pub(super) fn parse(query: &str) -> Result<Self, Problem> {
        let (filter, place) = read::<ViewParameters>(query, &ViewParameters::NAMES)?;
        let view = Self {
            preset: place.status,
            filter,
            before: place.before,
            after: place.after,
            page: place.page,
            selection: place.selection,
            sort: place.sort,
            columns: columns(place.columns.as_deref().unwrap_or_default()),
        };
        Ok(view.with_preset())
    }

    /// Reads the view of a submitted form, with the form's current search and filters.
    ///
    /// # Errors
    ///
    /// 400 for an invalid filter. Ignoring it would apply the form to all users.
    pub(in crate::console) fn read(fields: &Fields) -> Result<Self, Problem> {
        let names = FilterRequest::NAMES.into_iter().chain(ViewParameters::NAMES);
        let value = |name: &'static str| match name {
            "where" => conditions(fields),
            "columns" => fields.all("column").collect::<Vec<_>>().join(","),
            "not" => fields
                .all("not")
                .filter(|word| !word.is_empty())
                .collect::<Vec<_>>()
                .join(","),
            _ => fields.trimmed(name).to_owned(),
        };
        let filled = names.map(|name| (name, value(name)));
        let mut filled: Vec<(&str, String)> = filled.filter(|(_, value)| !value.is_empty()).collect();
        // Negation without a condition has no effect.
        let is_set: Vec<&str> = filled.iter().map(|(name, _)| *name).collect();
        for (name, value) in &mut filled {
            if *name == "not" && !value.starts_with('[') {
                let words = value.split(',').filter(|word| is_set.contains(word));
                *value = words.collect::<Vec<_>>().join(",");
            }
        }
        filled.retain(|(_, value)| !value.is_empty());
        let query = Serializer::new(String::new()).extend_pairs(filled).finish();
        Self::parse(&query)
    }

    /// Like [`View::read`]. If a condition on a field is invalid, returns the view without these conditions, and the
    /// conditions as typed.
    ///
    /// # Errors
    ///
    /// As for [`View::read`], for any other error.
    pub(in crate::console) fn read_or_typed(fields: &Fields) -> Result<(Self, Option<TypedConditions>), Problem> {
        let problem = match Self::read(fields) {
            Ok(view) => return Ok((view, None)),
            Err(problem) => problem,
        };
        let is_about_conditions = problem
            .errors
            .iter()
            .any(|error| error.field.as_deref() == Some("where"));
        let lines = typed::lines(fields);
        if !is_about_conditions || lines.is_empty() {
            return Err(problem);
        }
        let faulty = lines.iter().position(|line| !is_valid(line)).unwrap_or_default();
        let message = problem.detail.strip_prefix("where: ").unwrap_or(&problem.detail);
        let typed = TypedConditions {
            faulty,
            fault: message.trim_end_matches('.').to_owned(),
            lines,
        };
        let rest: Vec<(String, String)> = fields
            .pairs()
            .iter()
            .filter(|(name, _)| !["field", "op", "value", "where"].contains(&name.as_str()))
            .cloned()
            .collect();
        let rest = Serializer::new(String::new()).extend_pairs(rest).finish();
        let view = Self::read(&Fields::read(rest.as_bytes())?)?;
        Ok((view, Some(typed)))
    }

    /// The first page of a selection's users.
    pub(in crate::console) fn of(filter: UserFilter, selection: Option<Uuid>) -> Self {
        let view = Self {
            filter,
            selection,
            ..Self::default()
        };
        view.with_preset()
    }

    /// The same view, with the filters replaced by a preset if one is equal.
    fn with_preset(mut self) -> Self {
        let conditions = UserFilter {
            q: None,
            import: None,
            effect: None,
            ..self.filter.clone()
        };
        let named = Preset::ALL.into_iter().find(|preset| preset.filter() == conditions);
        if let (None, Some(preset)) = (self.preset, named) {
            self.preset = Some(preset);
            self.filter = UserFilter {
                q: self.filter.q,
                import: self.filter.import,
                effect: self.filter.effect,
                ..UserFilter::default()
            };
        }
        self
    }

    /// The filter of the view; `None` if its conditions contradict each other.
    pub(in crate::console) fn user_filter(&self) -> Option<UserFilter> {
        let preset = self.preset.map(Preset::filter).unwrap_or_default();
        preset.and(self.filter.clone())
    }

    /// Whether a search or filter is in use.
    pub(in crate::console) fn is_narrow(&self) -> bool {
        self.user_filter().is_none_or(|who| !who.is_empty())
    }

    /// The query string.
    pub(in crate::console) fn query(&self) -> String {
        let mut query = Serializer::new(String::new());
        let conditions = self.filter.conditions();
        for name in FilterRequest::NAMES {
            match conditions.get(name) {
                Some(serde_json::Value::String(text)) => {
                    query.append_pair(name, text);
                }
                Some(other) => {
                    query.append_pair(name, &other.to_string());
                }
                None => {}
            }
        }
        if let Some(preset) = self.preset {
            query.append_pair("status", preset.as_str());
        }
        if let Some(sort) = self.sort {
            query.append_pair("sort", sort.as_str());
        }
        if !self.columns.is_empty() {
            query.append_pair("columns", &self.columns.join(","));
        }
        let ids = [
            ("before", self.before),
            ("after", self.after),
            ("selection", self.selection),
        ];
        for (name, id) in ids {
            if let Some(id) = id {
                query.append_pair(name, &id.to_string());
            }
        }
        if let Some(page) = self.page.filter(|page| *page > 1) {
            query.append_pair("page", &page.to_string());
        }
        query.finish()
    }

    /// The address of this view.
    pub(in crate::console) fn address(&self, path: &str) -> String {
        let query = self.query();
        if query.is_empty() {
            path.to_owned()
        } else {
            format!("{path}?{query}")
        }
    }

    /// The page number.
    pub(in crate::console) fn number(&self) -> u32 {
        self.page.unwrap_or(1).max(1)
    }

    /// The same view on the first page.
    pub(in crate::console) fn first_page(mut self) -> Self {
        self.before = None;
        self.after = None;
        self.page = None;
        self
    }
}

/// The names in a list, each once.
fn columns(list: &str) -> Vec<String> {
    let mut columns: Vec<String> = Vec::new();
    for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        if columns.len() < MAX_COLUMNS && !columns.iter().any(|known| known == name) {
            columns.push(name.to_owned());
        }
    }
    columns
}

fn is_valid(line: &TypedCondition) -> bool {
    let list = serde_json::Value::from(vec![line.condition()]).to_string();
    let query = Serializer::new(String::new()).append_pair("where", &list).finish();
    View::parse(&query).is_ok()
}

/// The form's conditions on field values, in the format of the address: from its lines, or already as a list.
fn conditions(fields: &Fields) -> String {
    let lines: Vec<serde_json::Value> = typed::lines(fields).iter().map(TypedCondition::condition).collect();
    if lines.is_empty() {
        return fields.trimmed("where").to_owned();
    }
    serde_json::Value::from(lines).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::problem::ProblemKind;
    use shared::user_filter::Access;

    #[test]
    fn lines_of_a_form_become_conditions() {
        let form = "field=department&op=is&value=HR+%26+co&field=&op=is&value=&field=room&op=empty&value=&not=access\
                    &not=import&access=none";

        let view = View::read(&Fields::read(form.as_bytes()).unwrap()).unwrap();

        assert_eq!(
            view.filter.conditions(),
            serde_json::json!({ "access": "none", "not": ["access"], "where": [
                { "field": "department", "op": "is", "value": "HR & co" }, { "field": "room", "op": "empty" }] })
        );
        assert_eq!(View::parse(&view.query()).unwrap(), view);
        let unfinished = Fields::read(b"field=department&op=is&value=").unwrap();
        assert_eq!(View::read(&unfinished).unwrap_err().kind, ProblemKind::Malformed);
    }

    #[test]
    fn an_address_says_no_more_than_it_must() {
        assert_eq!(View::default().address("/console/users"), "/console/users");
        let view = View {
            filter: UserFilter {
                q: Some("ana & co".to_owned()),
                ..UserFilter::default()
            },
            page: Some(3),
            ..View::default()
        };
        assert_eq!(view.address("/console/users"), "/console/users?q=ana+%26+co&page=3");
    }

    #[test]
    fn a_view_comes_back_from_its_address_and_its_form() {
        let id = Uuid::from_u128(7);
        let address = format!(
            "q=ana&import={id}&effect=created&access=password_expired&last_email_failed=true&blocked=false&locked=false\
             &status=invited&before={id}&selection={id}&page=2"
        );

        let view = View::parse(&address).unwrap();

        assert_eq!(view.query(), address);
        let form = format!("{address}&after=&invited=&signed_in=&shown={id}&user={id}&do=search");
        assert_eq!(View::read(&Fields::read(form.as_bytes()).unwrap()).unwrap(), view);
        assert_eq!(
            View::of(view.user_filter().unwrap(), None).user_filter(),
            view.user_filter()
        );
    }

    #[test]
    fn conditions_with_a_name_are_shown_under_it() {
        for preset in Preset::ALL {
            let view = View::of(preset.filter(), None);
            assert_eq!((view.preset, view.filter.is_empty()), (Some(preset), true));
            assert_eq!(view.query(), format!("status={}", preset.as_str()));
        }
        let other = UserFilter {
            access: Some(Access::None),
            blocked: Some(true),
            ..UserFilter::default()
        };
        assert_eq!(View::of(other.clone(), None).filter, other);
    }

    #[test]
    fn conditions_that_contradict_each_other_match_nobody() {
        let view = View::parse("status=not_invited&invited=true").unwrap();
        assert_eq!(view.user_filter(), None);
        assert!(view.is_narrow());
    }

    #[test]
    fn what_cannot_be_read_is_not_everyone() {
        for query in [
            "status=everybody",
            "import=undefined",
            "q=%20",
            "status=",
            "blocked=yes",
            "imports=7",
        ] {
            assert_eq!(View::parse(query).unwrap_err().kind, ProblemKind::Malformed, "{query}");
        }
        for form in ["import=undefined", "status=everybody", "selection=0"] {
            let fields = Fields::read(form.as_bytes()).unwrap();
            assert_eq!(View::read(&fields).unwrap_err().kind, ProblemKind::Malformed, "{form}");
        }
    }
}
