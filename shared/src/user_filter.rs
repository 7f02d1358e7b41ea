//! Conditions on users, shared by lists, selections and batches.
//!
//! Requests, URLs of the console and stored selections all become a [`UserFilter`], which only
//! `store/users/matching.rs` translates to SQL.

use crate::store::imports::ImportEffect;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeSet;
use uuid::Uuid;

mod field_condition;

pub use field_condition::{Comparison, FieldCondition, MAX_CONDITIONS, OWN_FIELDS};

/// A filter. A user matches who meets all conditions that are set.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserFilter {
    /// Part of the address or the name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    /// The import that contains them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub import: Option<Uuid>,
    /// The effect of an import on them; of the given one if `import` is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect: Option<ImportEffect>,
    /// Whether an invite to them was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invited: Option<bool>,
    /// Whether they have signed in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed_in: Option<bool>,
    /// How far they have come with signing in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access: Option<Access>,
    /// Whether their latest email failed or expired, or their address is blocked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_email_failed: Option<bool>,
    /// Whether their address is blocked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocked: Option<bool>,
    /// Whether they are locked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locked: Option<bool>,
    /// Why their latest email failed, as the reason of a delivery.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_email_reason: Option<String>,
    /// The batch that contains them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<Uuid>,
    /// Conditions on their fields.
    #[serde(rename = "where", default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldCondition>,
    /// The conditions that are negated.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub not: BTreeSet<Negatable>,
}

crate::named_enum! {
    /// A condition that can be negated. The others have an explicit opposite.
    #[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum Negatable {
        /// `q`.
        Q = "q",
        /// `import`, with `effect`.
        Import = "import",
        /// `access`.
        Access = "access",
        /// `last_email_reason`.
        LastEmailReason = "last_email_reason",
        /// `batch`.
        Batch = "batch",
    }
}

crate::named_enum! {
    /// How far a user has come with signing in. The furthest step counts: for a user who has signed in once, later
    /// mails change nothing.
    #[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum Access {
        /// They have no password.
        None = "none",
        /// They were mailed a password that works and that they have not used.
        PasswordMailed = "password_mailed",
        /// Their mailed passwords have expired unused.
        PasswordExpired = "password_expired",
        /// They have signed in with a mailed password.
        SignedIn = "signed_in",
        /// They have chosen a password.
        OwnPassword = "own_password",
    }
}

/// The stored form of a filter that matches all users. An empty filter could be one that was lost.
const EVERYONE: &str = "everyone";

impl UserFilter {
    /// Whether it has no conditions, so that it matches all users.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The conditions by name, as in requests, URLs and Postgres.
    pub fn conditions(&self) -> Value {
        // Texts, booleans and ids can always be serialised.
        serde_json::to_value(self).unwrap_or_default()
    }

    /// Its form in a stored selection.
    pub fn stored(&self) -> Value {
        if self.is_empty() {
            serde_json::json!({ EVERYONE: true })
        } else {
            self.conditions()
        }
    }

    /// Reads the filter of a stored selection. Returns `None` if it is unreadable or has no conditions.
    pub fn from_stored(stored: &Value) -> Option<Self> {
        if *stored == Self::default().stored() {
            return Some(Self::default());
        }
        Self::deserialize(stored).ok().filter(|filter| !filter.is_empty())
    }

    /// Combines the conditions of both; `None` if they contradict each other.
    #[must_use]
    pub fn and(self, other: Self) -> Option<Self> {
        let mut not = BTreeSet::new();
        let signs = |name: Negatable| (self.not.contains(&name), other.not.contains(&name));
        let mut fields = self.fields;
        let unknown = other.fields.into_iter().filter(|condition| !fields.contains(condition));
        let unknown: Vec<FieldCondition> = unknown.collect();
        fields.extend(unknown);
        Some(Self {
            q: intersect_signed(Negatable::Q, self.q, other.q, signs(Negatable::Q), &mut not)?,
            import: intersect_signed(
                Negatable::Import,
                self.import,
                other.import,
                signs(Negatable::Import),
                &mut not,
            )?,
            effect: intersect(self.effect, other.effect)?,
            invited: intersect(self.invited, other.invited)?,
            signed_in: intersect(self.signed_in, other.signed_in)?,
            access: intersect_signed(
                Negatable::Access,
                self.access,
                other.access,
                signs(Negatable::Access),
                &mut not,
            )?,
            last_email_failed: intersect(self.last_email_failed, other.last_email_failed)?,
            blocked: intersect(self.blocked, other.blocked)?,
            locked: intersect(self.locked, other.locked)?,
            last_email_reason: intersect_signed(
                Negatable::LastEmailReason,
                self.last_email_reason,
                other.last_email_reason,
                signs(Negatable::LastEmailReason),
                &mut not,
            )?,
            batch: intersect_signed(
                Negatable::Batch,
                self.batch,
                other.batch,
                signs(Negatable::Batch),
                &mut not,
            )?,
            fields,
            not,
        })
    }
}

