//! Finds the header row and the separator.

use std::io::{Read, Seek};

use shared::address::EmailAddress;

use super::cells::Row;
use super::columns::{email_column, names_of};
use super::rows::Rows;
use super::sniff::Start;
use super::{FileFault, Limits};

/// Separators, most likely first.
const SEPARATORS: [u8; 4] = *b",;\t|";

/// How many rows are searched for the header. Exports have a title, a date and a filter above it.
pub(super) const MAX_HEADER_ROW: u32 = 20;

/// Finds the separator and the header row. `is_chosen` tells whether a row with this number and these names is the
/// header that the caller means.
///
/// The separator is the one that the file declares, else the one that yields a header with an address column, else the
/// one that yields the most columns.
pub(super) fn find_header<R: Read + Seek>(
    source: &mut R,
    start: &Start,
    is_chosen: &dyn Fn(u32, &[String]) -> bool,
    limits: Limits,
) -> Result<(u8, u32), FileFault> {
    let separators = start.separator.map_or(SEPARATORS.to_vec(), |separator| vec![separator]);
    let mut best: Option<(u8, Found)> = None;
    for separator in separators {
        let mut rows = Rows::new(&mut *source, start.offset, separator, limits)?;
        let found = header_among(&first_rows(&mut rows)?, is_chosen);
        if best.is_none_or(|(_, best)| (found.likelihood, found.width) > (best.likelihood, best.width)) {
            best = Some((separator, found));
        }
    }
    let (separator, found) = best.ok_or(FileFault::Empty)?;
    Ok((separator, found.row))
}

/// The first non-blank rows as the header may be chosen from them: their numbers and their cells.
pub(super) fn header_choices<R: Read + Seek>(rows: &mut Rows<R>) -> Result<Vec<(u32, Vec<String>)>, FileFault> {
    let first = first_rows(rows)?;
    Ok(first.into_iter().map(|top| (top.number, top.names)).collect())
}

/// One of the first rows.
struct TopRow {
    number: u32,
    width: usize,
    names: Vec<String>,
    /// The first cell that is an address.
    address_at: Option<usize>,
}

impl TopRow {
    fn filled(&self) -> usize {
        self.names.iter().filter(|name| !name.is_empty()).count()
    }
}

/// How likely a row is the header.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Likelihood {
    Guessed,
    HasEmailName,
    Chosen,
}

/// The row that looks most like a header.
#[derive(Clone, Copy)]
struct Found {
    likelihood: Likelihood,
    row: u32,
    width: usize,
}

fn first_rows<R: Read + Seek>(rows: &mut Rows<R>) -> Result<Vec<TopRow>, FileFault> {
    let (mut row, mut top) = (Row::default(), Vec::new());
    let mut seen = 0;
    while seen < MAX_HEADER_ROW {
        // Blank rows count once a non-blank row has been seen.
        seen += u32::from(!top.is_empty());
        match rows.read(&mut row) {
            Ok(true) if row.is_blank() => {}
            Ok(true) => top.push(TopRow {
                number: row.number(),
                width: row.width(),
                names: names_of(&row),
                address_at: row.cells().position(|cell| EmailAddress::parse(cell).is_ok()),
            }),
            Ok(false) => break,
            Err(fault @ FileFault::Unreadable(_)) => return Err(fault),
            // The survey reports this if it is the separator. The faulty column counts as the last one.
            Err(_) => {
                if top.is_empty() {
                    top.push(TopRow {
                        number: row.number(),
                        width: row.width() + 1,
                        names: Vec::new(),
                        address_at: None,
                    });
                }
                break;
            }
        }
    }
    if top.is_empty() { Err(FileFault::Empty) } else { Ok(top) }
}

/// The row that the caller means, else the first row with the name of an address column, else the row that names the
/// column of the first addresses, else the first row.
fn header_among(top: &[TopRow], is_chosen: &dyn Fn(u32, &[String]) -> bool) -> Found {
    let found = |likelihood, row: &TopRow| Found {
        likelihood,
        row: row.number,
        width: row.width,
    };
    if let Some(row) = top.iter().find(|row| is_chosen(row.number, &row.names)) {
        return found(Likelihood::Chosen, row);
    }
    // "email" beside an address is a value, such as the preferred way of contact.
    let mut named = top.iter().filter(|row| row.address_at.is_none());
    if let Some((row, column)) = named.find_map(|row| Some((row, email_column(&row.names)?))) {
        let is_person = |above: &TopRow| above.address_at == Some(column) && above.filled() >= row.filled();
        let mut above = top.iter().take_while(|above| above.number < row.number);
        // The header is never below the first person.
        if !above.any(is_person) {
            return found(Likelihood::HasEmailName, row);
        }
    }
    let guessed = above_addresses(top).or(top.first());
    guessed.map_or(
        Found {
            likelihood: Likelihood::Guessed,
            row: 1,
            width: 0,
        },
        |row| found(Likelihood::Guessed, row),
    )
}

