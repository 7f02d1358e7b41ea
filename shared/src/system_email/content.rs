//! The content of an email, split at everything that differs between recipients.
//!
//! The preview and the sent mail come from the same [`Content`]: [`Content::fill`] writes it as text, while
//! the worker encodes its literals once and the values for each recipient.

use std::borrow::Cow;

use zeroize::Zeroizing;

use super::escaping::Escaping;
use super::segment::{Segment, push_segment};
use super::source::{Piece, Pieces, Slot, ValueContext};
use super::{Field, LetterValues, preheader};

/// Start of the mark around a value in a preview, and around the name of a missing one.
const MARK_START: &str = "<mark style=\"background:#fff0b3;color:#1f2430\">";
const GAP_START: &str = "<mark style=\"background:#ffd9d4;color:#8a1c0f\">";
const MARK_END: &str = "</mark>";

/// Whether filled-in values are marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marking {
    /// As the user receives it.
    Plain,
    /// For the preview: values are marked in the HTML, and missing ones are visible gaps.
    Marked,
}

/// The text of an email in segments.
#[derive(Debug, Clone)]
pub struct Content {
    /// One line.
    pub subject: Vec<Segment>,
    /// Plain text, lines ending with `\n`.
    pub text: Vec<Segment>,
    /// HTML, lines ending with `\n`.
    pub html: Vec<Segment>,
    /// The language; empty if it is unknown.
    pub language: String,
    preheader: Vec<Segment>,
    slots: Vec<Slot>,
}

impl Content {
    /// The content of a compiled template. Both parts of a body have the same slots.
    pub(super) fn new(subject: &Pieces, html: &Pieces, text: &Pieces) -> Self {
        let mut slots = subject.slots.clone();
        let in_subject: Vec<usize> = (0..slots.len()).collect();
        let in_body: Vec<usize> = html.slots.iter().map(|slot| number_of(slot, &mut slots)).collect();
        let text = segments(text, &in_body, Escaping::None, false);
        Self {
            subject: segments(subject, &in_subject, Escaping::None, false),
            html: segments(html, &in_body, Escaping::Html, true),
            preheader: preheader::of_text(&text, &slots),
            text,
            language: String::new(),
            slots,
        }
    }

    /// The slots, each once per default.
    pub(super) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// A segment for a field shown by the shell around an email. It is empty if the value is.
    pub(crate) fn shown_by_shell(&mut self, field: Field, escaping: Escaping) -> Segment {
        let default = Some(String::new());
        Segment::Value {
            slot: number_of(&Slot { field, default }, &mut self.slots),
            escaping,
            is_marked: false,
        }
    }

    /// Whether there is a preview line.
    pub(crate) fn has_preheader(&self) -> bool {
        !self.preheader.is_empty()
    }

    /// Whether the content uses a field.
    pub fn uses(&self, field: &Field) -> bool {
        self.slots.iter().any(|slot| slot.field == *field)
    }

    /// The content for one installation: whatever is the same in all its emails becomes literal.
    #[must_use]
    pub fn for_installation(&self, organisation: &str, sign_in_url: &str) -> Self {
        let constant = |slot: &Slot| {
            let value = match slot.field {
                Field::Organisation => organisation,
                Field::SignInUrl => sign_in_url,
                _ => return None,
            };
            Some(slot.or_default(super::values::on_one_line(value)).into_owned())
        };
        let constants: Vec<Option<String>> = self.slots.iter().map(constant).collect();
        let preheader = fold(&self.preheader, &constants, None);
        let fixed_preheader = match preheader.as_slice() {
            [] => Some(String::new()),
            [Segment::Literal(text)] => Some(preheader::cut(text)),
            _ => None,
        };
        Self {
            subject: fold(&self.subject, &constants, None),
            text: fold(&self.text, &constants, None),
            html: fold(&self.html, &constants, fixed_preheader.as_deref()),
            language: self.language.clone(),
            preheader,
            slots: self.slots.clone(),
        }
    }

    /// The value of each slot for one recipient, or its default.
    pub fn resolve<'v>(&'v self, values: &LetterValues<'v>) -> Vec<Cow<'v, str>> {
        let value = |slot: &'v Slot| slot.or_default(values.of(&slot.field));
        self.slots.iter().map(value).collect()
    }

    /// Names of the fields that have neither a value nor a default and are left empty.
    pub fn missing(&self, values: &LetterValues<'_>) -> Vec<String> {
        let is_missing = |slot: &&Slot| slot.default.is_none() && values.of(&slot.field).is_empty();
        let mut missing: Vec<String> = Vec::new();
        for slot in self.slots.iter().filter(is_missing) {
            if !missing.iter().any(|name| name == slot.field.name()) {
                missing.push(slot.field.name().to_owned());
            }
        }
        missing
    }

