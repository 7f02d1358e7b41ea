//! The table of column names in the files of other programs (`names.txt`).

use std::collections::HashMap;
use std::sync::LazyLock;

use super::{folded, normalised, transcribed};

/// A rank above all others.
pub(super) const LAST_RANK: usize = 10_000;

/// A built-in value of a user, as opposed to a merge field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Known {
    /// The address.
    Email,
    /// The first name.
    FirstName,
    /// The last name.
    LastName,
    /// First and last name in one cell.
    FullName,
    /// A language tag.
    Language,
}

/// An entry of the table.
pub(super) struct Entry {
    /// The value that a column with this name holds.
    pub(super) known: Known,
    /// 0 for an unambiguous name, 1 for a name that depends on another column; for a fallback name, its line number.
    pub(super) rank: usize,
    /// The normalised name, without accents, of a column that must also be in the file.
    pub(super) beside: Option<String>,
}

static TABLE: LazyLock<HashMap<String, Vec<Entry>>> = LazyLock::new(|| parse(include_str!("names.txt")));

/// The names of the table without their accents, and in German also with "ae" for "ä".
static WITHOUT_ACCENTS: LazyLock<HashMap<String, Vec<&str>>> = LazyLock::new(|| {
    let mut names: HashMap<String, Vec<&str>> = HashMap::new();
    for name in TABLE.keys() {
        for plain in [folded(name), transcribed(name)] {
            let same = names.entry(plain).or_default();
            if !same.contains(&name.as_str()) {
                same.push(name);
            }
        }
    }
    for same in names.values_mut() {
        same.sort_unstable();
    }
    names
});

/// The entries for a normalised name. Those with the same accents come first.
pub(super) fn entries(name: &str) -> impl Iterator<Item = &'static Entry> {
    let of = |name: &str| TABLE.get(name).into_iter().flatten();
    let similar = WITHOUT_ACCENTS.get(&folded(name)).into_iter().flatten();
    of(name).chain(similar.flat_map(move |name| of(name)))
}

fn parse(table: &str) -> HashMap<String, Vec<Entry>> {
    let mut entries: HashMap<String, Vec<Entry>> = HashMap::new();
    let mut section = None;
    for (line, text) in table.lines().enumerate() {
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        if let Some(title) = text.strip_prefix('[') {
            section = section_of(title.trim_end_matches(']'));
            continue;
        }
        let Some((known, is_otherwise)) = section else { continue };
        let (name, beside) = match text.split_once(" + ") {
            Some((name, beside)) => (name, Some(folded(&normalised(beside)))),
            None => (text, None),
        };
        let rank = if is_otherwise {
            line + 1
        } else {
            usize::from(beside.is_some())
        };
        entries
            .entry(normalised(name))
            .or_default()
            .push(Entry { known, rank, beside });
    }
    entries
}

fn section_of(title: &str) -> Option<(Known, bool)> {
    let (title, is_otherwise) = match title.strip_suffix(", otherwise") {
        Some(title) => (title, true),
        None => (title, false),
    };
    let known = match title {
        "email" => Known::Email,
        "first name" => Known::FirstName,
        "last name" => Known::LastName,
        "full name" => Known::FullName,
        "language" => Known::Language,
        _ => return None,
    };
    Some((known, is_otherwise))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_line_of_the_table_is_read_and_no_name_has_two_meanings() {
        let text = include_str!("names.txt");

        let lines = text
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with(['#', '[']));
        let titles = text.lines().filter_map(|line| line.strip_prefix('['));

        assert_eq!(lines.count(), TABLE.values().map(Vec::len).sum::<usize>());
        assert!(
            titles
                .into_iter()
                .all(|title| section_of(title.trim_end_matches(']')).is_some())
        );
        for (name, entries) in TABLE.iter() {
            let alone: HashSet<Known> = entries.iter().filter(|e| e.beside.is_none()).map(|e| e.known).collect();
            assert!(!name.is_empty() && alone.len() <= 1, "{name}: {alone:?}");
        }
    }

    #[test]
    fn no_two_names_with_different_meanings_differ_only_in_accents() {
        for (plain, names) in WITHOUT_ACCENTS.iter() {
            let entries = names.iter().filter_map(|&name| TABLE.get(name)).flatten();
            let alone: HashSet<Known> = entries.filter(|e| e.beside.is_none()).map(|e| e.known).collect();
            assert!(alone.len() <= 1, "{plain}: {names:?} mean {alone:?}");
        }
    }
}
