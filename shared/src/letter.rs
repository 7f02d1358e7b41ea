//! The mail that a user receives: a system email in its shell.
//!
//! The shell makes a body readable everywhere: from 320 pixels up, light and dark, in both writing
//! directions, in mail programs from Outlook to a screen reader. It loads no external resources.

use std::fmt;

use zeroize::Zeroizing;

use crate::language::{Language, direction};
use crate::system_email::{Compiled, Content, Escaping, Field, Marking, Segment, SystemEmailKind, push_segment};

pub use crate::system_email::{LetterValues, MASKED_PASSWORD, ShownPassword};

#[cfg(test)]
mod tests;

/// First and last name shown in test mails, and in previews while there are no users.
pub const EXAMPLE: (&str, &str) = ("Ada", "Example");

/// Prefix for the subject of test mails.
pub const TEST_MARK: &str = "[Test] ";
/// One unit of the invisible characters after the preheader.
///
/// Mail programs fill the preview line with the text that follows and show it on lock screens. In a password
/// mail, that text is these characters.
const FILLER: &str = "&#847;&zwnj;&nbsp;";

/// A user's mail as text.
///
/// The bodies may contain a password: they are wiped on drop and never printed. Lines end with `\n`.
pub struct Letter {
    /// One line without control characters.
    pub subject: String,
    /// A complete HTML document.
    pub html: Zeroizing<String>,
    /// The plain text alternative.
    pub text: Zeroizing<String>,
    /// Names of the fields that had neither a value nor a default and were left empty.
    pub missing: Vec<String>,
}

impl fmt::Debug for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Letter(…)")
    }
}

/// Writes the mail that a user receives.
///
/// The worker sends the same [`Content`], see [`in_shell`].
pub fn write(compiled: &Compiled, values: &LetterValues<'_>) -> Letter {
    filled(&in_shell(compiled), values, Marking::Plain)
}

/// Writes the preview of a user's mail, with the values marked.
///
/// Pass [`ShownPassword::Masked`]: the password is created when the mail is sent.
pub fn preview(compiled: &Compiled, values: &LetterValues<'_>) -> Letter {
    filled(&in_shell(compiled), values, Marking::Marked)
}

fn filled(content: &Content, values: &LetterValues<'_>, marking: Marking) -> Letter {
    let resolved = content.resolve(values);
    Letter {
        subject: content.fill(&content.subject, &resolved, Marking::Plain).to_string(),
        html: content.fill(&content.html, &resolved, marking),
        text: content.fill(&content.text, &resolved, Marking::Plain),
        missing: content.missing(values),
    }
}

/// The HTML shell.
#[derive(askama::Template)]
#[template(path = "mail/layout.html")]
struct HtmlShell<'l> {
    lang: &'l str,
    dir: &'l str,
    subject: &'l str,
    preheader: &'l str,
    filler: &'l str,
    organisation: &'l str,
    /// Empty if the language of the body is unknown.
    body_lang: &'l str,
    body: &'l str,
    footer_lang: &'l str,
    footer_dir: &'l str,
    footer: &'l str,
}

/// The text shell.
#[derive(askama::Template)]
#[template(path = "mail/layout.txt")]
struct TextShell<'l> {
    body: &'l str,
    footer: &'l str,
}

/// Placeholders for the shell's contents during rendering. No shell and no name contains control characters.
const SUBJECT: &str = "\u{1}";
const PREHEADER: &str = "\u{2}";
const ORGANISATION: &str = "\u{3}";
const EMAIL: &str = "\u{4}";
const BODY: &str = "\u{5}";

/// The content of an email in its shell.
pub fn in_shell(compiled: &Compiled) -> Content {
    let mut content = compiled.content().clone();
    let has_password = compiled.kind() == SystemEmailKind::PasswordReset;
    let language = content.language.clone();
    let (footer_lang, footer) = Language::of(&language).footer(has_password);
    let footer = footer.replace("{organisation}", ORGANISATION).replace("{email}", EMAIL);
    let html = HtmlShell {
        lang: if language.is_empty() { footer_lang } else { &language },
        dir: direction(&language),
        subject: SUBJECT,
        preheader: if content.has_preheader() { PREHEADER } else { "" },
        filler: &if has_password { FILLER.repeat(60) } else { String::new() },
        organisation: ORGANISATION,
        body_lang: &language,
        body: BODY,
        footer_lang,
        // Explicit, because the sentence may begin with a name in another script.
        footer_dir: direction(footer_lang),
        footer: &footer,
    };
    let text = TextShell {
        body: BODY,
        footer: &footer,
    };
    let mut shown = |escaping| {
        let organisation = content.shown_by_shell(Field::Organisation, escaping);
        let email = content.shown_by_shell(Field::Email, escaping);
        [(ORGANISATION, vec![organisation]), (EMAIL, vec![email])]
    };
    let (html_shown, text_shown) = (shown(Escaping::Html), shown(Escaping::None));
    let title = content.subject.iter().map(escaped).collect();
    let html_body = (BODY, std::mem::take(&mut content.html));
    let text_body = (BODY, std::mem::take(&mut content.text));
    let preheader = (PREHEADER, vec![Segment::Preheader]);
    let html_shown: Vec<_> = html_shown
        .into_iter()
        .chain([(SUBJECT, title), preheader, html_body])
        .collect();
    content.html = fill_shell(&html, &html_shown);
    let text_shown: Vec<_> = text_shown.into_iter().chain([text_body]).collect();
    content.text = fill_shell(&text, &text_shown);
    content
}

/// Escapes a segment of plain text for HTML.
fn escaped(segment: &Segment) -> Segment {
    match segment {
        Segment::Literal(text) => {
            let mut html = String::new();
            Escaping::Html.write(text, &mut |text| html.push_str(text));
            Segment::Literal(html)
        }
        Segment::Value { slot, .. } => Segment::Value {
            slot: *slot,
            escaping: Escaping::Html,
            is_marked: false,
        },
        Segment::Preheader => Segment::Preheader,
    }
}

/// Replaces the placeholders in a shell with segments.
fn fill_shell(shell: &impl askama::Template, shown: &[(&str, Vec<Segment>)]) -> Vec<Segment> {
    let rendered = shell.render();
    // Writing into a String does not fail, and the shells call nothing that could.
    debug_assert!(rendered.is_ok(), "a shell did not render");
    let rendered = rendered.unwrap_or_default();
    let mut segments = Vec::new();
    let mut rest = rendered.as_str();
    let next = |rest: &str| {
        let places = shown.iter().filter_map(|(mark, shown)| Some((rest.find(mark)?, shown)));
        places.min_by_key(|(at, _)| *at)
    };
    while let Some((at, shown)) = next(rest) {
        push_segment(
            &mut segments,
            Segment::Literal(rest.get(..at).unwrap_or_default().to_owned()),
        );
        for segment in shown {
            push_segment(&mut segments, segment.clone());
        }
        rest = rest.get(at + 1..).unwrap_or_default();
    }
    push_segment(&mut segments, Segment::Literal(rest.to_owned()));
    segments
}
