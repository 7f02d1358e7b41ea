//! What was heard from the relay: a reply, or the reason there is none.

use std::error::Error as _;

use lettre::transport::smtp::Error as LettreError;
use lettre::transport::smtp::response::Response;

/// A complete reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The three digits.
    pub code: u16,
    /// The words after them, as the relay sent them, so untrusted.
    pub lines: Vec<String>,
}

/// Why there is no reply. The connection it happened on is never used again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lost {
    /// The deadline of the step passed.
    TimedOut,
    /// The line could not be opened, was closed or was reset; in the system's words.
    Broken(String),
    /// The relay said something that is no reply, or not one to what we asked.
    Garbled(String),
    /// No private line could be agreed on, so nothing was said on it.
    NotPrivate(String),
    /// The relay offers no way we know to say who we are.
    NoLogin(String),
}

/// A reply or the lack of one.
pub(super) type Heard = Result<Reply, Lost>;

impl Reply {
    /// A good reply that lettre read and kept to itself.
    pub(super) fn unread(code: u16) -> Self {
        Self {
            code,
            lines: Vec::new(),
        }
    }

    /// Whether the relay did what it was asked.
    pub fn is_completion(&self) -> bool {
        (200..300).contains(&self.code)
    }

    /// Whether the relay waits for the body.
    pub fn is_go_ahead(&self) -> bool {
        self.code == 354
    }

    /// Whether the relay said no, for now or for good.
    pub fn is_refusal(&self) -> bool {
        (400..600).contains(&self.code)
    }

    /// The enhanced status code (RFC 3463) in front of the words. One of another class than the
    /// reply's first digit contradicts it and is left out.
    pub fn enhanced(&self) -> Option<&str> {
        let word = self.lines.first()?.split_whitespace().next()?;
        let mut parts = word.split('.');
        let class: u16 = parts.next()?.parse().ok()?;
        let are_numbers = parts.by_ref().take(2).filter(|part| is_short_number(part)).count() == 2;
        (class == self.code / 100 && are_numbers && parts.next().is_none()).then_some(word)
    }
}

fn is_short_number(part: &str) -> bool {
    (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
}

impl From<&Response> for Reply {
    fn from(response: &Response) -> Self {
        Self {
            code: response.code().into(),
            lines: response.message().map(str::to_owned).collect(),
        }
    }
}

/// Translates lettre's result. `line_ended` says whether the relay closed the line, which lettre
/// reports as an unreadable reply.
pub(super) fn heard(result: Result<Response, LettreError>, line_ended: bool) -> Heard {
    let fault = match result {
        Ok(response) => return Ok(Reply::from(&response)),
        Err(fault) => fault,
    };
    let cause = fault.source();
    let text = cause.map(ToString::to_string).unwrap_or_default();
    if let Some(code) = fault.status() {
        // lettre has joined the lines.
        return Ok(Reply {
            code: code.into(),
            lines: vec![text],
        });
    }
    let kind = cause.and_then(|cause| cause.downcast_ref()).map(std::io::Error::kind);
    if line_ended {
        Err(Lost::Broken("the relay closed the connection".to_owned()))
    } else if fault.is_response() || fault.is_client() || kind == Some(std::io::ErrorKind::InvalidData) {
        Err(Lost::Garbled(text))
    } else {
        Err(Lost::Broken(text))
    }
}
