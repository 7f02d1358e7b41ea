//! The fields of a form that was sent.

use crate::problem::Problem;
use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use url::form_urlencoded;

/// Fields that a form may have.
///
/// The largest forms are a user's, with a field for each of the 200 merge fields that an import can
/// bring, and a page of the list of users, with two for each of its 50 rows. A field takes far more
/// memory than the two bytes that an empty one takes in the body.
const FIELDS_MOST: usize = 2_000;

/// The fields in the order of the form. A name may come several times, as ticked boxes do.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads `application/x-www-form-urlencoded`. Line ends become `\n`, however the browser sent
    /// them.
    ///
    /// # Errors
    ///
    /// 413 when there are more than any form of ours has.
    pub(super) fn read(body: &[u8]) -> Result<Self, Problem> {
        let mut fields = Vec::new();
        for (name, value) in form_urlencoded::parse(body) {
            if fields.len() == FIELDS_MOST {
                return Err(too_many());
            }
            let value = match value {
                value if value.contains("\r\n") => value.replace("\r\n", "\n"),
                value => value.into_owned(),
            };
            fields.push((name.into_owned(), value));
        }
        Ok(Self(fields))
    }

    /// A field's first value as it was typed; empty when the form had none.
    pub(super) fn text(&self, name: &str) -> &str {
        self.all(name).next().unwrap_or_default()
    }

    /// A field's value without blanks around it.
    pub(super) fn trimmed(&self, name: &str) -> &str {
        self.text(name).trim()
    }

    /// All values of a name.
    pub(super) fn all<'f>(&'f self, name: &str) -> impl Iterator<Item = &'f str> {
        self.0
            .iter()
            .filter(move |(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// Whether a field was sent with something in it, as a ticked box or a pressed button is.
    pub(super) fn is_set(&self, name: &str) -> bool {
        !self.text(name).is_empty()
    }

    /// Takes a field out and returns its first value, if the form has it.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        let mut taken = self
            .0
            .extract_if(.., |(known, _)| known == name)
            .map(|(_, value)| value);
        let first = taken.next();
        taken.for_each(drop);
        first
    }

    /// All names and values.
    pub(super) fn pairs(&self) -> &[(String, String)] {
        &self.0
    }

    /// As they travel.
    pub(super) fn encoded(&self) -> String {
        form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&self.0)
            .finish()
    }
}

fn too_many() -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "form_too_many_fields",
        "The form has more fields than any page of ours. Nothing was done.",
    )
}

impl<S: Send + Sync> FromRequestParts<S> for Fields {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // Put there by the door, which has checked the form; without it there is no form.
        parts.extensions.remove::<Self>().ok_or_else(Problem::internal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_as_the_browser_meant_them() {
        let mut fields = Fields::read("user=1&user=2&name=+Ana+Ru%C3%ADz+&body=a%0D%0Ab&send=".as_bytes()).unwrap();

        assert_eq!(fields.all("user").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(fields.trimmed("name"), "Ana Ruíz");
        assert_eq!(fields.text("body"), "a\nb");
        assert!(!fields.is_set("send") && !fields.is_set("nothing"));
        let again = Fields::read(fields.encoded().as_bytes()).unwrap();
        assert_eq!(again.pairs(), fields.pairs());
        assert_eq!(fields.take("user").as_deref(), Some("1"));
        assert_eq!(fields.take("user"), None);
        assert_eq!(fields.pairs().len(), 3);
    }

    #[test]
    fn a_form_with_more_fields_than_any_page_has_is_refused() {
        assert!(Fields::read("a&".repeat(FIELDS_MOST).as_bytes()).is_ok());

        let problem = Fields::read("a&".repeat(FIELDS_MOST + 1).as_bytes()).unwrap_err();

        assert_eq!(
            (problem.status, problem.kind.as_str()),
            (413, "/problems/form_too_many_fields")
        );
    }
}
