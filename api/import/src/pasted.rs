//! Pasted text: cells of a spreadsheet, or a list of addresses from a mail program.

use std::fmt::Write as _;
use std::io::Cursor;

use shared::address::EmailAddress;

use super::safe_csv::safe_cell;
use super::{FileFault, Limits, ParsedFile};

/// Words that mail programs write before the addresses of a message.
const LABELS: [&str; 14] = [
    "from", "to", "cc", "bcc", "von", "an", "de", "à", "para", "da", "a", "van", "aan", "od",
];

/// Words between two addresses of a sentence.
const CONNECTIVES: [&str; 11] = ["and", "or", "und", "oder", "et", "y", "e", "en", "i", "&", "+"];

/// One person of a list: the address, or what stands in its place, and the name.
#[derive(Debug, PartialEq, Eq)]
struct Listed {
    email: String,
    name: String,
}

/// Turns a list of people without a header into a table; `None` if the text is already a table, or cannot become one.
///
/// A line, or a part between semicolons, is one person: `Ada Lovelace <ada@example.org>`, an address alone, or cells
/// separated by tabs or commas, one of which is the address. Commas separate people where a line has several addresses.
/// Cells that may be something else than a name need a header: what they are would be guessed, and might be a password.
pub fn table_of(text: &str) -> Option<String> {
    let opened = ParsedFile::open_csv(Cursor::new(text.as_bytes()), Limits::default());
    let has_header = match &opened {
        Ok(_) => true,
        Err(fault) => !fault
            .each()
            .iter()
            .any(|one| matches!(one, FileFault::NoEmailColumn { .. })),
    };
    if (has_header && !matches!(opened, Err(FileFault::QuoteNotClosed { .. }))) || !text.contains('@') {
        return None;
    }
    let mut people = Vec::new();
    for line in text.split(['\n', '\r']) {
        add_people(line, &mut people)?;
    }
    let mut table = String::from("email,full name\n");
    for Listed { email, name } in people {
        let _ = writeln!(table, "{},{}", quoted(&email), quoted(&name));
    }
    Some(table)
}

/// Adds the people of a line; `None` if its cells need a header.
fn add_people(line: &str, people: &mut Vec<Listed>) -> Option<()> {
    let line = without_label(line.trim_matches(|c: char| c.is_whitespace() && c != '\t' || matches!(c, ',' | ';')));
    if line.trim().is_empty() {
        return Some(());
    }
    if let Some(person) = in_angle_brackets(line) {
        people.push(person);
        return Some(());
    }
    for separator in ['\t', ';', ','] {
        let cells: Vec<&str> = split_outside(line, separator)
            .into_iter()
            .map(str::trim)
            .filter(|cell| !cell.is_empty())
            .collect();
        let addresses = cells.iter().filter(|cell| is_address(&bare(cell))).count();
        if cells.len() > 1 && addresses == 1 && line.matches('@').count() == 1 {
            people.push(of_cells(&cells)?);
            return Some(());
        }
    }
    if line.matches('@').count() > 1 {
        for parts in [split_outside(line, ';'), after_brackets(line), split_outside(line, ',')] {
            if parts.iter().filter(|part| !part.trim().is_empty()).count() > 1 {
                return parts.into_iter().try_for_each(|part| add_people(part, people));
            }
        }
    }
    add_words(line, people);
    Some(())
}

/// Splits at a character outside quotation marks.
fn split_outside(line: &str, at: char) -> Vec<&str> {
    let mut is_quoted = false;
    let is_end = |c: char| {
        if c == '"' {
            is_quoted = !is_quoted;
        }
        c == at && !is_quoted
    };
    line.split(is_end).collect()
}

/// The parts of a line, each of which ends with an address in angle brackets.
fn after_brackets(line: &str) -> Vec<&str> {
    line.split_inclusive('>').collect()
}

/// The line without "From:".
fn without_label(line: &str) -> &str {
    match line.split_once(':') {
        Some((label, rest)) if LABELS.contains(&label.trim().to_lowercase().as_str()) => rest.trim_start(),
        _ => line,
    }
}

