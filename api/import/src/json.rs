//! Users in JSON: `[{"email": …, "first_name": …, "last_name": …, "language": …, "fields": {…}}]`.
//!
//! A syntax error is a fault of the whole file, as in CSV; a fault in one user rejects that user. The rejected users
//! can be downloaded as CSV too, so the survey collects the names in `fields` for its header.

mod frames;
mod nearest;
mod value;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::io::{Read, Seek};

use self::frames::Frames;
use self::nearest::nearest;
use self::value::Value;
use super::column::{Column, Role, own_field};
use super::header::{Known, field_name, normalised};
use super::merge_field::merge_field;
use super::row::{CellSource, Draft, RowRules};
use super::sniff::after_byte_order_mark;
use super::survey::Survey;
use super::text::shown;
use super::{FileFault, Limits, ParsedRow};

/// The keys of a user.
const KEYS: [&str; 5] = ["email", "first_name", "last_name", "language", "fields"];

/// Iterates over the users of an array.
pub(super) struct Users<R> {
    frames: Frames<R>,
    text: Vec<u8>,
    number: u32,
}

impl<R: Read + Seek> Users<R> {
    /// Starts before the first user.
    pub(super) fn open(mut source: R, limits: Limits) -> Result<Self, FileFault> {
        let start = after_byte_order_mark(&mut source)?;
        Ok(Self {
            frames: Frames::new(source, start, limits)?,
            text: Vec::new(),
            number: 0,
        })
    }

    /// The next user as a line.
    pub(super) fn next_line(&mut self, columns: &[Column], rules: RowRules) -> Result<Option<ParsedRow>, FileFault> {
        Ok(self
            .next_user()?
            .map(|(row, user)| read_user(row, &user, columns, rules)))
    }

    fn next_user(&mut self) -> Result<Option<(u32, Value<'_>)>, FileFault> {
        self.number = self.number.saturating_add(1);
        let Some(start) = self.frames.read(&mut self.text, self.number)? else {
            return Ok(None);
        };
        match serde_json::from_slice(&self.text) {
            Ok(user) => Ok(Some((self.number, user))),
            Err(error) => Err(start.fault_within(&error)),
        }
    }
}

/// Reads every user to find faults of the whole file.
pub(super) fn survey<R: Read + Seek>(source: R, limits: Limits) -> Result<Survey, FileFault> {
    let mut users = Users::open(source, limits)?;
    let mut rows = 0_u32;
    let mut columns: Vec<Column> = [Known::Email, Known::FirstName, Known::LastName, Known::Language]
        .into_iter()
        .zip(KEYS)
        .map(|(known, key)| Column {
            header: key.to_owned(),
            role: Role::Known(known),
        })
        .collect();
    let mut names = HashSet::new();
    while let Some((row, user)) = users.next_user()? {
        rows = row;
        let fields = user.entry("fields").and_then(Value::entries).unwrap_or_default();
        for name in fields.iter().filter_map(|(key, _)| merge_field(key).ok()) {
            if names.contains(&name) {
                continue;
            }
            if names.len() >= limits.columns {
                return Err(FileFault::TooManyColumns {
                    row,
                    limit: limits.columns,
                });
            }
            names.insert(name.clone());
            columns.push(Column {
                header: name.clone(),
                role: Role::Field(name),
            });
        }
    }
    Survey {
        columns,
        rows,
        blank_rows: 0,
        header_row: 1,
        mapping: None,
    }
    .within(limits)
}

fn read_user(row: u32, user: &Value<'_>, columns: &[Column], rules: RowRules) -> ParsedRow {
    let mut draft = Draft::new(row, rules);
    if let Some(entries) = user.entries() {
        read_entries(&mut draft, entries);
    } else {
        let message = format!("A user must be an object, not {}", user.kind());
        draft.refuse(None, "wrong_type", message, &user.as_text().unwrap_or_default());
    }
    draft.finish(|| cells_of(user, columns))
}