/// The first row above the people that has something above their addresses. It has about as many cells as they do; a
/// title has fewer. The row directly above them may be a person whose address is wrong.
fn above_addresses(top: &[TopRow]) -> Option<&TopRow> {
    let widest = top.iter().map(TopRow::filled).max().unwrap_or_default();
    // A contact address above the table stands alone in its row.
    let is_person = |row: &&TopRow| row.address_at.is_some() && row.filled() * 2 > widest;
    let person = top.iter().find(is_person)?;
    let column = person.address_at?;
    let has_name = |row: &&TopRow| row.names.get(column).is_some_and(|name| !name.is_empty());
    let above = || top.iter().take_while(|row| row.number < person.number);
    above()
        .filter(has_name)
        .find(|row| row.filled() * 2 > person.filled())
        .or_else(|| above().find(has_name))
        .or_else(|| above().last())
        .or(Some(person))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sniff::sniff;
    use std::io::Cursor;

    fn header_of(text: &str, is_chosen: &dyn Fn(u32, &[String]) -> bool) -> (char, u32) {
        let mut source = Cursor::new(text.as_bytes());
        let start = sniff(&mut source).unwrap();
        let (separator, row) = find_header(&mut source, &start, is_chosen, Limits::default()).unwrap();
        (char::from(separator), row)
    }

    #[test]
    fn the_header_is_found_below_titles_and_contact_addresses() {
        for (text, row) in [
            ("Email,Name\nada@example.org,Ada\n", 1),
            ("Staff 2026\n\nEmail,Name\nada@example.org,Ada\n", 3),
            ("Questions?,hr@example.org\nEmail,Name,Room\nada@example.org,Ada,7\n", 2),
            ("Contact,hr@example.org\nEmail,Name\nada@example.org,Ada\n", 2),
            ("ada@example.org,Ada\nEmail,Name\nx@example.org,X\n", 1),
            ("hr@example.org\nKontakt,Vorname\nada@example.org,Ada\n", 2),
            ("Kontakt,Vorname\nbob(at)example.org,Bob\nada@example.org,Ada\n", 1),
            ("Liste\nKontakt,Vorname\nbob@,Bob\nada@example.org,Ada\n", 2),
            ("Kontakt,Vorname,Raum\nbob@,Bob\nada@example.org,Ada\n", 1),
            ("Contact,Preferred\nada@example.org,email\nbob@example.org,phone\n", 1),
            ("Staff of 2026\nKontakt,Wer,,Raum\nada@example.org,Ada,x,7\n", 2),
            ("Kontakt\nada@example.org\n", 1),
            ("ada@example.org,Ada\nbob@example.org,Bob\n", 1),
            ("Name,Room\nAda,7\n", 1),
        ] {
            assert_eq!(header_of(text, &|_, _| false), (',', row), "{text}");
        }
    }

    #[test]
    fn bars_separate_columns() {
        assert_eq!(
            header_of("Email|Name\nada@example.org|Ada, Bob\n", &|_, _| false),
            ('|', 1)
        );
        assert_eq!(header_of("Email,A|B\nada@example.org,x|y\n", &|_, _| false), (',', 1));
    }

    #[test]
    fn a_chosen_header_is_taken_whatever_it_looks_like() {
        let text = "Email,Name\nContact,Who\nada@example.org,Ada\n";
        assert_eq!(header_of(text, &|row, _| row == 2), (',', 2));
        assert_eq!(header_of(text, &|_, names| names == ["Contact", "Who"]), (',', 2));
        let text = "Email;Name\nContact;Who\nada@example.org;Ada\n";
        assert_eq!(header_of(text, &|_, names| names == ["Contact", "Who"]), (';', 2));
    }
}
