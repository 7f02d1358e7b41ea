//! Which characters a text from a file may contain, and how it is displayed.

use std::borrow::Cow;

use super::link::looks_like_a_link;

/// Maximum length of a first or last name, in characters.
pub(super) const NAME_CHARACTERS: usize = 200;
/// Maximum length of any other value, in characters: room for a paragraph in a mail.
pub(super) const VALUE_CHARACTERS: usize = 1_000;
/// Characters of a faulty value that are displayed.
const SHOWN_CHARACTERS: usize = 80;
/// Maximum number of names listed in a sentence.
const LISTED: usize = 10;

/// Why a text is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum TextFault {
    /// CR or LF, which would end a header line of a mail.
    #[error("Has a line break – write it in one line")]
    LineBreak,
    /// Another control character, or one that changes the direction of the text around it.
    #[error("Has a character that cannot be printed (U+{:04X}) – remove it", u32::from(*.0))]
    Control(char),
    /// Over the limit.
    #[error("Too long (limit {} characters)", counted(*.0))]
    TooLong(usize),
    /// A web address in a name.
    #[error("Looks like a web address – a name must not have one")]
    Link,
    /// Not a BCP 47 tag.
    #[error("Not a language code – write for example en, de or pt-BR")]
    Language,
}

impl TextFault {
    /// The code for programs.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::LineBreak | Self::Control(_) => "control_character",
            Self::TooLong(_) => "too_long",
            Self::Link => "looks_like_a_link",
            Self::Language => "language_invalid",
        }
    }
}

/// Validates a value of a merge field; `None` if nothing in it is visible.
///
/// Surrounding blanks and zero-width characters are removed. Formulas are ordinary values: only a spreadsheet runs
/// them, so they are escaped where we write one.
pub(super) fn value(raw: &str) -> Result<Option<Cow<'_, str>>, TextFault> {
    let text = clean_text(raw);
    if text.is_empty() {
        return Ok(None);
    }
    refuse_what_no_mail_can_show(&text)?;
    refuse_over(VALUE_CHARACTERS, &text)?;
    Ok(Some(text))
}

/// Validates a first or last name. Stricter than [`value`]: a name appears in a mail header, and links in names are how
/// invitation forms are abused for spam.
pub(super) fn name(raw: &str) -> Result<Option<Cow<'_, str>>, TextFault> {
    let text = clean_text(raw);
    if text.is_empty() {
        return Ok(None);
    }
    refuse_what_no_mail_can_show(&text)?;
    refuse_over(NAME_CHARACTERS, &text)?;
    if looks_like_a_link(&text) {
        return Err(TextFault::Link);
    }
    Ok(Some(text))
}

/// Removes what is not visible: surrounding blanks, and zero-width characters anywhere.
///
/// The two joiners stay inside a text, where Persian and Indian scripts need them.
pub(super) fn clean_text(raw: &str) -> Cow<'_, str> {
    let text = raw.trim_matches(is_unseen);
    let dropped = |c: char| is_invisible(c) && !matches!(c, '\u{200C}' | '\u{200D}');
    if text.is_ascii() || !text.contains(dropped) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().filter(|&c| !dropped(c)).collect())
}

/// A text with each line break or tab, and the blanks around it, as one blank.
pub(super) fn in_one_line(raw: &str) -> Cow<'_, str> {
    let is_break = |c: char| c.is_whitespace() && is_control(c);
    if !raw.contains(is_break) {
        return Cow::Borrowed(raw);
    }
    let lines = raw.split(is_break).map(str::trim).filter(|line| !line.is_empty());
    Cow::Owned(lines.collect::<Vec<_>>().join(" "))
}

fn refuse_what_no_mail_can_show(text: &str) -> Result<(), TextFault> {
    if text.is_ascii() && !text.bytes().any(|b| b.is_ascii_control()) {
        return Ok(());
    }
    match text.chars().find(|&c| is_control(c)) {
        Some('\r' | '\n' | '\u{2028}' | '\u{2029}') => Err(TextFault::LineBreak),
        Some(c) => Err(TextFault::Control(c)),
        None => Ok(()),
    }
}

fn refuse_over(limit: usize, text: &str) -> Result<(), TextFault> {
    if text.len() > limit && text.chars().count() > limit {
        return Err(TextFault::TooLong(limit));
    }
    Ok(())
}

/// Whether a character is invisible: blanks and zero-width characters.
pub(super) fn is_unseen(c: char) -> bool {
    c.is_whitespace() || is_invisible(c)
}

/// Zero-width characters, which are copied along with text from a page or another sheet.
pub(super) fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{00AD}' // soft hyphen
        | '\u{180E}' // Mongolian vowel separator
        | '\u{200B}'
            ..='\u{200F}' // zero-width space, joiners, directional marks
        | '\u{061C}' // Arabic letter mark
        | '\u{2060}' // word joiner
        | '\u{FEFF}' // byte order mark
    )
}

/// Control characters, line and paragraph separators, and characters that reverse the direction of text.
fn is_control(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{2028}' | '\u{2029}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}'
                | '\u{FFF9}'..='\u{FFFB}'
        )
}

/// A text from a file for display: without control characters, each run of blanks and line breaks as one blank, and
/// shortened if long.
pub(super) fn shown(raw: &str) -> String {
    let mut was_blank = false;
    let mut visible = raw
        .trim_matches(is_unseen)
        .chars()
        .filter(|&c| !is_invisible(c) && (c.is_whitespace() || !is_control(c)))
        .filter_map(|c| {
            let is_repeated = was_blank && c.is_whitespace();
            was_blank = c.is_whitespace();
            (!is_repeated).then_some(if was_blank { ' ' } else { c })
        });
    let mut text: String = visible.by_ref().take(SHOWN_CHARACTERS).collect();
    if visible.next().is_some() {
        text.pop();
        text.push('…');
    }
    text
}

/// The letters of a column in spreadsheet notation, the first being 0: A, B, … Z, AA.
pub fn letter(column: usize) -> String {
    let mut letters = Vec::new();
    let mut left = column + 1;
    while left > 0 {
        let digit = u8::try_from((left - 1) % 26).unwrap_or_default();
        letters.push(char::from(b'A' + digit));
        left = (left - 1) / 26;
    }
    letters.iter().rev().collect()
}

/// A cell in spreadsheet notation: the third of row 17 is C17.
pub(super) fn cell_name(column: usize, row: u32) -> String {
    letter(column) + &row.to_string()
}

/// A number with commas between thousands.
pub(super) fn counted(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Names in a sentence: ‘a’, ‘b’ and ‘c’. Names without letters, and those after the tenth, are left out.
pub(super) fn listed(names: &[String]) -> String {
    let quoted: Vec<String> = names
        .iter()
        .filter(|name| !name.is_empty())
        .map(|name| format!("‘{}’", shown(name)))
        .collect();
    let more = quoted.len().saturating_sub(LISTED);
    let first = quoted.get(..quoted.len() - more).unwrap_or_default();
    match (more, first) {
        (0, []) => "no name".to_owned(),
        (0, [only]) => only.clone(),
        (0, [start @ .., last]) => format!("{} and {last}", start.join(", ")),
        (more, start) => format!("{} and {more} more", start.join(", ")),
    }
}
