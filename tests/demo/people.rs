//! A thousand invented users, the same in every run, and the file that imports them.

use std::collections::HashSet;

use crate::mistakes::{MISTAKES, Mistake};

/// How many users the file has.
pub(crate) const PEOPLE: usize = 1_000;

/// The names they are composed of.
const NAMES: &str = include_str!("names.txt");

/// Reserved for examples by RFC 2606, so that no mail to them could ever arrive.
const DOMAINS: [&str; 3] = ["example.org", "example.com", "example.net"];

/// The outcome of the first mail to a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The relay accepts it.
    Arrives,
    /// The relay replies 451 once, then accepts it.
    PutOff,
    /// The relay knows no such user.
    NoSuchUser,
    /// The relay accepts it, and the connection breaks before its reply.
    LineBreaks,
}

/// An invented user.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) email: String,
    pub(crate) first_name: String,
    pub(crate) last_name: String,
    pub(crate) language: String,
    pub(crate) fate: Fate,
}

/// A file to import, and its faults.
pub(crate) struct Sheet {
    /// The CSV text.
    pub(crate) csv: String,
    /// Rows below the header.
    pub(crate) rows: usize,
    /// Row, column and code of each fault.
    pub(crate) faults: Vec<(u32, String, String)>,
}

/// A name as its owner writes it, and in the form used in an address.
struct Name<'a> {
    written: &'a str,
    latin: String,
}

/// Users with names from one language.
struct Block<'a> {
    language: &'a str,
    domain: Option<&'a str>,
    given: Vec<Name<'a>>,
    family: Vec<Name<'a>>,
}

/// All users.
pub(crate) fn people() -> Vec<Person> {
    let blocks = blocks(NAMES);
    let mut addresses = HashSet::new();
    let places = (0..).flat_map(|turn| blocks.iter().map(move |block| (turn, block)));
    places
        .filter_map(|(turn, block)| block.person(turn))
        .filter(|person| addresses.insert(person.email.clone()))
        .take(PEOPLE)
        .enumerate()
        .map(|(place, person)| person.meeting(fate_at(place)))
        .collect()
}

/// The file with all users and all mistakes, the mistakes spread evenly.
pub(crate) fn sheet(people: &[Person]) -> Sheet {
    let mut csv = "email,first name,last name,language\n".to_owned();
    let mut faults = Vec::new();
    let mut mistakes = MISTAKES.iter();
    let apart = people.len() / MISTAKES.len();
    let mut row = 1;
    for (place, person) in people.iter().enumerate() {
        row += 1;
        csv.push_str(&line([
            &person.email,
            &person.first_name,
            &person.last_name,
            &person.language,
        ]));
        if (place + 1) % apart == 0
            && let Some(Mistake { cells, column, code }) = mistakes.next()
        {
            row += 1;
            csv.push_str(&line(cells()));
            faults.push((row, (*column).to_owned(), (*code).to_owned()));
        }
    }
    Sheet {
        csv,
        rows: people.len() + faults.len(),
        faults,
    }
}

/// The numbers have no common divisor, so every language gets every outcome.
fn fate_at(place: usize) -> Fate {
    match place {
        111 | 444 | 777 => Fate::LineBreaks,
        _ if place % 97 == 33 => Fate::NoSuchUser,
        _ if place % 47 == 7 => Fate::PutOff,
        _ => Fate::Arrives,
    }
}

impl Person {
    /// Sets an address that makes the relay behave accordingly.
    fn meeting(mut self, fate: Fate) -> Self {
        self.fate = fate;
        let prefix = match fate {
            Fate::PutOff => "451-then-ok+",
            Fate::NoSuchUser => "550+",
            Fate::Arrives | Fate::LineBreaks => "",
        };
        self.email.insert_str(0, prefix);
        self
    }
}

impl Block<'_> {
    /// The user of this turn; `None` once all names are combined.
    fn person(&self, turn: usize) -> Option<Person> {
        let (round, place) = (turn / self.given.len(), turn % self.given.len());
        if round >= self.family.len() {
            return None;
        }
        let given = self.given.get(place)?;
        let family = self.family.get((round + place) % self.family.len())?;
        let domain = match (turn % 4, self.domain) {
            (3, Some(own)) => own,
            (quarter, _) => DOMAINS.get(quarter % DOMAINS.len())?,
        };
        let dot = if family.latin.is_empty() { "" } else { "." };
        Some(Person {
            email: format!("{}{dot}{}@{domain}", given.latin, family.latin),
            first_name: given.written.to_owned(),
            last_name: family.written.to_owned(),
            language: self.language.to_owned(),
            fate: Fate::Arrives,
        })
    }
}

fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut blocks: Vec<Block<'_>> = Vec::new();
    for line in text.lines() {
        if let Some((language, rest)) = line.strip_prefix('[').and_then(|line| line.split_once(']')) {
            blocks.push(Block {
                language,
                domain: rest.split_once('|').map(|(_, domain)| domain.trim()),
                given: Vec::new(),
                family: Vec::new(),
            });
        } else if let (Some(block), Some(list)) = (blocks.last_mut(), line.strip_prefix("given:")) {
            block.given = names(list);
        } else if let (Some(block), Some(list)) = (blocks.last_mut(), line.strip_prefix("family:")) {
            block.family = names(list);
        }
    }
    blocks
}

fn names(list: &str) -> Vec<Name<'_>> {
    list.split(';')
        .map(|text| match text.trim().split_once('=') {
            Some((written, latin)) => Name {
                written,
                latin: latin.to_owned(),
            },
            // A user with a single name.
            None if text.trim() == "-" => Name {
                written: "",
                latin: String::new(),
            },
            None => Name {
                written: text.trim(),
                latin: text.trim().to_ascii_lowercase().replace(' ', "."),
            },
        })
        .collect()
}

fn line(cells: [impl AsRef<str>; 4]) -> String {
    let quoted = cells.map(|cell| format!("\"{}\"", cell.as_ref().replace('"', "\"\"")));
    format!("{}\n", quoted.join(","))
}

#[cfg(test)]
mod tests;
