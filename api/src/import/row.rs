//! Cells to a person, or to everything that is wrong with them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use shared::address::{AddressFault, EmailAddress, suggest_domain};

use super::cells::Row;
use super::columns::{Column, Role, own_field};
use super::export::as_written;
use super::text::{self, TextFault, counted, is_unseen, letter, shown};
use super::{Line, Person, Problem, Rejected};

/// Problems of one row that are told one by one. More help nobody, and a row of a few hundred
/// kilobytes can have tens of thousands.
pub(super) const PROBLEMS_MOST: usize = 20;

/// Where a value comes from and what it is for.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    /// The header as written; none in JSON.
    pub(super) column: Option<&'a str>,
    /// The field that it fills.
    pub(super) field: &'a str,
}

/// A person while the row is read: the good values, and the problems of the others.
pub(super) struct Draft {
    row: u32,
    email: Option<EmailAddress>,
    first_name: Option<String>,
    last_name: Option<String>,
    language: Option<String>,
    fields: BTreeMap<String, String>,
    problems: Vec<Problem>,
    /// Problems beyond [`PROBLEMS_MOST`], which are only counted.
    more_problems: usize,
}

impl Draft {
    /// Begins an empty row.
    pub(super) fn new(row: u32) -> Self {
        Self {
            row,
            email: None,
            first_name: None,
            last_name: None,
            language: None,
            fields: BTreeMap::new(),
            problems: Vec::new(),
            more_problems: 0,
        }
    }

    /// Takes one value, or the problem with it.
    pub(super) fn put(&mut self, role: &Role, place: Place<'_>, raw: &str) {
        let own = |text: Option<Cow<'_, str>>| text.map(Cow::into_owned);
        let taken = match role {
            Role::Email => {
                self.put_email(place, raw);
                Ok(())
            }
            Role::FirstName => text::name(raw).map(|name| self.first_name = own(name)),
            Role::LastName => text::name(raw).map(|name| self.last_name = own(name)),
            Role::Language => text::language(raw).map(|tag| self.language = tag),
            Role::Field(name) => text::value(raw).map(|value| {
                if let Some(value) = value {
                    self.fields.insert(name.clone(), value.into_owned());
                }
            }),
            Role::Nothing | Role::Problem => Ok(()),
        };
        if let Err(fault) = taken {
            self.refuse_text(place, &fault, raw);
        }
    }

    /// Adds a problem of the value `raw`.
    pub(super) fn refuse(&mut self, place: Option<Place<'_>>, code: &'static str, message: String, raw: &str) {
        if self.has_told_enough() {
            self.count_one_more();
            return;
        }
        self.problems.push(Problem {
            row: self.row,
            column: place.and_then(|place| place.column).map(shown),
            field: place.map(|place| shown(place.field)),
            code,
            message,
            value: shown(raw),
        });
    }

    /// Whether one more problem would only be counted, and needs no words.
    pub(super) fn has_told_enough(&self) -> bool {
        self.problems.len() >= PROBLEMS_MOST
    }

    /// Counts a problem that is not told.
    pub(super) fn count_one_more(&mut self) {
        self.more_problems += 1;
    }

    /// Ends the row. `cells` gives it as it was written, if it is rejected.
    pub(super) fn finish(mut self, cells: impl FnOnce() -> Vec<String>) -> Line {
        if self.more_problems > 0 {
            self.problems.push(Problem {
                row: self.row,
                column: None,
                field: None,
                code: "more_problems",
                message: format!("And {} more problems in this row", counted(self.more_problems)),
                value: String::new(),
            });
        }
        match self.email {
            Some(email) if self.problems.is_empty() => Line::Person(Person {
                row: self.row,
                email,
                first_name: self.first_name,
                last_name: self.last_name,
                language: self.language,
                fields: self.fields,
            }),
            _ => Line::Rejected(Rejected {
                row: self.row,
                problems: self.problems,
                cells: cells(),
            }),
        }
    }

