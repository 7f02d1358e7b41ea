//! User filters in query strings.

use crate::app::problem::Problem;
use crate::app::user_filter::FilterRequest;
use crate::http::pagination::PageRequest;
use crate::http::query::read_two;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use shared::store::users::UserOrder;
use shared::user_filter::UserFilter;
use utoipa::IntoParams;

/// Reads the conditions from a query, and its other parameters separately.
///
/// # Errors
///
/// 400 if a parameter is unknown, empty or invalid.
pub(crate) fn read<T: DeserializeOwned>(query: &str, others: &[&str]) -> Result<(UserFilter, T), Problem> {
    let (request, others) = read_two::<FilterRequest, T>(query, others)?;
    let filter = UserFilter::try_from(request)
        .map_err(|fault| Problem::malformed(&fault.code, fault.message.clone()).with_errors(vec![fault]))?;
    Ok((filter, others))
}

/// The order and the page of a list of users.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct UserListRequest {
    /// `last_name`: by last name, then first name, users without a name last. `invited`: by their latest invite, newest
    /// first, users without one last. By default, users are in order of creation.
    #[param(value_type = Option<String>)]
    pub sort: Option<UserOrder>,
    /// Maximum number of items: 1 to 1000, default 50.
    pub limit: Option<i64>,
    /// The `next_cursor` of the previous page in the same order.
    pub cursor: Option<String>,
}

/// Parameters of a list of users: filter, order and page.
#[derive(Clone, Debug)]
pub struct FilteredPage {
    /// The filter.
    pub filter: UserFilter,
    /// The order; `None` for the order of creation.
    pub order: Option<UserOrder>,
    /// The page.
    pub page: PageRequest,
}

impl<S: Send + Sync> FromRequestParts<S> for FilteredPage {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or_default();
        let (filter, list) = read::<UserListRequest>(query, &["sort", "limit", "cursor"])?;
        Ok(Self {
            filter,
            order: list.sort,
            page: PageRequest {
                limit: list.limit,
                cursor: list.cursor,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use uuid::Uuid;

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
