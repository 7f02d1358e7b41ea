//! System emails: what administrators write, and the rules for it.
//!
//! A [`Template`] is a subject and a body in Markdown with merge fields. Checking it returns either all its
//! faults, each with its position, or a [`Compiled`] whose [`Content`] is filled for each user. The order of
//! the steps is what makes values harmless:
//!
//! ```text
//! source ─▶ fields become tokens ─▶ Markdown ─▶ HTML ─▶ cleaned ─▶ cut at the tokens
//!                                        └─▶ plain text ─────────▶ cut at the tokens
//!                                                                         │
//!                                        values, escaped for their place ─┴─▶ an email
//! ```
//!
//! After a value is inserted, nothing parses the text any more: not the template grammar, not Markdown, not
//! an HTML parser. So no value can become a field, a link or a tag.

mod compiled;
mod content;
mod escaping;
mod fault;
mod fields;
mod grammar;
mod html;
mod links;
mod markdown;
mod preheader;
mod segment;
mod source;
mod text;
mod texts;
mod values;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use compiled::Compiled;
pub use content::{Content, Marking, value_of};
pub use escaping::Escaping;
pub use fault::{Part, TemplateFault};
pub use fields::{Field, is_same_name};
pub use segment::Segment;
pub(crate) use segment::push_segment;
pub use texts::{MAX_TRANSLATIONS, Texts, Translation};
pub use values::{LetterValues, MASKED_PASSWORD, ShownPassword};

/// Maximum length of a subject in characters before it is filled. Mail programs show far fewer.
const SUBJECT_CHARACTERS: usize = 200;
/// Maximum length of a body in characters.
///
/// Gmail clips a mail beyond 102 KB of HTML. 20,000 characters with their markup stay below that in any
/// script, and are ten pages.
const BODY_CHARACTERS: usize = 20_000;

crate::named_enum! {
    /// A kind of system email.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type)]
    #[serde(rename_all = "snake_case")]
    #[sqlx(type_name = "mail_kind", rename_all = "snake_case")]
    pub enum SystemEmailKind {
        /// Invites a user, without a password.
        Invite = "invite",
        /// Takes a generated password to its user.
        PasswordReset = "password_reset",
    }
}

impl SystemEmailKind {
    /// Its name on pages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Invite => "Invitation Email to New Users",
            Self::PasswordReset => "Reset Password",
        }
    }
}

impl fmt::Display for SystemEmailKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for SystemEmailKind {
    type Err = UnknownKind;

    fn from_str(word: &str) -> Result<Self, UnknownKind> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == word)
            .ok_or(UnknownKind)
    }
}

/// The name of no system email.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no such system email; the system emails are invite and password_reset")]
pub struct UnknownKind;

/// Which names besides the built-in ones are fields.
#[derive(Debug, Clone, Copy)]
pub enum CustomFields<'a> {
    /// These, the columns of the imports. For checking what an administrator wrote.
    Known(&'a BTreeSet<String>),
    /// Any name. For an email that was checked when it was saved: a column that has gone since then is a
    /// missing value, and the email can still be sent.
    Any,
}

/// A system email as administrators write it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    /// One line with merge fields.
    pub subject: String,
    /// Markdown with merge fields.
    pub body: String,
}

impl Template {
    /// The shipped text, used until an administrator changes it.
    pub fn shipped(kind: SystemEmailKind) -> Self {
        let file = match kind {
            SystemEmailKind::Invite => include_str!("../system_emails/invite.md"),
            SystemEmailKind::PasswordReset => include_str!("../system_emails/password_reset.md"),
        };
        let (first_line, body) = file.split_once('\n').unwrap_or((file, ""));
        Self {
            subject: first_line.trim_start_matches("Subject: ").to_owned(),
            body: body.trim_start_matches('\n').to_owned(),
        }
    }

    /// Checks the email completely and compiles it.
    ///
    /// Takes about a tenth of a millisecond; keep the result.
    ///
    /// # Errors
    ///
    /// All faults, in the order of their positions, for the editor to show.
    pub fn compile(&self, kind: SystemEmailKind, custom: CustomFields<'_>) -> Result<Compiled, Vec<TemplateFault>> {
        let mut faults = Vec::new();
        let subject = self.subject(kind, custom, &mut faults);
        let (html, text) = self.body(kind, custom, &mut faults);
        if faults.is_empty() {
            Ok(Compiled::new(kind, &subject, &html, &text))
        } else {
            faults.sort_by_key(|fault| (fault.part, fault.line, fault.column));
            Err(faults)
        }
    }

    /// Checks the subject and splits it at its fields.
    fn subject(
        &self,
        kind: SystemEmailKind,
        custom: CustomFields<'_>,
        faults: &mut Vec<TemplateFault>,
    ) -> source::Pieces {
        let subject = self.subject.trim();
        let mut fault = |code, message: &str| {
            faults.push(TemplateFault::of_whole(Part::Subject, code, message));
        };
        if subject.is_empty() {
            fault("subject_missing", "Subject: enter a subject");
        }
        if subject.chars().count() > SUBJECT_CHARACTERS {
            fault("subject_too_long", "Subject must be 200 characters or fewer");
        }
        if subject.contains(['\n', '\r']) {
            fault("subject_several_lines", "Subject must be one line");
        }
        let (tokenised, mut found) = grammar::tokenise(subject, Part::Subject, kind, custom);
        faults.append(&mut found);
        tokenised.pieces()
    }

    /// Checks the body and creates both its parts.
    fn body(
        &self,
        kind: SystemEmailKind,
        custom: CustomFields<'_>,
        faults: &mut Vec<TemplateFault>,
    ) -> (source::Pieces, source::Pieces) {
        let body = self.body.replace("\r\n", "\n").replace('\r', "\n");
        let mut fault = |code, message: &str| {
            faults.push(TemplateFault::of_whole(Part::Body, code, message));
        };
        if body.trim().is_empty() {
            fault("body_missing", "Body: enter the text of the email");
        }
        if body.chars().count() > BODY_CHARACTERS {
            fault("body_too_long", "Body must be 20,000 characters or fewer");
            return Default::default();
        }
        let (tokenised, mut found) = grammar::tokenise(&body, Part::Body, kind, custom);
        let has_password = tokenised.slots().any(|slot| slot.field == Field::Password);
        if kind == SystemEmailKind::PasswordReset && !has_password && found.is_empty() {
            let message = "The Reset Password email must contain {{ password }}";
            fault("password_missing", message);
        }
        faults.append(&mut found);
        let (events, mut found) = markdown::read(&tokenised);
        faults.append(&mut found);
        (
            tokenised.cut(&html::write(&events, &tokenised)),
            tokenised.cut(&text::write(&events, &tokenised)),
        )
    }
}
