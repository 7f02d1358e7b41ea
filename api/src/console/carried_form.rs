//! A form that the sign-in page carries, because its session ended before it was submitted.
//!
//! It is encoded as base64, which adds a third. Percent-encoding it a second time could double it.

use super::fields::Fields;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Notice on the sign-in page about a carried form.
pub(super) const KEPT: &str = "We kept what you entered. Sign in to continue.";

/// How a form is handled whose session has ended.
pub(super) enum CarriedForm {
    /// It is submitted after signing in.
    Form(String),
    /// It is too large to be carried.
    TooLarge,
    /// It contains a password, or nothing readable.
    Nothing,
}

impl CarriedForm {
    /// Decides how to handle a form; forms of up to `most_bytes` are carried.
    pub(super) fn of(fields: &Fields, most_bytes: usize) -> Self {
        // A password that was typed is sent only to the handler it was meant for.
        if fields.pairs().iter().any(|(name, _)| name.contains("password")) {
            return Self::Nothing;
        }
        let encoded = fields.encoded();
        match encoded.len() {
            0 => Self::Nothing,
            bytes if bytes > most_bytes => Self::TooLarge,
            _ => Self::Form(URL_SAFE_NO_PAD.encode(encoded)),
        }
    }

    /// Notice on the sign-in page.
    pub(super) const fn notice(&self) -> &'static str {
        match self {
            Self::Form(_) => KEPT,
            Self::TooLarge => {
                "The form is too large to keep while you sign in, so nothing was saved. Sign in, go back to the form in your \
                 browser and submit it again."
            }
            Self::Nothing => "Nothing was saved. Sign in, then fill in the form again.",
        }
    }

    /// Value of the sign-in page's hidden field.
    pub(super) fn into_text(self) -> String {
        match self {
            Self::Form(text) => text,
            Self::TooLarge | Self::Nothing => String::new(),
        }
    }
}

/// The fields of a carried form; `None` if the text is invalid.
pub(super) fn fields_of(text: &str) -> Option<Fields> {
    let encoded = URL_SAFE_NO_PAD.decode(text).ok()?;
    Fields::read(&encoded).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn carried(form: &str, most_bytes: usize) -> CarriedForm {
        CarriedForm::of(&Fields::read(form.as_bytes()).unwrap(), most_bytes)
    }

    #[test]
    fn a_form_comes_out_as_it_went_in() {
        let text = carried("user=1&user=2&body=a+b%0D%0A%C3%A9%26", 1_000).into_text();

        let fields = fields_of(&text).unwrap();

        assert_eq!(fields.all("user").count(), 2);
        assert_eq!(fields.text("body"), "a b\né&");
        assert!(fields_of("no form of ours!").is_none());
    }

    #[test]
    fn passwords_and_large_forms_are_not_carried() {
        assert!(matches!(carried("new_password=x", 1_000), CarriedForm::Nothing));
        assert!(matches!(carried("", 1_000), CarriedForm::Nothing));
        let large = format!("body={}", "x".repeat(1_000));
        assert!(matches!(carried(&large, 1_000), CarriedForm::TooLarge));
        assert!(matches!(carried(&large, 1_005), CarriedForm::Form(_)));
    }
}
