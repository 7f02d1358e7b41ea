//! Merge fields without a value for some recipients.

use crate::problem::Problem;
use crate::state::Api;
use crate::system_emails::in_use;
use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::store::missing::{self, ChosenUsers};
use shared::store::{StoreResult, Transaction};
use shared::system_email::SystemEmailKind;
use std::collections::BTreeMap;
use url::form_urlencoded::Serializer;
use utoipa::ToSchema;
use uuid::Uuid;

/// A merge field of the email for which some users have no value.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MissingValue {
    /// The field.
    pub field: String,
    /// Number of users without a value.
    pub people: i64,
    /// The default text in their email; absent if there is none.
    #[serde(default)]
    pub default: Option<String>,
    /// The URL of a list of these users.
    #[serde(default)]
    pub users_url: String,
}

/// The merge fields of the email that may have no value, with their default texts.
pub(crate) async fn fallbacks(api: &Api, kind: SystemEmailKind) -> Result<BTreeMap<String, Option<String>>, Problem> {
    let fallbacks = in_use(api, kind).await?.fallbacks();
    let named = |(field, text): (shared::system_email::Field, Option<String>)| (field.name().to_owned(), text);
    Ok(fallbacks.into_iter().map(named).collect())
}

/// Merge fields without a value in a selection; those without a default text come first.
pub(crate) async fn of_choice(api: &Api, chosen: ChosenUsers) -> Result<Vec<MissingValue>, Problem> {
    let fallbacks = fallbacks(api, chosen.kind).await?;
    let names: Vec<String> = fallbacks.keys().cloned().collect();
    let counted = if names.is_empty() {
        BTreeMap::new()
    } else {
        missing::count(&api.db, chosen, &names).await?
    };
    Ok(named(&fallbacks, counted, |_| String::new()))
}

/// Merge fields without a value in a batch.
pub(super) async fn of_batch(
    transaction: &mut Transaction,
    batch: Uuid,
    fallbacks: &BTreeMap<String, Option<String>>,
) -> StoreResult<Vec<MissingValue>> {
    let names: Vec<String> = fallbacks.keys().cloned().collect();
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

fn named(
    fallbacks: &BTreeMap<String, Option<String>>,
    counted: BTreeMap<String, i64>,
    users_url: impl Fn(&str) -> String,
) -> Vec<MissingValue> {
    let value = |(field, people): (String, i64)| MissingValue {
        default: fallbacks.get(&field).cloned().flatten(),
        users_url: users_url(&field),
        field,
        people,
    };
    let mut values: Vec<MissingValue> = counted.into_iter().map(value).collect();
    values.sort_by_key(|value| value.default.is_some());
    values
}
