//! The grammar of merge fields.
//!
//! ```text
//! {{ name }}      {{ name | default("text") }}
//! ```
//!
//! There is nothing else: no conditions, no loops, no other filters, no expressions.

use std::fmt::Write;

use super::fault::echo;
use super::source::{Slot, Tokenised};
use super::values::{breaks_line, changes_direction};
use super::{CustomFields, Field, Part, SystemEmailKind, TemplateFault};

/// Maximum number of fields in a subject or body, including repeated ones.
///
/// Together with the limit on values it bounds the size of a mail.
const FIELDS: usize = 200;
/// Maximum number of faults reported per subject or body. More would not help.
const FAULTS: usize = 100;
/// Maximum length of a default in characters.
const DEFAULT_CHARACTERS: usize = 200;

/// Replaces the fields of `source` with tokens and reports invalid fields.
pub(super) fn tokenise<'s>(
    source: &'s str,
    part: Part,
    kind: SystemEmailKind,
    custom: CustomFields<'_>,
) -> (Tokenised<'s>, Vec<TemplateFault>) {
    let mut reader = Reader {
        source,
        part,
        kind,
        custom,
        faults: Vec::new(),
    };
    let mut all = Tokenised::empty(source, part);
    let mut at = 0;
    while let Some(open) = source.get(at..).and_then(|rest| rest.find("{{")).map(|n| at + n) {
        reader.check_words(at, open);
        all.text.push_str(source.get(at..open).unwrap_or_default());
        at = open + 2;
        if all.fields() == FIELDS {
            reader.fault(open, "too_many_fields", "There are more than 200 fields: use fewer");
            at = source.len();
            break;
        }
        if let Some(end) = reader.end_of_field(open) {
            if let Some(slot) = reader.slot(open, end) {
                all.push(slot, end);
            }
            at = end;
        }
    }
    reader.check_words(at, source.len());
    all.text.push_str(source.get(at..).unwrap_or_default());
    (all, reader.faults)
}

/// Reads one source and collects its faults.
struct Reader<'s, 'c> {
    source: &'s str,
    part: Part,
    kind: SystemEmailKind,
    custom: CustomFields<'c>,
    faults: Vec<TemplateFault>,
}

impl Reader<'_, '_> {
    fn fault(&mut self, offset: usize, code: &'static str, message: impl Into<String>) {
        if self.faults.len() < FAULTS {
            self.faults
                .push(TemplateFault::at(self.part, self.source, offset, code, message));
        }
    }

    /// Looks for text that is not a field but was probably meant to be one.
    fn check_words(&mut self, start: usize, end: usize) {
        let words = self.source.get(start..end).unwrap_or_default();
        for (offset, _) in words.match_indices("}}") {
            self.fault(
                start + offset,
                "field_not_opened",
                "There is a }} without a {{ before it",
            );
        }
        for (offset, _) in words.match_indices("{%") {
            let message = "Only fields such as {{ first_name }} are supported, no conditions or loops";
            self.fault(start + offset, "logic_unsupported", message);
        }
        let is_forbidden = |c: char| c.is_control() && c != '\n' && c != '\t';
        if let Some(offset) = words.find(is_forbidden) {
            self.fault(
                start + offset,
                "control_character",
                "There is a control character here: remove it",
            );
        }
    }

    /// Finds the end of the field that opens at `open`.
    fn end_of_field(&mut self, open: usize) -> Option<usize> {
        let inside = self.source.get(open + 2..)?;
        let line = inside.split('\n').next()?;
        let close = line
            .find("}}")
            .filter(|close| line.find("{{").is_none_or(|next| next > *close));
        if close.is_none() {
            self.fault(open, "field_not_closed", "There is a {{ without a }} after it");
        }
        Some(open + 2 + close? + 2)
    }

    /// Reads a field including its braces.
    fn slot(&mut self, open: usize, end: usize) -> Option<Slot> {
        let inside = self.source.get(open + 2..end - 2)?;
        let (name, filter) = match inside.split_once('|') {
            Some((name, filter)) => (name.trim(), Some(filter.trim())),
            None => (inside.trim(), None),
        };
        let field = self.field(open, name)?;
        let default = match filter {
            None => None,
            Some(filter) => {
                self.check_default(open, inside)?;
                Some(self.default(open, filter)?)
            }
        };
        if field == Field::Password && default.is_some() {
            let message = "{{ password }} can't have a default: each person gets a password of their own";
            self.fault(open, "password_default", message);
            return None;
        }
        Some(Slot { field, default })
    }

    /// Finds the named field, if this email may use it here.
    fn field(&mut self, open: usize, name: &str) -> Option<Field> {
        let is_name = !name.is_empty() && !name.contains(|c: char| c.is_control() || "{}()\"'<>".contains(c));
        let found = is_name.then(|| Field::find(name, self.custom)).flatten();
        let Some(field) = found else {
            let mut message = format!("{{{{ {} }}}} is not a field.", echo(name));
            if let Some(near) = Field::nearest(name, self.kind, self.custom) {
                // Writing into a String does not fail.
                let _never_fails = write!(message, " Did you mean {{{{ {} }}}}?", near.name());
            }
            self.fault(open, "unknown_field", message);
            return None;
        };
        if !field.is_allowed_in(self.kind) {
            let message = format!("The invite email must not contain {{{{ {} }}}}", field.name());
            self.fault(open, "password_in_invite", message);
            return None;
        }
        if field == Field::Password && self.part == Part::Subject {
            let message = "The subject must not contain {{ password }}: others can see it";
            self.fault(open, "password_in_subject", message);
            return None;
        }
        Some(field)
    }

    /// Rejects in a default what no value may contain: it is inserted like a value and not cleaned any more
    /// than the text around it.
    fn check_default(&mut self, open: usize, inside: &str) -> Option<()> {
        let from = inside.find('|')?;
        let fault = inside
            .get(from..)?
            .find(|c| (breaks_line(c) && c != '\t') || changes_direction(c));
        if let Some(offset) = fault {
            let message = "There is a control character in this default: remove it";
            self.fault(open + 2 + from + offset, "control_character", message);
            return None;
        }
        Some(())
    }

    /// Reads `default("text")`.
    fn default(&mut self, open: usize, filter: &str) -> Option<String> {
        let text = filter
            .strip_prefix("default")
            .and_then(|rest| rest.trim_start().strip_prefix('('))
            .and_then(|rest| rest.strip_suffix(')'))
            .map(str::trim)
            .and_then(|quoted| {
                // Autocorrection turns straight quotation marks into curly ones.
                [('"', '"'), ('\'', '\''), ('“', '”')]
                    .into_iter()
                    .find_map(|(left, right)| {
                        quoted
                            .strip_prefix(left)?
                            .strip_suffix(right)
                            .filter(|t| !t.contains([left, right]))
                    })
            });
        let Some(text) = text else {
            let message = format!(
                "“{}” is not supported here. Only default(\"text\") is, as in {{{{ first_name | default(\"there\") }}}}",
                echo(filter)
            );
            self.fault(open, "unknown_filter", message);
            return None;
        };
        if text.chars().count() > DEFAULT_CHARACTERS {
            self.fault(
                open,
                "default_too_long",
                "The text of a default must be 200 characters or fewer",
            );
            return None;
        }
        Some(text.to_owned())
    }
}
