//! Turns cells into a person, or into a list of everything that is wrong with them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use shared::address::{AddressFault, EmailAddress, suggest_domain};

use super::accepted::{Accepted, IN_ONE_LINE};
use super::cells::Row;
use super::column::{Column, Role, own_field};
use super::damage::{self, Damage};
use super::full_name;
use super::header::Known;
use super::language::{is_no_language, language};
use super::safe_csv::as_written;
use super::text::{self, TextFault, cell_name, counted, is_unseen, letter, shown};
use super::{ParsedRow, Person, Problem, Rejected};

/// Problems of one row that are reported individually. More would not help, and a row of a few hundred kilobytes can
/// have tens of thousands.
pub(super) const MAX_PROBLEMS: usize = 20;

/// The origin of a value and the field it fills.
#[derive(Clone, Copy)]
pub(super) struct CellSource<'a> {
    /// The header as written; `None` in JSON.
    pub(super) column: Option<&'a str>,
    /// The index of the column, from 0.
    pub(super) at: Option<usize>,
    /// The field that it fills.
    pub(super) field: &'a str,
}

/// The caller's options for all rows of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowRules {
    /// The kinds of values that look damaged and are imported as they are, or as [`Accepted`] says.
    pub accepted: Accepted,
    /// An empty cell clears the value. Otherwise it changes nothing.
    pub clears_empty: bool,
}

/// A person while the row is read: the valid values, and the problems of the others.
pub(super) struct Draft {
    row: u32,
    rules: RowRules,
    email: Option<EmailAddress>,
    first_name: Option<String>,
    last_name: Option<String>,
    language: Option<String>,
    fields: BTreeMap<String, String>,
    problems: Vec<Problem>,
    /// Problems beyond [`MAX_PROBLEMS`], which are only counted.
    more_problems: usize,
}

impl Draft {
    /// Starts an empty row.
    pub(super) fn new(row: u32, rules: RowRules) -> Self {
        Self {
            row,
            rules,
            email: None,
            first_name: None,
            last_name: None,
            language: None,
            fields: BTreeMap::new(),
            problems: Vec::new(),
            more_problems: 0,
        }
    }

    /// Takes one value, or records its problem.
    pub(super) fn put(&mut self, role: &Role, place: CellSource<'_>, raw: &str) {
        let is_text = !matches!(role, Role::Known(Known::Email | Known::Language));
        let raw = if is_text && self.rules.accepted.includes(IN_ONE_LINE) {
            &*text::in_one_line(raw)
        } else {
            raw
        };
        let clears_empty = self.rules.clears_empty;
        let kept = |text: Option<String>| text.or_else(|| clears_empty.then(String::new));
        let own = |text: Option<Cow<'_, str>>| kept(text.map(Cow::into_owned));
        let taken = match role {
            Role::Known(Known::Email) => {
                self.put_email(place, raw);
                Ok(())
            }
            Role::Known(Known::FirstName) => text::name(raw).map(|name| self.first_name = own(name)),
            Role::Known(Known::LastName) => text::name(raw).map(|name| self.last_name = own(name)),
            Role::Known(Known::FullName) => text::name(raw).map(|name| {
                let (first, last) = full_name::split(name.as_deref().unwrap_or_default());
                self.first_name = kept(first);
                self.last_name = kept(last);
            }),
            Role::Known(Known::Language) => {
                self.put_language(place, raw);
                Ok(())
            }
            Role::Field(name) => text::value(raw).map(|value| {
                if let Some(value) = own(value) {
                    self.fields.insert(name.clone(), value);
                }
            }),
            Role::Nothing | Role::LeftOut(_) | Role::Problem => Ok(()),
        };
        let damage = match role {
            _ if self.rules.accepted == Accepted::ALL => None,
            Role::Known(Known::Email) => self.email.as_ref().and_then(damage::of_address),
            role => damage::find(role, place.column, raw),
        };
        let damage = damage.filter(|damage| !self.rules.accepted.includes(damage.code));
        match (taken, damage) {
            // Garbled text also contains control characters, and the garbling explains more.
            (Err(TextFault::Control(_)) | Ok(()), Some(damage)) => self.doubt(place, damage, raw),
            (Err(fault), _) => self.refuse_text(role, place, &fault, raw),
            (Ok(()), None) => {}
        }
    }

