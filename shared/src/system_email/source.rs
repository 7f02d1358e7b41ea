//! Tokens that replace merge fields until there are values.
//!
//! A token consists of ASCII letters and digits, which Markdown, HTML and URLs leave unchanged. The finished
//! text is split at the tokens. The last letter of a token determines how the value is escaped there, see
//! [`ValueContext`].

use std::borrow::Cow;

use super::{Field, Part, TemplateFault};

/// A field with its default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) field: Field,
    pub(super) default: Option<String>,
}

impl Slot {
    /// The value, or the default if it is empty.
    pub(super) fn or_default<'v>(&'v self, value: Cow<'v, str>) -> Cow<'v, str> {
        if value.is_empty() {
            Cow::Borrowed(self.default.as_deref().unwrap_or_default())
        } else {
            value
        }
    }
}

/// The context of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ValueContext {
    /// Within text.
    Words,
    /// Inside a link: percent-encoded, so that it stays one component.
    InsideLink,
    /// At the start of a link: the sign-in address, which is a link itself.
    WholeLink,
}

impl ValueContext {
    const ALL: [Self; 3] = [Self::Words, Self::InsideLink, Self::WholeLink];

    /// The last letter of a token. It must not occur elsewhere in a token.
    fn letter(self) -> char {
        match self {
            Self::Words => 'y',
            Self::InsideLink => 'u',
            Self::WholeLink => 'r',
        }
    }
}

/// A piece of a text: literal or to be filled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Literal(String),
    /// The number of the slot, and its context.
    Slot(usize, ValueContext),
}

/// A text split at its fields.
#[derive(Debug, Clone, Default)]
pub(super) struct Pieces {
    pub(super) pieces: Vec<Piece>,
    pub(super) slots: Vec<Slot>,
}

/// A text with tokens instead of fields.
pub(super) struct Tokenised<'s> {
    /// As written by the administrator.
    source: &'s str,
    part: Part,
    /// With tokens.
    pub(super) text: String,
    /// Each field once per default.
    slots: Vec<Slot>,
    /// The prefix of all tokens, which the source does not contain.
    nonce: String,
    /// The end of each token in `text`, and of its field in `source`.
    ends: Vec<(usize, usize)>,
}

/// A prefix for tokens that does not occur in the source.
///
/// A source cannot contain more different prefixes than it has bytes, so one is unused. No suffix of it is
/// also a prefix of it, and none of its letters but the `z` of the next token follows a token, so adjacent
/// text cannot make a token look different.
fn unused_start(source: &str) -> String {
    (0..=source.len())
        .map(|n| format!("zq{n}v"))
        .find(|start| !source.contains(start))
        .unwrap_or_default()
}

impl<'s> Tokenised<'s> {
    /// Starts with nothing read.
    pub(super) fn empty(source: &'s str, part: Part) -> Self {
        Self {
            source,
            part,
            text: String::with_capacity(source.len()),
            slots: Vec::new(),
            nonce: unused_start(source),
            ends: Vec::new(),
        }
    }

    /// Number of fields read, including repeated ones.
    pub(super) fn fields(&self) -> usize {
        self.ends.len()
    }

    /// Appends the token of `slot`, whose field ends at `end` of the source.
    pub(super) fn push(&mut self, slot: Slot, end: usize) {
        let number = self.slots.iter().position(|known| *known == slot).unwrap_or_else(|| {
            self.slots.push(slot);
            self.slots.len() - 1
        });
        self.text.push_str(&self.token(number, ValueContext::Words));
        self.ends.push((self.text.len(), end));
    }

    /// The token of a slot in a context.
    fn token(&self, slot: usize, place: ValueContext) -> String {
        format!("{}{slot}{}", self.nonce, place.letter())
    }

    /// The tokens of a field within text.
    pub(super) fn words_token_of(&self, field: &Field) -> impl Iterator<Item = String> {
        let slots = self
            .slots
            .iter()
            .enumerate()
            .filter(move |(_, slot)| slot.field == *field);
        slots.map(|(number, _)| self.token(number, ValueContext::Words))
    }

    /// The fields, each once per default.
    pub(super) fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.slots.iter()
    }

    /// The slot with this number.
    pub(super) fn slot(&self, number: usize) -> Option<&Slot> {
        self.slots.get(number)
    }

    /// A fault at byte `offset` of the text with tokens, reported at its position in the source.
    pub(super) fn fault(&self, offset: usize, code: &'static str, message: impl Into<String>) -> TemplateFault {
        let last = self.ends.iter().take_while(|(end, _)| *end <= offset).last();
        let (end, source_end) = last.copied().unwrap_or((0, 0));
        TemplateFault::at(self.part, self.source, source_end + (offset - end), code, message)
    }

    /// The prefix of all tokens.
    pub(super) fn nonce(&self) -> &str {
        &self.nonce
    }

    /// Splits a text derived from this one at its tokens.
    pub(super) fn split(&self, text: &str) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut parts = text.split(self.nonce.as_str());
        literal.push_str(parts.next().unwrap_or_default());
        for part in parts {
            let Some((slot, place, rest)) = self.read_token(part) else {
                literal.push_str(&self.nonce);
                literal.push_str(part);
                continue;
            };
            if !literal.is_empty() {
                pieces.push(Piece::Literal(std::mem::take(&mut literal)));
            }
            pieces.push(Piece::Slot(slot, place));
            literal.push_str(rest);
        }
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        pieces
    }

    /// Joins pieces again, with tokens for slots.
    pub(super) fn join(&self, pieces: &[Piece]) -> String {
        pieces
            .iter()
            .map(|piece| match piece {
                Piece::Literal(text) => text.clone(),
                Piece::Slot(slot, place) => self.token(*slot, *place),
            })
            .collect()
    }

    /// Splits a finished text at its tokens and includes the slots.
    pub(super) fn cut(&self, text: &str) -> Pieces {
        Pieces {
            pieces: self.split(text),
            slots: self.slots.clone(),
        }
    }

    /// Splits the source itself at its fields.
    pub(super) fn pieces(&self) -> Pieces {
        self.cut(&self.text)
    }

    /// Parses what follows the prefix of a token.
    fn read_token<'t>(&self, part: &'t str) -> Option<(usize, ValueContext, &'t str)> {
        let end = part.find(|c: char| !c.is_ascii_digit())?;
        let (number, rest) = part.split_at_checked(end)?;
        let number = number.parse().ok().filter(|number| *number < self.slots.len())?;
        let place = ValueContext::ALL
            .into_iter()
            .find(|place| rest.starts_with(place.letter()))?;
        Some((number, place, rest.get(1..)?))
    }
}
