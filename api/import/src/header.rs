//! Recognises common column names.
//!
//! Notes are removed from a name. The rest is looked up ignoring case, blanks, `_`, hyphens and zero-width characters,
//! so that "E-Mail Address [Required]", `email_address` and "EMAIL *" all mean the address.

mod names;
mod passwords;

use std::borrow::Cow;

use super::text::is_invisible;

pub(super) use names::Known;
pub(super) use passwords::{Passwords, passwords_in};

/// Maximum length of a merge field's name.
const NAME_CHARACTERS: usize = 64;

/// Words in round brackets that mark a cell as required or optional.
const NOTES: [&str; 18] = [
    "required",
    "optional",
    "mandatory",
    "pflichtfeld",
    "pflicht",
    "erforderlich",
    "obligatoire",
    "facultatif",
    "obligatorio",
    "opcional",
    "obbligatorio",
    "facoltativo",
    "obrigatório",
    "verplicht",
    "optioneel",
    "wymagane",
    "必須",
    "任意",
];

/// A name reduced to what is matched: only letters and digits, as in the merge field it would become.
pub(super) fn normalised(name: &str) -> String {
    name.chars()
        .filter(|&c| c.is_alphanumeric() && !is_invisible(c))
        .flat_map(char::to_lowercase)
        .collect()
}

/// A name without notes for the person who fills in the file: text in square brackets, and "(required)".
///
/// A name that consists only of a note is kept.
pub(super) fn without_notes(name: &str) -> Cow<'_, str> {
    let Some(open) = name.find(['[', '(']) else {
        return Cow::Borrowed(name);
    };
    let (mut kept, mut rest) = (
        name.get(..open).unwrap_or_default().to_owned(),
        name.get(open..).unwrap_or_default(),
    );
    while let Some(mark) = rest.chars().next() {
        let end = match mark {
            '[' => rest.find(']'),
            '(' => rest
                .find(')')
                .filter(|&end| is_note(rest.get(1..end).unwrap_or_default())),
            _ => None,
        };
        let Some(end) = end else {
            kept.push(mark);
            rest = rest.get(mark.len_utf8()..).unwrap_or_default();
            continue;
        };
        rest = rest.get(end + 1..).unwrap_or_default();
        // Entra writes "First name [givenName] Required".
        if mark == '[' && is_note(rest) {
            break;
        }
    }
    if normalised(&kept).is_empty() {
        return Cow::Borrowed(name);
    }
    Cow::Owned(kept.trim().to_owned())
}

fn is_note(text: &str) -> bool {
    NOTES.contains(&normalised(text).as_str())
}

/// The spellings under which a name is looked up: without its notes, and the text in square brackets.
fn spellings(header: &str) -> Vec<String> {
    let inside = header
        .split_once('[')
        .and_then(|(_, rest)| rest.split_once(']'))
        .map(|(inside, _)| normalised(inside));
    let mut spellings = vec![normalised(&without_notes(header))];
    spellings.extend(inside);
    spellings
}

/// Which of a file's columns hold built-in values, judged by their names alone.
pub(super) fn known_columns(headers: &[String]) -> Vec<Option<Known>> {
    let names: Vec<Vec<String>> = headers.iter().map(|header| spellings(header)).collect();
    let is_there = |wanted: &String| names.iter().flatten().any(|name| name == wanted);
    let candidate = |spellings: &Vec<String>| {
        let mut found = spellings.iter().flat_map(|name| names::entries(name));
        found
            .find(|entry| entry.beside.as_ref().is_none_or(is_there))
            .map(|entry| (entry.known, entry.rank))
    };
    let candidates: Vec<Option<(Known, usize)>> = names.iter().map(candidate).collect();
    let best = |known: Known| {
        let of_kind = candidates.iter().flatten().filter(|(kind, _)| *kind == known);
        of_kind.map(|(_, rank)| *rank).min()
    };
    let has_name = best(Known::FirstName).is_some() || best(Known::LastName).is_some();
    candidates
        .iter()
        .map(|candidate| {
            let (known, rank) = (*candidate)?;
            let is_best = best(known) == Some(rank);
            (is_best && !(known == Known::FullName && has_name)).then_some(known)
        })
        .collect()
}

/// The merge field of a header: "Start date (2026)" is `start_date_2026`.
///
/// `None` if it does not start with a letter or is too long.
pub(super) fn field_name(header: &str) -> Option<String> {
    let mut name = String::with_capacity(header.len());
    for c in header
        .chars()
        .filter(|&c| !is_invisible(c))
        .flat_map(char::to_lowercase)
    {
        if c.is_alphanumeric() {
            name.push(c);
        } else if !name.is_empty() && !name.ends_with('_') {
            name.push('_');
        }
    }
    name.truncate(name.trim_end_matches('_').len());
    let starts_well = name.chars().next().is_some_and(char::is_alphabetic);
    (starts_well && name.chars().count() <= NAME_CHARACTERS).then_some(name)
}