    /// The preview line for one recipient: plain text, never the password.
    pub fn preheader(&self, values: &[Cow<'_, str>]) -> String {
        preheader::cut(&self.fill(&self.preheader, values, Marking::Plain))
    }

    /// Writes segments for one recipient. Never fails: missing values are left empty.
    ///
    /// The buffer never moves while it is filled, because moving would leave a copy of the password behind.
    pub fn fill(&self, segments: &[Segment], values: &[Cow<'_, str>], marking: Marking) -> Zeroizing<String> {
        let most = segments.iter().map(|segment| self.max_bytes(segment, values)).sum();
        let mut out = Zeroizing::new(String::with_capacity(most));
        let room = out.capacity();
        for segment in segments {
            match segment {
                Segment::Literal(text) => out.push_str(text),
                Segment::Value { slot, is_marked, .. } if *is_marked && marking == Marking::Marked => {
                    self.push_marked(&mut out, *slot, values);
                }
                Segment::Value { slot, escaping, .. } => {
                    escaping.write(value_of(*slot, values), &mut |text| out.push_str(text));
                }
                Segment::Preheader => {
                    Escaping::Html.write(&self.preheader(values), &mut |text| out.push_str(text));
                }
            }
        }
        debug_assert_eq!(
            room,
            out.capacity(),
            "an email moved and left a copy of the password behind"
        );
        out
    }

    fn push_marked(&self, out: &mut String, slot: usize, values: &[Cow<'_, str>]) {
        let value = value_of(slot, values);
        let name = self.slots.get(slot).map_or("", |slot| slot.field.name());
        let (start, shown) = if value.is_empty() {
            (GAP_START, name)
        } else {
            (MARK_START, value)
        };
        out.push_str(start);
        Escaping::Html.write(shown, &mut |text| out.push_str(text));
        out.push_str(MARK_END);
    }

    /// Maximum length of a segment written by [`Content::fill`], in bytes.
    fn max_bytes(&self, segment: &Segment, values: &[Cow<'_, str>]) -> usize {
        match segment {
            Segment::Literal(text) => text.len(),
            Segment::Value { slot, .. } => {
                let name = self.slots.get(*slot).map_or(0, |slot| slot.field.name().len());
                let shown = value_of(*slot, values).len().max(name);
                Escaping::GROWTH * shown + MARK_START.len() + MARK_END.len()
            }
            Segment::Preheader => Escaping::GROWTH * preheader::BYTES,
        }
    }
}

/// The value of a slot in the result of [`Content::resolve`].
pub fn value_of<'v>(slot: usize, values: &'v [Cow<'_, str>]) -> &'v str {
    values.get(slot).map(Cow::as_ref).unwrap_or_default()
}

/// The index of a slot, which is added if it is missing.
fn number_of(slot: &Slot, slots: &mut Vec<Slot>) -> usize {
    slots.iter().position(|known| known == slot).unwrap_or_else(|| {
        slots.push(slot.clone());
        slots.len() - 1
    })
}

/// Determines the escaping of each value in a part.
fn segments(pieces: &Pieces, numbers: &[usize], of_words: Escaping, is_marked: bool) -> Vec<Segment> {
    let segment = |piece: &Piece| match piece {
        Piece::Literal(text) => Segment::Literal(text.clone()),
        Piece::Slot(n, place) => Segment::Value {
            // The slots of pieces belong to the same part.
            slot: numbers.get(*n).copied().unwrap_or(usize::MAX),
            escaping: match place {
                ValueContext::Words | ValueContext::WholeLink => of_words,
                ValueContext::InsideLink => Escaping::Percent,
            },
            is_marked: is_marked && *place == ValueContext::Words,
        },
    };
    pieces.pieces.iter().map(segment).collect()
}

/// Replaces slots with constant values, and a constant preheader.
fn fold(segments: &[Segment], constants: &[Option<String>], preheader: Option<&str>) -> Vec<Segment> {
    let mut folded = Vec::new();
    for segment in segments {
        let constant = match segment {
            Segment::Value { slot, escaping, .. } => constants
                .get(*slot)
                .and_then(Option::as_deref)
                .map(|text| (text, *escaping)),
            Segment::Preheader => preheader.map(|text| (text, Escaping::Html)),
            Segment::Literal(_) => None,
        };
        let segment = constant.map_or_else(
            || segment.clone(),
            |(text, escaping)| {
                let mut literal = String::new();
                escaping.write(text, &mut |text| literal.push_str(text));
                Segment::Literal(literal)
            },
        );
        push_segment(&mut folded, segment);
    }
    folded
}
