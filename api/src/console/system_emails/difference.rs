//! Differences between two texts: by line, and by word within changed lines.
//!
//! A paragraph is one long line, so comparing lines alone would mark a whole paragraph for one corrected typing error.
//!
//! Words are compared within a row. `TextDiff::iter_inline_changes` of `similar` compares all lines of a change at
//! once: a word that moved to another row would not be marked, and lines with little in common would be split if the
//! other lines have enough.

use super::languages;
use crate::app::problem::Problem;
use crate::app::state::AppState;
use shared::language::name_of;
use shared::store::system_emails::{self, Wording};
use shared::system_email::{SystemEmailKind, Template, Texts};
use similar::{Algorithm, DiffOp, capture_diff_slices};
use std::ops::Range;

/// Two versions of a text side by side.
#[derive(Debug)]
pub(in crate::console) struct Comparison {
    /// One for each language that differs; the default text is always among them.
    pub(in crate::console) texts: Vec<ComparedText>,
}

/// Two versions of the text in one language.
#[derive(Debug)]
pub(in crate::console) struct ComparedText {
    /// The language, if there are several.
    pub(in crate::console) name: String,
    /// Rows of the subject; there is one.
    pub(in crate::console) subject: Vec<Row>,
    /// Rows of the body.
    pub(in crate::console) body: Vec<Row>,
}

impl ComparedText {
    fn between(name: String, left: &Template, right: &Template) -> Self {
        Self {
            name,
            subject: rows(&left.subject, &right.subject),
            body: rows(&left.body, &right.body),
        }
    }

    fn is_same(&self) -> bool {
        self.subject.iter().chain(&self.body).all(|row| row.is_same)
    }
}

impl Comparison {
    /// Compares an old text (left) with a new one (right).
    pub(super) fn between(left: &Template, right: &Template) -> Self {
        Self {
            texts: vec![ComparedText::between(String::new(), left, right)],
        }
    }

    /// Compares two versions in all their languages.
    pub(super) fn of_versions(left: &Texts, right: &Texts) -> Self {
        let mut tags: Vec<&str> = [left, right]
            .into_iter()
            .flat_map(|texts| texts.translations.iter().map(|known| known.language.as_str()))
            .collect();
        tags.sort_unstable();
        tags.dedup();
        let none = Template {
            subject: String::new(),
            body: String::new(),
        };
        let others = tags.into_iter().map(|tag| {
            let text = |texts: &Texts| {
                texts
                    .translation(tag)
                    .map_or_else(|| none.clone(), |known| known.text.clone())
            };
            ComparedText::between(name_of(tag), &text(left), &text(right))
        });
        let others: Vec<ComparedText> = others.filter(|other| !other.is_same()).collect();
        let name = if others.is_empty() {
            String::new()
        } else {
            languages::default_name(right)
        };
        let default = ComparedText::between(name, &left.default, &right.default);
        Self {
            texts: std::iter::once(default).chain(others).collect(),
        }
    }

    /// Compares the wording of a batch (right) with the version that it was written from (left).
    pub(in crate::console) async fn with_base(
        api: &AppState,
        kind: SystemEmailKind,
        wording: &Wording,
    ) -> Result<Self, Problem> {
        let base = system_emails::find(&api.db, kind, wording.based_on).await?;
        let base = base.ok_or_else(Problem::internal)?;
        Ok(Self::between(&base.texts().default, &wording.texts().default))
    }

    /// Whether nothing differs.
    pub(super) fn is_same(&self) -> bool {
        self.texts.iter().all(ComparedText::is_same)
    }
}

/// A row: a line on the left, on the right, or on both sides.
#[derive(Debug, Default)]
pub(in crate::console) struct Row {
    /// The old line.
    pub(in crate::console) left: Option<Side>,
    /// The new line.
    pub(in crate::console) right: Option<Side>,
    pub(in crate::console) is_same: bool,
}

/// A line of one text.
#[derive(Debug)]
pub(in crate::console) struct Side {
    /// Line number, counted from 1.
    pub(in crate::console) number: usize,
    /// The line in pieces.
    pub(in crate::console) pieces: Vec<Piece>,
}

/// A piece of a line.
#[derive(Debug, Eq, PartialEq)]
pub(in crate::console) struct Piece {
    pub(in crate::console) text: String,
    /// Whether it differs from the other side.
    pub(in crate::console) is_other: bool,
}

fn rows(left: &str, right: &str) -> Vec<Row> {
    let (left, right): (Vec<&str>, Vec<&str>) = (left.lines().collect(), right.lines().collect());
    let mut rows = Vec::new();
    for Part { old, new, is_same } in parts(&left, &right) {
        for n in 0..old.len().max(new.len()) {
            let line = |lines: &[&str], range: &Range<usize>| {
                let at = (n < range.len()).then_some(range.start + n)?;
                lines.get(at).map(|line| (at, (*line).to_owned()))
            };
            rows.push(row(line(&left, &old), line(&right, &new), is_same));
        }
    }
    rows
}

/// A range of equal lines, or lines of one text that replace those of the other.
struct Part {
    old: Range<usize>,
    new: Range<usize>,
    is_same: bool,
}

