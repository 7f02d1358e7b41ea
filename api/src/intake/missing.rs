//! What the email lacks for those who get it.

use crate::problem::Problem;
use crate::state::Api;
use crate::system_emails::in_use;
use serde::{Deserialize, Serialize};
use shared::store::missing::{self, ChosenUsers};
use shared::store::{StoreResult, Transaction};
use shared::system_email::SystemEmailKind;
use std::collections::BTreeMap;
use utoipa::ToSchema;
use uuid::Uuid;

/// A merge field of the email for which some of the people have no value.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MissingValue {
    /// The field.
    pub field: String,
    /// How many people have no value for it.
    pub people: i64,
    /// What their email says instead; absent where it says nothing.
    #[serde(default)]
    pub default: Option<String>,
}

/// The fields of the email that may lack a value, and what it says then.
pub(crate) async fn fallbacks(api: &Api, kind: SystemEmailKind) -> Result<BTreeMap<String, Option<String>>, Problem> {
    let fallbacks = in_use(api, kind).await?.fallbacks();
    let named = |(field, text): (shared::system_email::Field, Option<String>)| (field.name().to_owned(), text);
    Ok(fallbacks.into_iter().map(named).collect())
}

/// What the email of a choice would lack: fields without another text first.
pub(crate) async fn of_choice(api: &Api, chosen: ChosenUsers) -> Result<Vec<MissingValue>, Problem> {
    let fallbacks = fallbacks(api, chosen.kind).await?;
    let names: Vec<String> = fallbacks.keys().cloned().collect();
    let counted = if names.is_empty() {
        BTreeMap::new()
    } else {
        missing::count(&api.db, chosen, &names).await?
    };
    Ok(named(&fallbacks, counted))
}

/// What the emails of a batch lack.
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
    Ok(named(fallbacks, counted))
}

fn named(fallbacks: &BTreeMap<String, Option<String>>, counted: BTreeMap<String, i64>) -> Vec<MissingValue> {
    let value = |(field, people): (String, i64)| MissingValue {
        default: fallbacks.get(&field).cloned().flatten(),
        field,
        people,
    };
    let mut values: Vec<MissingValue> = counted.into_iter().map(value).collect();
    values.sort_by_key(|value| value.default.is_some());
    values
}