    fn put_email(&mut self, place: Place<'_>, raw: &str) {
        match EmailAddress::parse(raw) {
            Ok(email) => self.email = Some(email),
            // In a form the sentence asks to enter an address; in a cell the console's word
            // is shorter.
            Err(fault @ AddressFault::Missing) => {
                self.refuse(Some(place), fault.code(), "Missing".to_owned(), raw);
            }
            Err(fault) => {
                let meant = match fault {
                    // No slip, or no telling which one was meant.
                    AddressFault::ControlCharacter | AddressFault::SeveralAddresses => None,
                    _ => probably_meant(raw),
                };
                let message = match meant {
                    Some(meant) => format!("{fault} – did you mean {meant}?"),
                    None => fault.to_string(),
                };
                self.refuse(Some(place), fault.code(), message, raw);
            }
        }
    }

    fn refuse_text(&mut self, place: Place<'_>, fault: &TextFault, raw: &str) {
        self.refuse(Some(place), fault.code(), fault.to_string(), raw);
    }
}

/// The address that a wrong one was probably meant to be, where one slip explains it.
fn probably_meant(raw: &str) -> Option<String> {
    // Longer ones are no slip of one key, and this is only a courtesy.
    if raw.len() > 254 {
        return None;
    }
    let bare = raw.rsplit_once('<').map_or(raw, |(_, behind)| behind);
    let bare = bare.trim_matches(|c: char| is_unseen(c) || "<>.,;:'\"()[]".contains(c));
    let bare = match bare.split_at_checked(7) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("mailto:") => rest,
        _ => bare,
    };
    let around_at = bare.split('@').map(str::trim).collect::<Vec<_>>().join("@");
    let candidates = [
        around_at.clone(),
        around_at.replace(',', "."),
        around_at.replace("..", "."),
        around_at.replace("@@", "@"),
    ];
    let mended = candidates.iter().find_map(|text| EmailAddress::parse(text).ok())?;
    Some(match suggest_domain(mended.domain()) {
        Some(domain) => format!("{}@{domain}", mended.local_part()),
        None => mended.as_typed().to_owned(),
    })
}

/// Reads one row of a CSV file that is not blank.
pub(super) fn read_row(row: &Row, columns: &[Column]) -> Line {
    let mut draft = Draft::new(row.number());
    let mut cells = row.cells();
    for column in columns {
        // A row may end early: the cells it lacks are empty.
        let raw = as_written(cells.next().unwrap_or_default());
        draft.put(&column.role, place_of(column), raw);
    }
    if let Some(extra) = cells.find(|cell| !cell.chars().all(is_unseen)) {
        let message = format!(
            "This row has {} cells and the header has {} – a cell with a separator in it needs quotation marks around it",
            row.cells().count(),
            columns.len()
        );
        draft.refuse(None, "too_many_cells", message, extra);
    }
    if let Some(place) = row.stray_quote() {
        let cell = row.cells().nth(place).unwrap_or_default();
        let message = format!(
            "A quotation mark is in the wrong place in column {} – write \"\" for one that belongs to the text",
            letter(place)
        );
        draft.refuse(columns.get(place).map(place_of), "stray_quote", message, cell);
    }
    draft.finish(|| cells_of(row, columns))
}

/// The cells as they were written, without what we wrote about the row last time.
fn cells_of(row: &Row, columns: &[Column]) -> Vec<String> {
    let is_ours = |place: usize| columns.get(place).is_some_and(|column| column.role == Role::Problem);
    let width = row.cells().count().max(columns.len());
    row.cells()
        .chain(std::iter::repeat(""))
        .take(width)
        .enumerate()
        .filter(|(place, _)| !is_ours(*place))
        .map(|(_, cell)| as_written(cell).to_owned())
        .collect()
}

/// What the problems of a column's cells name.
pub(super) fn place_of(column: &Column) -> Place<'_> {
    Place {
        column: Some(&column.header),
        field: own_field(&column.role),
    }
}