    /// Adds a problem that can be accepted.
    fn doubt(&mut self, place: CellSource<'_>, damage: Damage, raw: &str) {
        self.refuse(Some(place), damage.code, damage.sentence(), raw);
        if let (0, Some(problem)) = (self.more_problems, self.problems.last_mut()) {
            problem.suggestion = damage.suggestion;
            problem.acceptable = true;
        }
    }

    /// Adds a problem of the value `raw`.
    pub(super) fn refuse(&mut self, place: Option<CellSource<'_>>, code: &'static str, message: String, raw: &str) {
        if self.has_reported_enough() {
            self.count_one_more();
            return;
        }
        self.problems.push(Problem {
            row: self.row,
            column: place.and_then(|place| place.column).map(shown),
            cell: place.and_then(|place| place.at).map(|at| cell_name(at, self.row)),
            field: place.map(|place| shown(place.field)),
            code,
            message,
            suggestion: None,
            acceptable: false,
            value: shown(raw),
        });
    }

    /// Whether a further problem would only be counted, and needs no sentence.
    pub(super) fn has_reported_enough(&self) -> bool {
        self.problems.len() >= MAX_PROBLEMS
    }

    /// Counts a problem that is not reported.
    pub(super) fn count_one_more(&mut self) {
        self.more_problems += 1;
    }

    /// Ends the row. `cells` returns it as written, if it is rejected.
    pub(super) fn finish(mut self, cells: impl FnOnce() -> Vec<String>) -> ParsedRow {
        if self.more_problems > 0 {
            self.problems.push(Problem {
                row: self.row,
                column: None,
                cell: None,
                field: None,
                code: "more_problems",
                message: format!("And {} more problems in this row", counted(self.more_problems)),
                suggestion: None,
                acceptable: false,
                value: String::new(),
            });
        }
        match self.email {
            Some(email) if self.problems.is_empty() => ParsedRow::Person(Person {
                row: self.row,
                email,
                first_name: self.first_name,
                last_name: self.last_name,
                language: self.language,
                fields: self.fields,
            }),
            _ => ParsedRow::Rejected(Rejected {
                row: self.row,
                problems: self.problems,
                cells: cells(),
            }),
        }
    }

    fn put_email(&mut self, place: CellSource<'_>, raw: &str) {
        match EmailAddress::parse(raw) {
            Ok(email) => match reason_for_rejection(&email) {
                None => self.email = Some(email),
                Some((code, message)) => {
                    let meant = probably_meant(raw);
                    let message = match &meant {
                        Some(meant) => format!("{message} – did you mean {meant}?"),
                        None => message.to_owned(),
                    };
                    self.refuse(Some(place), code, message, raw);
                    self.suggest(meant);
                }
            },
            // In a form the sentence asks for an address; for a cell the console uses a shorter word.
            Err(fault @ AddressFault::Missing) => {
                self.refuse(Some(place), fault.code(), "Missing".to_owned(), raw);
            }
            Err(fault) => {
                let meant = match fault {
                    // Not a typo, or it is unclear which address was meant.
                    AddressFault::ControlCharacter | AddressFault::SeveralAddresses => None,
                    _ => probably_meant(raw),
                };
                let message = match &meant {
                    Some(meant) => format!("{fault} – did you mean {meant}?"),
                    None => fault.to_string(),
                };
                self.refuse(Some(place), fault.code(), message, raw);
                self.suggest(meant);
            }
        }
    }

    /// Adds a suggestion to the problem that was added last.
    fn suggest(&mut self, meant: Option<String>) {
        if let (0, Some(problem)) = (self.more_problems, self.problems.last_mut()) {
            problem.suggestion = meant;
        }
    }

    /// Takes a language, or records its problem. If an unknown language is accepted, the user is imported without one.
    fn put_language(&mut self, place: CellSource<'_>, raw: &str) {
        let fault = match language(raw) {
            Ok(tag) => return self.set_language(tag),
            Err(fault) => fault,
        };
        let (code, message) = if is_no_language(raw) {
            (
                "placeholder",
                "Stands for “nothing” – leave the cell empty if there is no language".to_owned(),
            )
        } else {
            (fault.code(), fault.to_string())
        };
        if !self.rules.accepted.includes(code) {
            let damage = Damage {
                code,
                message: message.into(),
                suggestion: None,
            };
            return self.doubt(place, damage, raw);
        }
        if is_no_language(raw) {
            self.set_language(None);
        }
    }

