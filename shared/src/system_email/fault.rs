//! What is wrong with a system email, and where.

use std::fmt;

use serde::Serialize;

/// The part of a system email that has a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The subject line.
    Subject,
    /// The body.
    Body,
}

/// Something that an administrator must change before the email can be saved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TemplateFault {
    /// The part.
    pub part: Part,
    /// Line in that part, from 1; also 1 for faults of the whole part.
    pub line: usize,
    /// Character in that line, from 1; also 1 for faults of the whole part.
    pub column: usize,
    /// The code for programs.
    pub code: &'static str,
    /// The message for the administrator.
    pub message: String,
}

impl TemplateFault {
    /// A fault of the part as a whole.
    pub(super) fn of_whole(part: Part, code: &'static str, message: &str) -> Self {
        Self {
            part,
            line: 1,
            column: 1,
            code,
            message: message.to_owned(),
        }
    }

    /// A fault at byte `offset` of the part's text.
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

/// An administrator's input, fit for a message: no control characters, at most 80 characters.
pub(super) fn echo(typed: &str) -> String {
    let mut shown: String = typed.chars().filter(|c| !c.is_control()).take(80).collect();
    if typed.chars().nth(80).is_some() {
        shown.push('…');
    }
    shown
}
