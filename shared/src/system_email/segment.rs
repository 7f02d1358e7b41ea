//! The segments that an email is split into.

use super::escaping::Escaping;

/// A segment of an email.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    /// The same in every email.
    Literal(String),
    /// The value of a slot.
    Value {
        /// Index into the result of [`Content::resolve`](super::Content::resolve).
        slot: usize,
        /// How it is escaped here.
        escaping: Escaping,
        /// Whether a preview marks it.
        is_marked: bool,
    },
    /// The preview line in HTML: [`Content::preheader`](super::Content::preheader), escaped.
    Preheader,
}

/// Appends a segment, merging adjacent literals.
pub(crate) fn push_segment(segments: &mut Vec<Segment>, segment: Segment) {
    match (segments.last_mut(), segment) {
        (_, Segment::Literal(text)) if text.is_empty() => {}
        (Some(Segment::Literal(before)), Segment::Literal(text)) => before.push_str(&text),
        (_, segment) => segments.push(segment),
    }
}