    fn set_language(&mut self, tag: Option<String>) {
        self.language = tag.or_else(|| self.rules.clears_empty.then(String::new));
    }

    /// Records the problem of a text. Line breaks can be accepted if the text is valid in one line.
    fn refuse_text(&mut self, role: &Role, place: CellSource<'_>, fault: &TextFault, raw: &str) {
        self.refuse(Some(place), fault.code(), fault.to_string(), raw);
        if fault.code() != IN_ONE_LINE {
            return;
        }
        let line = text::in_one_line(raw);
        let is_valid = match role {
            Role::Field(_) => text::value(&line).is_ok(),
            _ => text::name(&line).is_ok(),
        };
        if let (true, 0, Some(problem)) = (is_valid, self.more_problems, self.problems.last_mut()) {
            problem.suggestion = Some(line.trim().to_owned());
            problem.acceptable = true;
        }
    }
}

/// Why a valid address cannot belong to a user: the code, and the sentence.
fn reason_for_rejection(email: &EmailAddress) -> Option<(&'static str, &'static str)> {
    if email.local_part().starts_with('\'') {
        // The standard allows it. In files it is the mark that makes a cell text, or half of a pair of quotation marks.
        return Some((
            "local_part_invalid",
            "Not a valid email address: leave out the apostrophe in front",
        ));
    }
    damage::is_impossible(email.domain()).then_some((
        "domain_impossible",
        "Not a valid email address: no domain has this ending",
    ))
}

/// The address that an invalid one was probably meant to be, if a single typo explains it.
fn probably_meant(raw: &str) -> Option<String> {
    // Longer texts are not a single typo, and a suggestion is optional.
    if raw.len() > 254 {
        return None;
    }
    let bare = raw.rsplit_once('<').map_or(raw, |(_, behind)| behind);
    let bare = bare.trim_matches(|c: char| is_unseen(c) || "<>.,;:'\"()[]".contains(c));
    let bare = without_scheme(bare);
    let around_at = bare.split('@').map(str::trim).collect::<Vec<_>>().join("@");
    let candidates = [
        around_at.clone(),
        around_at.replace(',', "."),
        around_at.replace("..", "."),
        around_at.replace("@@", "@"),
    ];
    let corrected = candidates.iter().find_map(|text| EmailAddress::parse(text).ok())?;
    match suggest_domain(corrected.domain()) {
        Some(domain) => Some(format!("{}@{domain}", corrected.local_part())),
        // It would be refused as well.
        None if damage::is_impossible(corrected.domain()) => None,
        None => Some(corrected.as_typed().to_owned()),
    }
}

/// Removes the `mailto:` of a link, or the `SMTP:` that Exchange writes before each of a user's addresses.
fn without_scheme(address: &str) -> &str {
    let behind = |scheme: &str| match address.split_at_checked(scheme.len()) {
        Some((start, rest)) if start.eq_ignore_ascii_case(scheme) => Some(rest),
        _ => None,
    };
    behind("mailto:").or_else(|| behind("smtp:")).unwrap_or(address)
}

/// Reads one non-blank row of a CSV file.
pub(super) fn read_row(row: &Row, columns: &[Column], rules: RowRules) -> ParsedRow {
    let mut draft = Draft::new(row.number(), rules);
    let mut cells = row.cells();
    for (place, column) in columns.iter().enumerate() {
        // A row may end early: missing cells are empty.
        let raw = as_written(cells.next().unwrap_or_default());
        draft.put(&column.role, place_of(place, column), raw);
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
        draft.refuse(
            columns.get(place).map(|column| place_of(place, column)),
            "stray_quote",
            message,
            cell,
        );
    }
    draft.finish(|| cells_of(row, columns))
}

/// The cells as written, without the problems that we wrote into the row.
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

/// The place that problems in a column's cells refer to.
pub(super) fn place_of(at: usize, column: &Column) -> CellSource<'_> {
    CellSource {
        at: Some(at),
        column: Some(&column.header),
        field: own_field(&column.role),
    }
}
