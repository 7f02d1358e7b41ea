//! Merge fields without a value for some recipients.

use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::app::wording::compiled;
use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::language::ByLanguage;
use shared::store::missing::{self, ChosenUsers, MissingCount};
use shared::store::system_emails::Wording;
use shared::store::{StoreResult, Transaction};
use shared::system_email::SystemEmailKind;
use std::collections::{BTreeMap, BTreeSet};
use url::form_urlencoded::Serializer;
use utoipa::ToSchema;
use uuid::Uuid;

/// A merge field of the email for which some users have no value. Texts in several languages may have several default
/// texts for a field, each with its users.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MissingValue {
    /// The field.
    pub field: String,
    /// Number of users without a value.
    pub people: i64,
    /// The default text in their email; absent if there is none.
    #[serde(default)]
    pub default: Option<String>,
    /// The URL of a list of the users without a value, in all languages.
    #[serde(default)]
    pub users_url: String,
}

/// The merge fields of an email that may have no value, with their default texts.
pub(crate) type Fallbacks = ByLanguage<BTreeMap<String, Option<String>>>;

/// The fields of the email's texts that may have no value.
pub(crate) async fn fallbacks(
    api: &AppState,
    kind: SystemEmailKind,
    wording: Option<&Wording>,
) -> Result<Fallbacks, Problem> {
    let named = |(field, text): (shared::system_email::Field, Option<String>)| (field.name().to_owned(), text);
    let compiled = compiled(api, kind, wording).await?;
    Ok(compiled.map(|_, text| text.fallbacks().into_iter().map(named).collect()))
}

/// The names of the fields in all languages.
fn names_of(fallbacks: &Fallbacks) -> Vec<String> {
    let names: BTreeSet<&String> = fallbacks.iter().flat_map(|(_, fields)| fields.keys()).collect();
    names.into_iter().cloned().collect()
}

/// Merge fields without a value in a selection; those without a default text come first.
pub(crate) async fn of_choice(
    api: &AppState,
    chosen: ChosenUsers<'_>,
    wording: Option<&Wording>,
) -> Result<Vec<MissingValue>, Problem> {
    let fallbacks = fallbacks(api, chosen.kind, wording).await?;
    let names = names_of(&fallbacks);
    let counted = if names.is_empty() {
        Vec::new()
    } else {
        missing::count(&api.db, chosen, &names).await?
    };
    Ok(named(&fallbacks, counted, |_| String::new()))
}

/// Merge fields without a value in a batch.
pub(super) async fn of_batch(
    transaction: &mut Transaction,
    batch: Uuid,
    fallbacks: &Fallbacks,
) -> StoreResult<Vec<MissingValue>> {
    let names = names_of(fallbacks);
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let counted = missing::in_batch(transaction, batch, &names).await?;
    Ok(named(fallbacks, counted, |field| users_url(batch, field)))
}

/// Address of the list of users in a batch who have no value for a field.
fn users_url(batch: Uuid, field: &str) -> String {
    let empty = match field {
        "full_name" => vec!["first_name", "last_name"],
        other => vec![other],
    };
    let conditions = empty.iter().map(|field| json!({ "field": field, "op": "empty" }));
    let query = Serializer::new(String::new())
        .append_pair("batch", &batch.to_string())
        .append_pair("where", &conditions.collect::<serde_json::Value>().to_string())
        .finish();
    format!("/v1/users?{query}")
}

fn named(fallbacks: &Fallbacks, counted: Vec<MissingCount>, users_url: impl Fn(&str) -> String) -> Vec<MissingValue> {
    let mut people: BTreeMap<(String, Option<String>), i64> = BTreeMap::new();
    for MissingCount {
        field,
        language,
        people: lacking,
    } in counted
    {
        let (_, fields) = fallbacks.pick(&language);
        // A text that does not use the field shows no gap.
        if let Some(default) = fields.get(&field) {
            *people.entry((field, default.clone())).or_default() += lacking;
        }
    }
    let value = |((field, default), people): ((String, Option<String>), i64)| MissingValue {
        default,
        users_url: users_url(&field),
        field,
        people,
    };
    let mut values: Vec<MissingValue> = people.into_iter().map(value).collect();
    values.sort_by_key(|value| value.default.is_some());
    values
}