/// `Ada Lovelace <ada@example.org>`, the only person of its line.
fn in_angle_brackets(line: &str) -> Option<Listed> {
    let (name, rest) = line.split_once('<')?;
    let (email, behind) = rest.split_once('>').unwrap_or((rest, ""));
    let name = bare(name);
    let email = without_mailto(email);
    // Outlook writes the address as the name of a person without one.
    let is_nameless = name.eq_ignore_ascii_case(&email);
    let is_last = behind
        .trim_matches(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '.'))
        .is_empty();
    if !is_last || name.contains('@') && !is_nameless {
        return None;
    }
    Some(Listed {
        email,
        name: if is_nameless { String::new() } else { name },
    })
}

/// A person from an address and one or two cells with the name.
fn of_cells(cells: &[&str]) -> Option<Listed> {
    let cells: Vec<String> = cells.iter().map(|cell| bare(cell)).collect();
    let email = cells.iter().find(|cell| is_address(cell))?.clone();
    let names: Vec<&String> = cells.iter().filter(|cell| **cell != email).collect();
    if names.iter().any(|name| name.chars().any(|c| c.is_ascii_digit())) {
        return None;
    }
    let name = match names.as_slice() {
        [] => String::new(),
        [whole] => (*whole).clone(),
        // The comma tells the parser which is which.
        [first, last] => format!("{last}, {first}"),
        _ => return None,
    };
    Some(Listed { email, name })
}

/// Adds the people of a line without separators: each address with the words before it, a single one with all others.
fn add_words(line: &str, people: &mut Vec<Listed>) {
    if let (Some((email, rest)), 1) = (line.split_once('('), line.matches('@').count()) {
        people.push(Listed {
            email: without_mailto(email),
            name: bare(rest.trim_end_matches(')')),
        });
        return;
    }
    let (mut before, mut found) = (Vec::new(), Vec::new());
    for word in line.split_whitespace() {
        let plain = without_mailto(&bare(word.trim_matches(['<', '>', ',', ';', '(', ')'])));
        if is_address(&plain) {
            let name = bare(&before.join(" "));
            found.push(Listed { email: plain, name });
            before.clear();
        } else if !found.is_empty() && CONNECTIVES.contains(&word.to_lowercase().as_str()) {
            add_rest(&mut before, &mut found);
        } else {
            before.push(word);
        }
    }
    if found.is_empty() {
        found.push(Listed {
            email: without_mailto(line),
            name: String::new(),
        });
    } else {
        add_rest(&mut before, &mut found);
    }
    people.append(&mut found);
}

/// Takes the words after an address for its name. Words without an address become a person without one, so
/// that they are shown.
fn add_rest(words: &mut Vec<&str>, found: &mut Vec<Listed>) {
    let rest = words.join(" ");
    words.clear();
    match found.last_mut() {
        _ if rest.is_empty() => {}
        Some(last) if last.name.is_empty() => last.name = bare(&rest),
        _ => found.push(Listed {
            email: rest,
            name: String::new(),
        }),
    }
}

fn is_address(text: &str) -> bool {
    EmailAddress::parse(text).is_ok()
}

fn without_mailto(email: &str) -> String {
    let email = email.trim();
    match email.split_at_checked(7) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("mailto:") => rest.to_owned(),
        _ => email.to_owned(),
    }
}

/// A name without the quotation marks that mail programs put around it.
fn bare(name: &str) -> String {
    let name = name.trim().trim_end_matches([',', ':', '-']).trim();
    name.trim_matches(['"', '\'']).trim().to_owned()
}