#[expect(
    clippy::option_option,
    reason = "the outer one is a contradiction, the inner one no condition"
)]
fn intersect<T: PartialEq>(one: Option<T>, other: Option<T>) -> Option<Option<T>> {
    match (one, other) {
        (Some(one), Some(other)) if one != other => None,
        (one, other) => Some(one.or(other)),
    }
}

/// Like [`intersect`], for conditions that may be negated. Requiring and excluding the same value is a contradiction. If
/// one value is required and another one excluded, the required one suffices.
#[expect(
    clippy::option_option,
    reason = "the outer one is a contradiction, the inner one no condition"
)]
fn intersect_signed<T: PartialEq>(
    name: Negatable,
    one: Option<T>,
    other: Option<T>,
    (is_one_negated, is_other_negated): (bool, bool),
    not: &mut BTreeSet<Negatable>,
) -> Option<Option<T>> {
    let (value, is_negated) = match (one, other) {
        (None, None) => return Some(None),
        (Some(one), None) => (one, is_one_negated),
        (None, Some(other)) => (other, is_other_negated),
        (Some(one), Some(other)) => match (is_one_negated, is_other_negated, one == other) {
            (true, true, true) => (one, true),
            (false, false, true) | (false, true, false) => (one, false),
            (true, false, false) => (other, false),
            _ => return None,
        },
    };
    if is_negated {
        not.insert(name);
    }
    Some(Some(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_filter_is_read_back_as_stored_and_all_users_are_explicit() {
        let filter = UserFilter {
            q: Some("ana".to_owned()),
            access: Some(Access::PasswordExpired),
            blocked: Some(false),
            ..UserFilter::default()
        };
        assert_eq!(
            filter.stored(),
            json!({ "q": "ana", "access": "password_expired", "blocked": false })
        );
        assert_eq!(UserFilter::from_stored(&filter.stored()), Some(filter));
        let everyone = UserFilter::default();
        assert_eq!(everyone.stored(), json!({ "everyone": true }));
        assert_eq!(UserFilter::from_stored(&everyone.stored()), Some(everyone));
    }

    #[test]
    fn a_stored_filter_without_conditions_matches_no_users() {
        for stored in [
            json!(null),
            json!({}),
            json!({ "q": null }),
            json!({ "everyone": false }),
            json!({ "everyone": true, "q": "ana" }),
            json!({ "status": "not_invited" }),
            json!([]),
        ] {
            assert_eq!(UserFilter::from_stored(&stored), None, "{stored}");
        }
    }

    #[test]
    fn two_filters_are_combined_unless_they_contradict_each_other() {
        let invited = |invited| UserFilter {
            invited: Some(invited),
            ..UserFilter::default()
        };
        let blocked = UserFilter {
            blocked: Some(true),
            ..UserFilter::default()
        };
        let joined = invited(true).and(blocked).unwrap();
        assert_eq!((joined.invited, joined.blocked), (Some(true), Some(true)));
        assert_eq!(invited(true).and(invited(true)), Some(invited(true)));
        assert_eq!(invited(true).and(invited(false)), None);
    }

    #[test]
    fn required_and_excluded_values_are_combined() {
        let access = |access, is_negated: bool| UserFilter {
            access: Some(access),
            not: is_negated.then_some(Negatable::Access).into_iter().collect(),
            ..UserFilter::default()
        };

        let other = access(Access::None, false).and(access(Access::SignedIn, true));

        assert_eq!(other, Some(access(Access::None, false)));
        assert_eq!(access(Access::None, false).and(access(Access::None, true)), None);
        let alone = access(Access::None, true).and(UserFilter::default());
        assert_eq!(alone, Some(access(Access::None, true)));
        for name in Negatable::ALL {
            assert_eq!(json!(name), name.as_str());
        }
    }

    #[test]
    fn an_access_state_has_the_same_name_in_sql_and_json() {
        for access in Access::ALL {
            assert_eq!(json!(access), access.as_str());
        }
    }
}