fn read_entries(draft: &mut Draft, entries: &[(Cow<'_, str>, Value<'_>)]) {
    if !entries.iter().any(|(key, _)| key == "email") {
        draft.put(
            &Role::Known(Known::Email),
            CellSource {
                column: None,
                at: None,
                field: "email",
            },
            "",
        );
    }
    let mut seen = HashSet::with_capacity(entries.len());
    for (key, value) in entries {
        let at = CellSource {
            column: None,
            at: None,
            field: key,
        };
        if !seen.insert(key.as_ref()) {
            refuse_double_key(draft, at, key);
            continue;
        }
        match key.as_ref() {
            "email" => read_text(draft, &Role::Known(Known::Email), at, value),
            "first_name" => read_text(draft, &Role::Known(Known::FirstName), at, value),
            "last_name" => read_text(draft, &Role::Known(Known::LastName), at, value),
            "language" => read_text(draft, &Role::Known(Known::Language), at, value),
            "fields" => read_fields(draft, at, value),
            _ if draft.has_reported_enough() => draft.count_one_more(),
            _ => {
                let advice = match nearest(key, &KEYS) {
                    Some(meant) => format!("did you mean ‘{meant}’?"),
                    None => "your own values go into ‘fields’".to_owned(),
                };
                let message = format!("A user has no ‘{}’ – {advice}", shown(key));
                draft.refuse(Some(at), "unknown_field", message, key);
            }
        }
    }
}

fn read_text(draft: &mut Draft, role: &Role, at: CellSource<'_>, value: &Value<'_>) {
    match value {
        Value::Text(text) => draft.put(role, at, text),
        Value::Null => draft.put(role, at, ""),
        other => {
            let message = format!("Must be a text, not {}", other.kind());
            draft.refuse(Some(at), "wrong_type", message, &other.as_text().unwrap_or_default());
        }
    }
}

fn read_fields(draft: &mut Draft, at: CellSource<'_>, value: &Value<'_>) {
    let Some(entries) = value.entries() else {
        if !matches!(value, Value::Null) {
            let message = format!("Must be an object, not {}", value.kind());
            draft.refuse(Some(at), "wrong_type", message, &value.as_text().unwrap_or_default());
        }
        return;
    };
    let mut seen = HashSet::with_capacity(entries.len());
    for (key, value) in entries {
        let at = CellSource {
            column: None,
            at: None,
            field: key,
        };
        let name = match merge_field(key) {
            Ok(name) => name,
            Err((code, message)) => {
                draft.refuse(Some(at), code, message, key);
                continue;
            }
        };
        if !seen.insert(normalised(key)) {
            refuse_double_key(draft, at, key);
            continue;
        }
        match (value, value.as_text()) {
            (Value::Null, _) => draft.put(&Role::Field(name), at, ""),
            (_, Some(text)) => draft.put(&Role::Field(name), at, &text),
            (_, None) => {
                let message = format!("Must be a text, a number, true or false, not {}", value.kind());
                draft.refuse(Some(at), "wrong_type", message, "");
            }
        }
    }
}

fn refuse_double_key(draft: &mut Draft, at: CellSource<'_>, key: &str) {
    let message = format!("‘{}’ occurs twice – delete one", shown(key));
    draft.refuse(Some(at), "json_duplicate_key", message, key);
}

/// The cells of a rejected user, by column.
fn cells_of(user: &Value<'_>, columns: &[Column]) -> Vec<String> {
    let mut own = HashMap::new();
    for (key, value) in user.entry("fields").and_then(Value::entries).unwrap_or_default() {
        if let Some(name) = field_name(key) {
            own.entry(name).or_insert(value);
        }
    }
    let cell = |column: &Column| {
        let value = match &column.role {
            Role::Field(name) => own.get(name).copied(),
            role => user.entry(own_field(role)),
        };
        value.and_then(Value::as_text).unwrap_or_default().into_owned()
    };
    columns.iter().map(cell).collect()
}