fn quoted(cell: &str) -> String {
    format!("\"{}\"", safe_cell(cell).replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ParsedRow;

    fn people(text: &str) -> Vec<(String, String, String)> {
        let table = table_of(text).unwrap();
        let (_, lines) = ParsedFile::open_csv(Cursor::new(table.into_bytes()), Limits::default()).unwrap();
        let person = |line| match line {
            ParsedRow::Person(person) => (
                person.email.as_typed().to_owned(),
                person.first_name.unwrap_or_default(),
                person.last_name.unwrap_or_default(),
            ),
            ParsedRow::Rejected(rejected) => panic!("{rejected:?}"),
        };
        lines.map(|line| person(line.unwrap())).collect()
    }

    #[test]
    fn a_list_from_a_mail_program_becomes_people() {
        for text in [
            "Ada Lovelace <ada@example.org>, Bob Ray <bob@example.org>",
            "\"Lovelace, Ada\" <ada@example.org>, \"Ray, Bob\" <bob@example.org>",
            "Lovelace, Ada <ada@example.org>; Ray, Bob <bob@example.org>;",
            "Ada Lovelace <mailto:ada@example.org>\r\n\r\nBob Ray <bob@example.org>\r\n",
            "ada@example.org (Ada Lovelace)\nbob@example.org (Bob Ray)",
            "Ada\tLovelace\tada@example.org\nBob\tRay\tbob@example.org",
            "ada@example.org\tAda Lovelace\nbob@example.org\tBob Ray",
            "Ada Lovelace ada@example.org\nBob Ray bob@example.org",
            "Ada Lovelace ada@example.org Bob Ray bob@example.org",
            "Ada Lovelace ada@example.org and Bob Ray bob@example.org",
            "Lovelace, Ada <ada@example.org>, Ray, Bob <bob@example.org>",
            "ada@example.org,Ada,Lovelace\nbob@example.org,Bob,Ray",
            "Ada;Lovelace;ada@example.org\nBob;Ray;bob@example.org",
            "ada@example.org, Ada Lovelace\nbob@example.org; Bob Ray",
            "From: Ada Lovelace <ada@example.org>\nAn: Bob Ray <bob@example.org>",
        ] {
            let expected = [
                ("ada@example.org", "Ada", "Lovelace"),
                ("bob@example.org", "Bob", "Ray"),
            ]
            .map(|(email, first, last)| (email.to_owned(), first.to_owned(), last.to_owned()));
            assert_eq!(people(text), expected, "{text}");
        }
    }

    #[test]
    fn addresses_without_names_become_people() {
        for text in [
            "ada@example.org, bob@example.org\nmailto:cem@example.org",
            "ada@example.org bob@example.org cem@example.org",
            "ada@example.org and bob@example.org, cem@example.org",
            "Cc: 'ada@example.org' <ada@example.org>; 'bob@example.org' <bob@example.org>; cem@example.org",
            "<ada@example.org>, <bob@example.org>, <cem@example.org>,",
            "to: ada@example.org; bob@example.org;\n\tcem@example.org",
        ] {
            let expected =
                ["ada", "bob", "cem"].map(|name| (format!("{name}@example.org"), String::new(), String::new()));
            assert_eq!(people(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_person_is_not_left_out() {
        let list =
            "ada@example.org, the others\nbob@example.org and cem@example.org and Dan\nEve <eve@example.org> Fay";
        let table = table_of(list).unwrap();
        for part in [
            "ada@example.org",
            "the others",
            "bob@example.org",
            "cem@example.org",
            "Dan",
            "eve@example.org",
            "Fay",
        ] {
            assert!(table.contains(part), "{table}");
        }
    }

    #[test]
    fn cells_that_may_be_no_names_need_a_header() {
        for text in [
            "ada@example.org\tAda\tLovelace\tSales\n",
            "ada@example.org\tAda\tSecret42!\n",
            "bob@example.org\tBob\nada@example.org\tAda\t7\n",
            "ada@example.org,Ada,Lovelace,Sales\n",
            "ada@example.org;Ada;4711\n",
        ] {
            assert_eq!(table_of(text), None, "{text}");
        }
    }

    #[test]
    fn a_table_stays_as_it_is() {
        for text in [
            "email\tFirst name\nada@example.org\tAda\n",
            "Staff\nE-Mail;Name\nada@example.org;Ada\n",
            "no address in it",
            "email,pwd\nada@example.org,x\n",
            "",
        ] {
            assert_eq!(table_of(text), None, "{text}");
        }
    }
}
