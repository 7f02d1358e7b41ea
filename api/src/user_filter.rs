//! Conditions on users, as requests name them.

use crate::body::{not_null, without_controls};
use crate::problem::FieldError;
use serde::Deserialize;
use shared::store::imports::ImportEffect;
use shared::store::users::UserFilter;
use utoipa::ToSchema;
use uuid::Uuid;

/// Which users match: those who meet all conditions.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FilterRequest {
    /// Part of the address or name.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = String, required = false, min_length = 1)]
    pub q: Option<String>,
    /// Brought in by this import.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = Uuid, required = false)]
    pub import: Option<Uuid>,
    /// `created`, `updated` or left `unchanged` by an import; by this one, with `import`.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = String, required = false)]
    pub effect: Option<ImportEffect>,
    /// Got an invite.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = bool, required = false)]
    pub invited: Option<bool>,
    /// Has signed in.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = bool, required = false)]
    pub signed_in: Option<bool>,
}

impl TryFrom<FilterRequest> for UserFilter {
    type Error = FieldError;

    /// The conditions as Postgres is asked. A search for nothing is an error, because it would match everyone.
    fn try_from(request: FilterRequest) -> Result<Self, FieldError> {
        if let Some(q) = &request.q {
            without_controls("q", q)?;
            if q.trim().is_empty() {
                return Err(FieldError::in_field(
                    "q",
                    "blank",
                    "q is blank. Write what to search for, or leave q out.",
                ));
            }
        }
        Ok(Self {
            search: request.q,
            import: request.import,
            effect: request.effect,
            invited: request.invited,
            signed_in: request.signed_in,
            failed: None,
        })
    }
}
