//! The preheader: the line that mail programs show next to the subject.

use super::Field;
use super::segment::Segment;
use super::source::Slot;

/// Number of characters that mail programs show.
const CHARACTERS: usize = 140;
/// Minimum length of a paragraph that is more than a greeting.
const MIN_CHARACTERS: usize = 25;

/// Maximum length of a [`cut`] text in bytes: four per character, and an ellipsis.
pub(super) const BYTES: usize = 4 * CHARACTERS + '…'.len_utf8();

/// The first paragraph that is long enough and contains no secret, or nothing.
pub(super) fn of_text(text: &[Segment], slots: &[Slot]) -> Vec<Segment> {
    let mut paragraphs: Vec<Vec<Segment>> = vec![Vec::new()];
    let mut push = |segment: Segment, is_new: bool| {
        if is_new {
            paragraphs.push(Vec::new());
        }
        if let Some(paragraph) = paragraphs.last_mut() {
            paragraph.push(segment);
        }
    };
    for segment in text {
        match segment {
            Segment::Literal(literal) => {
                for (n, part) in literal.split("\n\n").enumerate() {
                    push(Segment::Literal(part.replace('\n', " ")), n > 0);
                }
            }
            other => push(other.clone(), false),
        }
    }
    let is_good = |paragraph: &Vec<Segment>| {
        let mut characters = 0;
        paragraph.iter().all(|segment| match segment {
            Segment::Literal(text) => {
                characters += text.chars().count();
                !text.contains("https://")
            }
            Segment::Value { slot, .. } => slots
                .get(*slot)
                .is_some_and(|slot| !matches!(slot.field, Field::Password | Field::SignInUrl)),
            Segment::Preheader => false,
        }) && characters >= MIN_CHARACTERS
    };
    paragraphs.into_iter().find(is_good).unwrap_or_default()
}

/// The start of a text, cut between words.
pub(super) fn cut(text: &str) -> String {
    let Some((end, _)) = text.char_indices().nth(CHARACTERS) else {
        return text.to_owned();
    };
    let start = text.get(..end).unwrap_or_default();
    let whole_words = start.rfind(' ').and_then(|space| start.get(..space)).unwrap_or(start);
    format!("{whole_words}…")
}
