//! What a person gets: a filled letter in the shell of a mail.
//!
//! The shell makes a body readable everywhere: from 320 pixels up, light and dark, in both
//! directions of writing, in mail programs from Outlook to a screen reader. It loads
//! nothing from anywhere.

use std::fmt;

use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};
use zeroize::Zeroizing;

use crate::system_email::{Compiled, Field, Filled, Marking, SystemEmailKind};

pub use crate::system_email::{LetterValues, MASKED_PASSWORD, ShownPassword};

#[cfg(test)]
mod tests;

/// First and last name of whoever a letter is shown for when it is for nobody: in test mails, and
/// in previews while there are no users.
pub const EXAMPLE: (&str, &str) = ("Ada", "Example");

/// What a subject starts with when nobody but the sender asked for the mail.
const TEST_MARK: &str = "[Test] ";
/// Bytes the shell adds at most, so that its buffer does not move while it is written.
const SHELL_BYTES: usize = 8 * 1024;
/// Invisible signs behind the preheader, one unit of them.
///
/// Mail programs fill the line beside the subject with what follows, and show it on locked
/// screens; in a password mail these signs are what follows.
const FILLER: &str = "&#847;&zwnj;&nbsp;";

/// One person's mail, ready for the message builder.
///
/// The bodies may hold a password: they are wiped when dropped and not printed. Lines end
/// with `\n`; who encodes them for SMTP makes them CRLF.
pub struct Letter {
    /// One line without controls.
    pub subject: String,
    /// A whole HTML document.
    pub html: Zeroizing<String>,
    /// The same for those who read text.
    pub text: Zeroizing<String>,
    /// Names of the fields that had neither a value nor a default and were left empty.
    pub missing: Vec<String>,
}

impl fmt::Debug for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Letter(…)")
    }
}

/// Writes the mail a person gets.
pub fn write(compiled: &Compiled, values: &LetterValues<'_>) -> Letter {
    in_shell(compiled, values, Marking::Plain)
}

/// Writes the mail a person would get, with the values marked, for the preview.
///
/// Give [`ShownPassword::Masked`]: there is no password before the mail is sent.
pub fn preview(compiled: &Compiled, values: &LetterValues<'_>) -> Letter {
    in_shell(compiled, values, Marking::Marked)
}

/// Marks a letter as one that somebody sent to themselves to see it.
pub fn mark_as_test(mut letter: Letter) -> Letter {
    letter.subject.insert_str(0, TEST_MARK);
    letter
}

/// The moment a password stops working, as a letter tells it: `26 November 2026, 14:00 UTC`.
pub fn expires_text(at: OffsetDateTime) -> String {
    let format = format_description!("[day padding:none] [month repr:long] [year], [hour]:[minute] UTC");
    at.to_offset(UtcOffset::UTC).format(format).unwrap_or_default()
}

/// The HTML shell.
#[derive(askama::Template)]
#[template(path = "mail/layout.html")]
struct HtmlShell<'l> {
    subject: &'l str,
    preheader: &'l str,
    filler: &'l str,
    organisation: &'l str,
    email: &'l str,
    body: &'l str,
    has_password: bool,
}

/// The text shell.
#[derive(askama::Template)]
#[template(path = "mail/layout.txt")]
struct TextShell<'l> {
    organisation: &'l str,
    email: &'l str,
    body: &'l str,
    has_password: bool,
}

fn in_shell(compiled: &Compiled, values: &LetterValues<'_>, marking: Marking) -> Letter {
    let Filled {
        subject,
        html_body,
        text_body,
        preheader,
        missing,
    } = compiled.fill(values, marking);
    let has_password = compiled.kind() == SystemEmailKind::PasswordReset;
    let filler = if has_password { FILLER.repeat(60) } else { String::new() };
    let organisation = values.of(&Field::Organisation);
    let email = values.of(&Field::Email);
    let html = render(
        &HtmlShell {
            subject: &subject,
            preheader: &preheader,
            filler: &filler,
            organisation: &organisation,
            email: &email,
            body: &html_body,
            has_password,
        },
        html_body.len() + 6 * (subject.len() + preheader.len() + 2 * organisation.len() + email.len()),
    );
    let text = render(
        &TextShell {
            organisation: &organisation,
            email: &email,
            body: &text_body,
            has_password,
        },
        text_body.len() + organisation.len() + email.len(),
    );
    Letter {
        subject,
        html,
        text,
        missing,
    }
}

/// Writes a shell into a buffer of enough room.
fn render(shell: &impl askama::Template, content_bytes: usize) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(content_bytes + SHELL_BYTES));
    let room = out.capacity();
    // Writing into a String does not fail, and the shells call nothing that could.
    let written = shell.render_into(&mut *out);
    debug_assert!(written.is_ok(), "a shell did not render");
    debug_assert_eq!(room, out.capacity(), "a letter moved and left a copy of the password");
    out
}
