//! User filters as JSON and query parameters.

use crate::app::problem::FieldError;
use crate::app::status_labels;
use crate::app::validation::{not_null, shown, without_controls};
use serde::Deserialize;
use shared::store::imports::ImportEffect;
use shared::user_filter::{Access, Negatable, UserFilter};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

mod conditions;
mod words;

pub use conditions::{FieldConditionRequest, require_known_fields};
pub use words::{reason_words, words};

use conditions::list_or_text;

/// Conditions on users. A user matches who meets all of them.
#[derive(Clone, Debug, Default, Deserialize, ToSchema, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FilterRequest {
    /// Part of the address or the name.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = String, required = false, min_length = 1)]
    #[param(value_type = String, required = false, min_length = 1)]
    pub q: Option<String>,
    /// Users in this import.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = Uuid, required = false)]
    #[param(value_type = Uuid, required = false)]
    pub import: Option<Uuid>,
    /// Users `created`, `updated` or left `unchanged` by an import; by the given one if `import` is set.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = String, required = false)]
    #[param(value_type = String, required = false)]
    pub effect: Option<ImportEffect>,
    /// Whether an invite to them was sent.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = bool, required = false)]
    #[param(value_type = bool, required = false)]
    pub invited: Option<bool>,
    /// Whether they have signed in.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = bool, required = false)]
    #[param(value_type = bool, required = false)]
    pub signed_in: Option<bool>,
    /// Their `access.state`: `none`, `password_mailed` (not used yet), `password_expired`, `signed_in` (with a mailed
    /// password) or `own_password`.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = String, required = false)]
    #[param(value_type = String, required = false)]
    pub access: Option<Access>,
    /// Whether their latest email failed or expired, or their address is blocked.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = bool, required = false)]
    #[param(value_type = bool, required = false)]
    pub last_email_failed: Option<bool>,
    /// Whether their address is blocked.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = bool, required = false)]
    #[param(value_type = bool, required = false)]
    pub blocked: Option<bool>,
    /// Whether they are locked.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = bool, required = false)]
    #[param(value_type = bool, required = false)]
    pub locked: Option<bool>,
    /// Why their latest email failed: the `reason` of its delivery, such as `address_unknown` or `mailbox_full`.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = String, required = false, min_length = 1)]
    #[param(value_type = String, required = false, min_length = 1)]
    pub last_email_reason: Option<String>,
    /// Users in this batch.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = Uuid, required = false)]
    #[param(value_type = Uuid, required = false)]
    pub batch: Option<Uuid>,
    /// Conditions on fields, all of which must be met. In a query string, the list as JSON:
    /// `where=[{"field":"department","op":"is","value":"HR"}]`.
    #[serde(rename = "where", default, deserialize_with = "list_or_text")]
    #[schema(value_type = Vec<FieldConditionRequest>, required = false)]
    #[param(rename = "where", value_type = String, required = false)]
    pub fields: Option<Vec<FieldConditionRequest>>,
    /// Names of conditions to negate: `q`, `import`, `access`, `last_email_reason`, `batch`. In a query string,
    /// separated by commas.
    #[serde(default, deserialize_with = "list_or_text")]
    #[schema(value_type = Vec<String>, required = false)]
    #[param(value_type = String, required = false)]
    pub not: Option<Vec<Negatable>>,
}

impl FilterRequest {
    /// Names of the conditions.
    pub const NAMES: [&str; 13] = [
        "q",
        "import",
        "effect",
        "invited",
        "signed_in",
        "access",
        "last_email_failed",
        "blocked",
        "locked",
        "last_email_reason",
        "batch",
        "where",
        "not",
    ];
}

impl TryFrom<FilterRequest> for UserFilter {
    type Error = FieldError;

    /// Converts the request for the store. An empty search text is an error, because it would match everyone.
    fn try_from(request: FilterRequest) -> Result<Self, FieldError> {
        let FilterRequest {
            q,
            import,
            effect,
            invited,
            signed_in,
            access,
            last_email_failed,
            blocked,
            locked,
            last_email_reason,
            batch,
            fields,
            not,
        } = request;
        if let Some(q) = &q {
            without_controls("q", q)?;
            if q.trim().is_empty() {
                return Err(FieldError::in_field(
                    "q",
                    "blank",
                    "q is blank. Write what to search for, or leave q out.",
                ));
            }
        }
        last_email_reason.as_deref().map(require_reason).transpose()?;
        let filter = Self {
            q: q.map(|q| q.trim().to_owned()),
            import,
            effect,
            invited,
            signed_in,
            access,
            last_email_failed,
            blocked,
            locked,
            last_email_reason,
            batch,
            fields: conditions::conditions(fields.unwrap_or_default())?,
            not: conditions::negations(not.unwrap_or_default())?,
        };
        require_what_is_negated(&filter)?;
        Ok(filter)
    }
}

/// Rejects a value that is not a failure reason.
fn require_reason(reason: &str) -> Result<(), FieldError> {
    without_controls("last_email_reason", reason)?;
    if status_labels::is_reason(reason) {
        return Ok(());
    }
    let message = format!(
        "No email fails for the reason {}. Deliveries have their `reason`.",
        shown(reason)
    );
    Err(FieldError::in_field("last_email_reason", "unknown_reason", message))
}

/// Rejects the negation of a condition that is absent.
fn require_what_is_negated(filter: &UserFilter) -> Result<(), FieldError> {
    let conditions = filter.conditions();
    let Some(name) = filter.not.iter().find(|name| conditions.get(name.as_str()).is_none()) else {
        return Ok(());
    };
    let name = name.as_str();
    let message = format!("not names {name}, and there is no condition {name}.");
    Err(FieldError::in_field("not", "nothing_to_negate", message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_filter_without_meaning_is_rejected() {
        for (asked, code) in [
            (json!({ "where": [{ "field": "room", "op": "is" }] }), "value_missing"),
            (
                json!({ "where": [{ "field": "room", "op": "is", "value": " " }] }),
                "blank",
            ),
            (
                json!({ "where": [{ "field": "room", "op": "empty", "value": "x" }] }),
                "value_not_used",
            ),
            (
                json!({ "where": [{ "field": "start", "op": "before", "value": "1.2.2026" }] }),
                "date_invalid",
            ),
            (
                json!({ "where": [{ "field": "password", "op": "not_empty" }] }),
                "reserved_field",
            ),
            (json!({ "last_email_reason": "bad luck" }), "unknown_reason"),
            (json!({ "not": ["import"] }), "nothing_to_negate"),
        ] {
            let request: FilterRequest = serde_json::from_value(asked.clone()).unwrap();
            assert_eq!(UserFilter::try_from(request).unwrap_err().code, code, "{asked}");
        }
        for asked in [
            json!({ "where": [{ "field": "room", "op": "like" }] }),
            json!({ "not": ["invited"] }),
        ] {
            assert!(
                serde_json::from_value::<FilterRequest>(asked.clone()).is_err(),
                "{asked}"
            );
        }
    }
}
