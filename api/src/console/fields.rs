//! The fields of a submitted form.
//!
//! Some hold passwords, so the values are wiped when the form is dropped, and `Debug` prints only the names.

use crate::app::problem::{Problem, ProblemKind};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use std::borrow::Cow;
use std::fmt;
use url::form_urlencoded;
use uuid::Uuid;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Maximum number of fields in a form.
///
/// The largest forms are a user's, with a field for each of the 200 merge fields that an import can create, and a page
/// of the user list, with two for each of its 50 rows. An empty field takes two bytes in the body but far more memory.
const MAX_FIELDS: usize = 2_000;

/// The fields in the order of the form. Names may repeat, as for checkboxes.
#[derive(Clone, Default, Zeroize, ZeroizeOnDrop)]
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads `application/x-www-form-urlencoded`. Line ends are normalised to `\n`.
    ///
    /// # Errors
    ///
    /// 413 for more fields than any of our forms has.
    pub(super) fn read(body: &[u8]) -> Result<Self, Problem> {
        let mut fields = Self::default();
        for (name, value) in form_urlencoded::parse(body) {
            if fields.0.len() == MAX_FIELDS {
                return Err(too_many());
            }
            fields.0.push((name.into_owned(), with_line_feeds(value)));
        }
        Ok(fields)
    }

    /// The first value of a field as typed; empty if the form has no such field.
    pub(super) fn text(&self, name: &str) -> &str {
        self.all(name).next().unwrap_or_default()
    }

    /// The first value of a field without surrounding white space.
    pub(super) fn trimmed(&self, name: &str) -> &str {
        self.text(name).trim()
    }

    /// All values of a field.
    pub(super) fn all<'f>(&'f self, name: &str) -> impl Iterator<Item = &'f str> {
        self.0
            .iter()
            .filter(move |(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// The id in a field; `None` if it is empty.
    ///
    /// # Errors
    ///
    /// 422 if it is not an id. Ignoring it would apply the form to all users.
    pub(super) fn id(&self, name: &str) -> Result<Option<Uuid>, Problem> {
        let text = self.trimmed(name);
        if text.is_empty() {
            return Ok(None);
        }
        text.parse().map(Some).map_err(|_| {
            Problem::invalid(
                "form_invalid",
                format!("The form field {name} is not an id. Nothing was changed. Open the page again."),
            )
        })
    }

    /// Whether a field has a value, as a ticked checkbox or the clicked button has.
    pub(super) fn is_set(&self, name: &str) -> bool {
        !self.text(name).is_empty()
    }

    /// Removes a field and returns its first value.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        let mut taken = self
            .0
            .extract_if(.., |(known, _)| known == name)
            .map(|(_, value)| value);
        let first = taken.next();
        taken.for_each(drop);
        first
    }

    pub(super) fn pairs(&self) -> &[(String, String)] {
        &self.0
    }

    /// The fields in URL encoding.
    pub(super) fn encoded(&self) -> String {
        form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&self.0)
            .finish()
    }
}

fn too_many() -> Problem {
    Problem::new(
        ProblemKind::TooLarge,
        "form_too_many_fields",
        "The form has too many fields. Nothing was changed.",
    )
}

/// Replaces `\r\n` by `\n` and wipes the original.
fn with_line_feeds(value: Cow<'_, str>) -> String {
    if value.contains("\r\n") {
        Zeroizing::new(value.into_owned()).replace("\r\n", "\n")
    } else {
        value.into_owned()
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Fields {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // `require_session` inserts the fields after checking the form. Without them there was no form.
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
        assert_eq!(
            (fields.id("send").unwrap(), fields.id("nothing").unwrap()),
            (None, None)
        );
        assert_eq!(fields.id("name").unwrap_err().kind, ProblemKind::Invalid);
        let again = Fields::read(fields.encoded().as_bytes()).unwrap();
        assert_eq!(again.pairs(), fields.pairs());
        assert_eq!(fields.take("user").as_deref(), Some("1"));
        assert_eq!(fields.take("user"), None);
        assert_eq!(fields.pairs().len(), 3);
    }

    #[test]
    fn a_form_with_more_fields_than_any_page_has_is_refused() {
        assert!(Fields::read("a&".repeat(MAX_FIELDS).as_bytes()).is_ok());

        let problem = Fields::read("a&".repeat(MAX_FIELDS + 1).as_bytes()).unwrap_err();

        assert_eq!(
            (problem.kind, problem.code.as_str()),
            (ProblemKind::TooLarge, "form_too_many_fields")
        );
    }

    #[test]
    fn a_form_prints_its_names_and_never_what_was_typed() {
        let fields = Fields::read(b"email=ana%40lerna.example&new_password=correct+horse+battery").unwrap();

        assert_eq!(format!("{fields:?}"), r#"["email", "new_password"]"#);
    }

    #[test]
    fn a_form_is_wiped_when_it_is_dropped() {
        fn is_wiped_on_drop<T: ZeroizeOnDrop>(_: &T) {}
        let mut fields = Fields::read(b"new_password=correct+horse+battery").unwrap();
        is_wiped_on_drop(&fields);

        fields.zeroize();

        assert!(fields.pairs().is_empty(), "{fields:?}");
    }
}
