//! The choices of the check page: who is included, and when the batch starts.

use crate::console::fields::Fields;
use serde::Deserialize;
use shared::store::left_out::Inclusions;
use url::form_urlencoded::byte_serialize;

/// Query of the check page: whether people who are usually left out are included, and when the batch starts.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub(in crate::console) struct Choice {
    /// Include people who have signed in.
    #[serde(default)]
    pub(super) signed_in: Option<bool>,
    /// Include people who got this email in the last 24 hours.
    #[serde(default)]
    pub(super) recent: Option<bool>,
    /// Scheduled start in UTC, as the field submits it; empty for now.
    #[serde(default)]
    pub(super) start_at: String,
}

impl Choice {
    /// Reads the submitted form.
    pub(super) fn read(fields: &Fields) -> Self {
        let is_true = |name: &str| Some(fields.text(name) == "true");
        Self {
            signed_in: is_true("signed_in"),
            recent: is_true("recent"),
            start_at: fields.trimmed("start_at").to_owned(),
        }
    }

    /// Who is included, as a query string. The form repeats it to identify its numbers.
    pub(super) fn included(&self) -> String {
        let is = |choice: Option<bool>| choice.unwrap_or_default();
        format!("signed_in={}&recent={}", is(self.signed_in), is(self.recent))
    }

    /// The query string.
    pub(super) fn query(&self) -> String {
        let mut query = self.included();
        if !self.start_at.is_empty() {
            let start_at: String = byte_serialize(self.start_at.as_bytes()).collect();
            query.push_str("&start_at=");
            query.push_str(&start_at);
        }
        query
    }

    /// The options, with defaults: a single selected person gets the email; from a larger selection, people who do not
    /// need it are left out.
    pub(super) fn resolved(&self, is_one: bool) -> Inclusions {
        Inclusions {
            signed_in: self.signed_in.unwrap_or(is_one),
            recent: self.recent.unwrap_or(is_one),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_person_chosen_by_name_is_not_left_out() {
        assert_eq!(Choice::default().resolved(true), Inclusions::ALL);
        assert_eq!(Choice::default().resolved(false), Inclusions::default());
    }
}
