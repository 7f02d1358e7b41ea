//! User filters as JSON and query parameters.

use crate::body::{not_null, without_controls};
use crate::page::PageRequest;
use crate::problem::{FieldError, Problem};
use crate::query;
use crate::status_words;
use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
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
            not: not.unwrap_or_default().into_iter().collect(),
        };
        require_what_is_negated(&filter)?;
        Ok(filter)
    }
}

/// Rejects a value that is not a failure reason.
fn require_reason(reason: &str) -> Result<(), FieldError> {
    without_controls("last_email_reason", reason)?;
    if status_words::is_reason(reason) {
        return Ok(());
    }
    let message = format!(
        "No email fails for the reason {}. Deliveries have their `reason`.",
        query::shown(reason)
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

/// Reads the conditions from a query, and its other parameters separately.
///
/// # Errors
///
/// 400 if a parameter is unknown, empty or invalid.
pub(crate) fn read<T: serde::de::DeserializeOwned>(query: &str, others: &[&str]) -> Result<(UserFilter, T), Problem> {
    let (request, others) = query::read_two::<FilterRequest, T>(query, others)?;
    let filter = UserFilter::try_from(request).map_err(|fault| {
        Problem::new(StatusCode::BAD_REQUEST, &fault.code, fault.message.clone()).with_errors(vec![fault])
    })?;
    Ok((filter, others))
}

/// Parameters of a list of users: filter and page.
#[derive(Clone, Debug)]
pub struct FilteredPage {
    /// The filter.
    pub filter: UserFilter,
    /// The page.
    pub page: PageRequest,
}

impl<S: Send + Sync> FromRequestParts<S> for FilteredPage {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let (filter, page) = read(parts.uri.query().unwrap_or_default(), &["limit", "cursor"])?;
        Ok(Self { filter, page })
    }
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

    #[test]
    fn a_filter_has_the_same_conditions_in_json_in_an_address_and_stored() {
        let conditions = json!({
            "q": "ana", "import": Uuid::from_u128(7), "effect": "updated", "invited": true, "signed_in": false,
            "access": "password_mailed", "last_email_failed": true, "blocked": false, "locked": false,
            "last_email_reason": "address_unknown", "batch": Uuid::from_u128(8),
            "where": [{ "field": "department", "op": "is", "value": "HR" }, { "field": "room", "op": "empty" }],
            "not": ["import", "access"]
        });
        let mut names: Vec<&str> = conditions.as_object().unwrap().keys().map(String::as_str).collect();
        names.sort_unstable();
        let mut known = FilterRequest::NAMES;
        known.sort_unstable();
        assert_eq!(names, known);
        let text = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let pairs = conditions
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| (name, text(value)));
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(pairs)
            .finish();

        let from_json: FilterRequest = serde_json::from_value(conditions.clone()).unwrap();
        let from_json = UserFilter::try_from(from_json).unwrap();
        let (from_query, page) = read::<PageRequest>(&format!("limit=7&{query}"), &["limit", "cursor"]).unwrap();

        assert_eq!((&from_query, page.limit), (&from_json, Some(7)));
        assert_eq!(from_json.conditions(), conditions);
        assert_eq!(UserFilter::from_stored(&conditions), Some(from_json));
    }
}
