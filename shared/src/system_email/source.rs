//! Tokens that stand for merge fields until there are values.
//!
//! A token is made of ASCII letters and digits, which Markdown, HTML and URLs leave as they
//! are. The finished text is cut at the tokens. A token ends with a letter that says how
//! the value must be written at its place, see [`Place`].

use std::borrow::Cow;

use super::{Field, Part, TemplateFault};

/// A field with what stands in for a missing value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) field: Field,
    pub(super) default: Option<String>,
}

impl Slot {
    /// A value, or the default where it is empty.
    pub(super) fn or_default<'v>(&'v self, value: Cow<'v, str>) -> Cow<'v, str> {
        if value.is_empty() {
            Cow::Borrowed(self.default.as_deref().unwrap_or_default())
        } else {
            value
        }
    }
}

/// How a value is written where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Among words.
    Words,
    /// Somewhere in a link: percent-encoded, so that it stays one part of it.
    InsideLink,
    /// As the start of a link: the sign-in address, which is one itself.
    WholeLink,
}

impl Place {
    const ALL: [Self; 3] = [Self::Words, Self::InsideLink, Self::WholeLink];

    /// The last letter of a token. None may occur elsewhere in a token.
    fn letter(self) -> char {
        match self {
            Self::Words => 'y',
            Self::InsideLink => 'u',
            Self::WholeLink => 'r',
        }
    }
}

/// A part of a text: as it is, or to be filled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Literal(String),
    /// The slot's number, and how its value is written here.
    Slot(usize, Place),
}

/// A text cut at its fields.
#[derive(Debug, Clone, Default)]
pub(super) struct Pieces {
    pub(super) pieces: Vec<Piece>,
    pub(super) slots: Vec<Slot>,
}

/// A text whose fields are tokens.
pub(super) struct Tokenised<'s> {
    /// As the administrator wrote it.
    source: &'s str,
    part: Part,
    /// With tokens.
    pub(super) text: String,
    /// Each field once for each default it has.
    slots: Vec<Slot>,
    /// What every token starts with and the source does not contain.
    nonce: String,
    /// Where each token ends: in `text`, and the field it stands for in `source`.
    ends: Vec<(usize, usize)>,
}

/// A start for tokens that occurs nowhere in the source.
///
/// A source can't contain more different starts than it has bytes, so one is free.
/// No end of it is also a beginning of it, and none of its letters but the `z` of the next
/// token follows a token, so words beside a token cannot make it look different.
fn unused_start(source: &str) -> String {
    (0..=source.len())
        .map(|n| format!("zq{n}v"))
        .find(|start| !source.contains(start))
        .unwrap_or_default()
}

impl<'s> Tokenised<'s> {
    /// The beginning: nothing read yet.
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

    /// How many fields were read, repeated ones included.
    pub(super) fn fields(&self) -> usize {
        self.ends.len()
    }

    /// Appends the token of `slot`, whose field ends at `end` of the source.
    pub(super) fn push(&mut self, slot: Slot, end: usize) {
        let number = self.slots.iter().position(|known| *known == slot).unwrap_or_else(|| {
            self.slots.push(slot);
            self.slots.len() - 1
        });
        self.text.push_str(&self.token(number, Place::Words));
        self.ends.push((self.text.len(), end));
    }

    /// The token of a slot at a place.
    fn token(&self, slot: usize, place: Place) -> String {
        format!("{}{slot}{}", self.nonce, place.letter())
    }

    /// The tokens that stand for a field among words.
    pub(super) fn words_token_of(&self, field: &Field) -> impl Iterator<Item = String> {
        let slots = self
            .slots
            .iter()
            .enumerate()
            .filter(move |(_, slot)| slot.field == *field);
        slots.map(|(number, _)| self.token(number, Place::Words))
    }

    /// The fields, each once for each default it has.
    pub(super) fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.slots.iter()
    }

    /// The slot of that number.
    pub(super) fn slot(&self, number: usize) -> Option<&Slot> {
        self.slots.get(number)
    }

    /// A fault at byte `offset` of the text with tokens, told at its place in the source.
    pub(super) fn fault(&self, offset: usize, code: &'static str, message: impl Into<String>) -> TemplateFault {
        let last = self.ends.iter().take_while(|(end, _)| *end <= offset).last();
        let (end, source_end) = last.copied().unwrap_or((0, 0));
        TemplateFault::at(self.part, self.source, source_end + (offset - end), code, message)
    }

    /// What every token starts with.
    pub(super) fn nonce(&self) -> &str {
        &self.nonce
    }

    /// Cuts a text made from this one at its tokens.
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

    /// Puts pieces together again, tokens for slots.
    pub(super) fn join(&self, pieces: &[Piece]) -> String {
        pieces
            .iter()
            .map(|piece| match piece {
                Piece::Literal(text) => text.clone(),
                Piece::Slot(slot, place) => self.token(*slot, *place),
            })
            .collect()
    }

    /// Cuts a finished text at its tokens and takes the slots along.
    pub(super) fn cut(&self, text: &str) -> Pieces {
        Pieces {
            pieces: self.split(text),
            slots: self.slots.clone(),
        }
    }

    /// Cuts the source itself at its fields.
    pub(super) fn pieces(&self) -> Pieces {
        self.cut(&self.text)
    }

    /// Reads what follows the nonce in a token.
    fn read_token<'t>(&self, part: &'t str) -> Option<(usize, Place, &'t str)> {
        let end = part.find(|c: char| !c.is_ascii_digit())?;
        let (number, rest) = part.split_at_checked(end)?;
        let number = number.parse().ok().filter(|number| *number < self.slots.len())?;
        let place = Place::ALL.into_iter().find(|place| rest.starts_with(place.letter()))?;
        Some((number, place, rest.get(1..)?))
    }
}
