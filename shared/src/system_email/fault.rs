//! What is wrong with a letter, and where.

use std::fmt;

use serde::Serialize;

/// Which half of a letter a fault is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The subject line.
    Subject,
    /// The text.
    Body,
}

/// One thing an administrator must change before a letter can be saved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TemplateFault {
    /// Which half.
    pub part: Part,
    /// Line in that half, from 1; 1 also for what concerns the whole half.
    pub line: usize,
    /// Character in that line, from 1; 1 also for what concerns the whole half.
    pub column: usize,
    /// The word for programs.
    pub code: &'static str,
    /// The sentence for the administrator.
    pub message: String,
}

impl TemplateFault {
    /// A fault of the half as a whole.
    pub(super) fn of_whole(part: Part, code: &'static str, message: &str) -> Self {
        Self {
            part,
            line: 1,
            column: 1,
            code,
            message: message.to_owned(),
        }
    }

    /// A fault at byte `offset` of the half's text.
    pub(super) fn at(part: Part, text: &str, offset: usize, code: &'static str, message: impl Into<String>) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            part,
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
            code,
            message: message.into(),
        }
    }
}

impl fmt::Display for TemplateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = match self.part {
            Part::Subject => "subject",
            Part::Body => "body",
        };
        write!(
            f,
            "{part}, line {}, column {}: {}",
            self.line, self.column, self.message
        )
    }
}

/// What an administrator typed, fit to be repeated in a message: no controls, 80 characters.
pub(super) fn echo(typed: &str) -> String {
    let mut shown: String = typed.chars().filter(|c| !c.is_control()).take(80).collect();
    if typed.chars().nth(80).is_some() {
        shown.push('…');
    }
    shown
}