/// Splits both texts into parts, in order. An empty line between two changed paragraphs belongs to the change: all
/// empty lines are equal, so treating it as unchanged could pair unrelated paragraphs.
fn parts(left: &[&str], right: &[&str]) -> Vec<Part> {
    let ops = capture_diff_slices(Algorithm::Myers, left, right);
    let mut parts: Vec<Part> = Vec::with_capacity(ops.len());
    for (at, op) in ops.iter().enumerate() {
        let (old, new) = (op.old_range(), op.new_range());
        let is_between = at > 0 && at + 1 < ops.len();
        let is_empty = || {
            left.get(old.clone())
                .is_some_and(|lines| lines.iter().all(|line| line.trim().is_empty()))
        };
        let is_same = matches!(op, DiffOp::Equal { .. }) && !(is_between && is_empty());
        match parts.last_mut() {
            Some(last) if !last.is_same && !is_same => (last.old.end, last.new.end) = (old.end, new.end),
            _ => parts.push(Part { old, new, is_same }),
        }
    }
    parts
}

fn row(left: Option<(usize, String)>, right: Option<(usize, String)>, is_same: bool) -> Row {
    let text = |line: &Option<(usize, String)>| line.as_ref().map(|(_, text)| text.clone());
    let is_same = is_same || text(&left) == text(&right);
    let (mut of_left, mut of_right) = match (&left, &right) {
        (Some((_, left)), Some((_, right))) if !is_same => words(left, right),
        _ => (Vec::new(), Vec::new()),
    };
    let side = |line: Option<(usize, String)>, pieces: &mut Vec<Piece>| {
        line.map(|(at, text)| Side {
            number: at + 1,
            pieces: if pieces.is_empty() {
                vec![Piece { text, is_other: false }]
            } else {
                std::mem::take(pieces)
            },
        })
    };
    Row {
        left: side(left, &mut of_left),
        right: side(right, &mut of_right),
        is_same,
    }
}

/// Marks the words that differ. Lines with little in common are not split, because marks on every other word are harder
/// to read than none.
fn words(left: &str, right: &str) -> (Vec<Piece>, Vec<Piece>) {
    let (old, new) = (tokens(left), tokens(right));
    let ops = capture_diff_slices(Algorithm::Myers, &old, &new);
    let kept: usize = ops
        .iter()
        .filter(|op| matches!(op, DiffOp::Equal { .. }))
        .flat_map(|op| old.get(op.old_range()).unwrap_or_default())
        .map(|word| word.len())
        .sum();
    if 2 * kept < left.len().min(right.len()) {
        return (Vec::new(), Vec::new());
    }
    let (mut of_left, mut of_right) = (Vec::new(), Vec::new());
    for op in ops {
        let is_other = !matches!(op, DiffOp::Equal { .. });
        push(&mut of_left, old.get(op.old_range()), is_other);
        push(&mut of_right, new.get(op.new_range()), is_other);
    }
    (of_left, of_right)
}

fn push(pieces: &mut Vec<Piece>, words: Option<&[&str]>, is_other: bool) {
    let text = words.unwrap_or_default().concat();
    if !text.is_empty() {
        pieces.push(Piece { text, is_other });
    }
}

/// Splits a line into words and the text between them.
fn tokens(line: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let is_word = first.is_alphanumeric();
        let end = if is_word {
            rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        let (token, behind) = rest.split_at(end);
        tokens.push(token);
        rest = behind;
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `=` equal, `~` changed, `-` only left, `+` only right; differences are in brackets.
    fn shown(left: &str, right: &str) -> Vec<String> {
        let side = |side: &Option<Side>| {
            let pieces = side.iter().flat_map(|side| &side.pieces);
            pieces
                .map(|piece| {
                    if piece.is_other {
                        format!("[{}]", piece.text)
                    } else {
                        piece.text.clone()
                    }
                })
                .collect::<String>()
        };
        rows(left, right)
            .iter()
            .map(|row| match (&row.left, &row.right) {
                (Some(_), None) => format!("- {}", side(&row.left)),
                (None, _) => format!("+ {}", side(&row.right)),
                _ if row.is_same => format!("= {}", side(&row.left)),
                _ => format!("~ {} | {}", side(&row.left), side(&row.right)),
            })
            .collect()
    }

    #[test]
    fn a_changed_word_is_found_in_a_long_line() {
        assert_eq!(
            shown(
                "Hello,\n\nthe gate is open today.\nBye",
                "Hello,\n\nthe gate is open tomorrow.\nBye"
            ),
            [
                "= Hello,",
                "= ",
                "~ the gate is open [today]. | the gate is open [tomorrow].",
                "= Bye"
            ]
        );
    }

    #[test]
    fn lines_that_came_or_went_stand_alone() {
        assert_eq!(shown("a\nb\nc", "a\nc\nd"), ["= a", "- b", "= c", "+ d"]);
        assert_eq!(shown("", "new"), ["+ new"]);
        assert!(shown("", "").is_empty());
    }

    #[test]
    fn empty_lines_hold_no_paragraphs_apart() {
        assert_eq!(
            shown(
                "Hello,\n\nthe gate is open.\n\nBye",
                "Dear all,\n\nthe gate is shut.\n\nBye"
            ),
            [
                "~ Hello, | Dear all,",
                "= ",
                "~ the gate is [open]. | the gate is [shut].",
                "= ",
                "= Bye"
            ]
        );
    }

    #[test]
    fn lines_with_little_in_common_are_not_taken_apart() {
        assert_eq!(
            shown("Come in and sit down", "Nothing of this is known"),
            ["~ Come in and sit down | Nothing of this is known"]
        );
    }

    #[test]
    fn line_numbers_are_those_of_their_own_text() {
        let rows = rows("a\nb", "x\na\nb");
        let numbers: Vec<_> = rows
            .iter()
            .map(|row| {
                (
                    row.left.as_ref().map(|side| side.number),
                    row.right.as_ref().map(|side| side.number),
                )
            })
            .collect();
        assert_eq!(numbers, [(None, Some(1)), (Some(1), Some(2)), (Some(2), Some(3))]);
    }
}
