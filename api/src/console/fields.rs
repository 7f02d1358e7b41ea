//! The fields of a form that was sent.

use crate::problem::Problem;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use url::form_urlencoded;

/// The fields in the order of the form. A name may come several times, as ticked boxes do.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads `application/x-www-form-urlencoded`. Line ends become `\n`, however the browser sent
    /// them.
    pub(super) fn read(body: &[u8]) -> Self {
        let pairs = form_urlencoded::parse(body);
        Self(
            pairs
                .map(|(name, value)| (name.into_owned(), value.replace("\r\n", "\n")))
                .collect(),
        )
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

    /// Whether a field was sent, be it empty.
    pub(super) fn has(&self, name: &str) -> bool {
        self.all(name).next().is_some()
    }

    /// All fields but these.
    pub(super) fn without(&self, names: &[&str]) -> Self {
        let kept = self.0.iter().filter(|(name, _)| !names.contains(&name.as_str()));
        Self(kept.cloned().collect())
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
        let fields = Fields::read("user=1&user=2&name=+Ana+Ru%C3%ADz+&body=a%0D%0Ab&send=".as_bytes());

        assert_eq!(fields.all("user").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(fields.trimmed("name"), "Ana Ruíz");
        assert_eq!(fields.text("body"), "a\nb");
        assert!(!fields.is_set("send") && !fields.is_set("nothing"));
        assert_eq!(Fields::read(fields.encoded().as_bytes()).pairs(), fields.pairs());
        assert_eq!(fields.without(&["user", "body"]).pairs().len(), 2);
    }
}
