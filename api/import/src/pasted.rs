//! Pasted text: cells of a spreadsheet, or a list of addresses from a mail program.

use std::fmt::Write as _;
use std::io::Cursor;

use shared::address::EmailAddress;

use super::safe_csv::safe_cell;
use super::{FileFault, Limits, ParsedFile};

/// Turns a list of people without a header into a table; `None` if the text is already a table, or cannot become one.
///
/// A line, or a part between semicolons, is one person: `Ada Lovelace <ada@example.org>`, an address alone, or cells
/// separated by tabs, one of which is the address. Commas separate people where a line has several addresses.
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
    let mut table = String::from("email,full name\n");
    for line in text.split(['\n', '\r', ';']) {
        let is_several = line.matches('@').count() > 1;
        for person in split_outside(line, if is_several { ',' } else { '\n' }) {
            let person = person.trim();
            if !person.is_empty() {
                let (email, name) = email_and_name(person);
                let _ = writeln!(table, "{},{}", quoted(&email), quoted(&name));
            }
        }
    }
    Some(table)
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

fn email_and_name(person: &str) -> (String, String) {
    let is_address = |text: &&str| EmailAddress::parse(text).is_ok();
    if person.contains('\t') {
        let cells: Vec<&str> = person
            .split('\t')
            .map(str::trim)
            .filter(|cell| !cell.is_empty())
            .collect();
        let email = cells.iter().copied().find(is_address).unwrap_or_default();
        let names: Vec<&str> = cells.iter().copied().filter(|cell| *cell != email).collect();
        let name = match names.as_slice() {
            // First and last name in separate cells: joined with a comma.
            [first, last, ..] => format!("{last}, {first}"),
            [whole] => (*whole).to_owned(),
            [] => String::new(),
        };
        return (email.to_owned(), name);
    }
    if let Some((name, rest)) = person.split_once('<') {
        let email = rest.split('>').next().unwrap_or_default();
        return (without_mailto(email), bare(name));
    }
    if let Some((email, rest)) = person.split_once('(') {
        return (without_mailto(email), bare(rest.trim_end_matches(')')));
    }
    let words: Vec<&str> = person.split_whitespace().collect();
    match words.iter().copied().find(is_address) {
        Some(email) if words.len() > 1 => {
            let names: Vec<&str> = words.into_iter().filter(|word| *word != email).collect();
            (email.to_owned(), bare(&names.join(" ")))
        }
        _ => (without_mailto(person), String::new()),
    }
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
        ] {
            let expected = [
                ("ada@example.org", "Ada", "Lovelace"),
                ("bob@example.org", "Bob", "Ray"),
            ]
            .map(|(email, first, last)| (email.to_owned(), first.to_owned(), last.to_owned()));
            assert_eq!(people(text), expected, "{text}");
        }
        let alone = people("ada@example.org, bob@example.org\nmailto:cem@example.org");
        assert_eq!(alone.len(), 3);
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
