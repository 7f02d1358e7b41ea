//! Recognises common column names.
//!
//! Notes are removed from a name. The rest is looked up ignoring case, accents, blanks, `_`, hyphens and zero-width
//! characters, so that "E-Mail Address [Required]", `email_address` and "EMAIL *" all mean the address.

mod fold;
mod names;
mod notes;
mod passwords;

use std::collections::HashSet;

use super::text::is_invisible;
use notes::bare_name;

pub(super) use fold::{folded, transcribed};
pub(super) use names::Known;
pub(super) use notes::without_notes;
pub(super) use passwords::{Passwords, passwords_in};

/// Maximum length of a merge field's name.
const NAME_CHARACTERS: usize = 64;

/// A name reduced to what is matched: only letters and digits, as in the merge field it would become.
pub(super) fn normalised(name: &str) -> String {
    name.chars()
        .map(half_width)
        .filter(|&c| c.is_alphanumeric() && !is_invisible(c))
        .flat_map(char::to_lowercase)
        .collect()
}

/// The usual form of a full-width character: keyboards for Japanese also type "Ｅｍａｉｌ".
fn half_width(c: char) -> char {
    match c {
        '\u{FF01}'..='\u{FF5E}' => u32::from(c).checked_sub(0xFEE0).and_then(char::from_u32).unwrap_or(c),
        c => c,
    }
}

/// A spelling under which a name is looked up.
struct Spelling {
    name: String,
    /// What is added to the rank of an entry found under it.
    handicap: usize,
}

/// The spellings under which a name is looked up: without its notes, the text in square brackets, and without a number
/// or a note beside it. The last one counts less, so that "Email" is preferred to "2. Email".
fn spellings(header: &str) -> Vec<Spelling> {
    let plain: String = without_notes(header).chars().map(half_width).collect();
    let inside = header
        .split_once('[')
        .and_then(|(_, rest)| rest.split_once(']'))
        .map(|(inside, _)| inside);
    let spelling = |name: &str, handicap| Spelling {
        name: normalised(name),
        handicap,
    };
    let mut spellings = vec![spelling(&plain, 0)];
    spellings.extend(inside.map(|name| spelling(name, 0)));
    spellings.extend(bare_name(&plain).map(|name| spelling(name, names::LAST_RANK)));
    spellings
}

/// Which of a file's columns hold built-in values, judged by their names alone.
pub(super) fn known_columns(headers: &[String]) -> Vec<Option<Known>> {
    let names: Vec<Vec<Spelling>> = headers.iter().map(|header| spellings(header)).collect();
    let present: HashSet<String> = names.iter().flatten().map(|spelling| folded(&spelling.name)).collect();
    let candidate = |spellings: &Vec<Spelling>| {
        let mut found = spellings
            .iter()
            .flat_map(|spelling| names::entries(&spelling.name).map(move |entry| (entry, spelling.handicap)));
        found
            .find(|(entry, _)| entry.beside.as_ref().is_none_or(|name| present.contains(name)))
            .map(|(entry, handicap)| (entry.known, entry.rank + handicap))
    };
    let candidates: Vec<Option<(Known, usize)>> = names.iter().map(candidate).collect();
    let best = |known: Known| {
        let of_kind = candidates.iter().flatten().filter(|(kind, _)| *kind == known);
        of_kind.map(|(_, rank)| *rank).min()
    };
    let (first, last) = (best(Known::FirstName), best(Known::LastName));
    let is_whole = best(Known::FullName).is_some_and(|whole| is_whole_preferred(whole, first, last));
    let is_used = |known| match known {
        Known::FullName => is_whole,
        Known::FirstName | Known::LastName => !is_whole,
        Known::Email | Known::Language => true,
    };
    candidates
        .iter()
        .map(|candidate| {
            let (known, rank) = (*candidate)?;
            (best(known) == Some(rank) && is_used(known)).then_some(known)
        })
        .collect()
}

/// Whether the full name is read and not its parts: if there are none, or only one with a name that is a fallback, such
/// as "Preferred first name".
fn is_whole_preferred(whole: usize, first: Option<usize>, last: Option<usize>) -> bool {
    match (first, last) {
        (None, None) => true,
        (Some(part), None) | (None, Some(part)) => part > 1 && part > whole,
        (Some(_), Some(_)) => false,
    }
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
