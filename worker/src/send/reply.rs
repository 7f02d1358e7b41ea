//! A reply from the relay, or why there is none.

/// A complete reply (RFC 5321, 4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The reply code.
    pub code: u16,
    /// The text of all lines, separated by `\n`. Untrusted.
    pub text: String,
}

/// Why there is no reply. The connection is never used again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplyError {
    /// The deadline of the step passed.
    TimedOut,
    /// The connection could not be opened, was closed or was reset; holds the system's error message.
    Broken(String),
    /// The relay sent something that is not a reply, or not one to this command.
    Garbled(String),
    /// TLS could not be established, so nothing was sent in plain text.
    NotPrivate(String),
    /// The relay offers no authentication mechanism that is implemented here.
    NoLogin(String),
}

/// A reply, or why there is none.
pub(super) type ReplyResult = Result<Reply, ReplyError>;

impl Reply {
    /// Whether the command succeeded (2xx).
    pub fn is_completion(&self) -> bool {
        (200..300).contains(&self.code)
    }

    /// Whether the relay waits for the body.
    pub fn is_go_ahead(&self) -> bool {
        self.code == 354
    }

    /// Whether the relay refused, temporarily or permanently.
    pub fn is_refusal(&self) -> bool {
        (400..600).contains(&self.code)
    }

    /// The text on one line.
    pub fn on_one_line(&self) -> String {
        self.text.replace('\n', " ")
    }

    /// The enhanced status code (RFC 3463) at the start of the text. One whose class contradicts the reply's
    /// first digit is ignored.
    pub fn enhanced(&self) -> Option<&str> {
        let word = self.text.split_whitespace().next()?;
        let mut parts = word.split('.');
        let class: u16 = parts.next()?.parse().ok()?;
        let are_numbers = parts.by_ref().take(2).filter(|part| is_short_number(part)).count() == 2;
        (class == self.code / 100 && are_numbers && parts.next().is_none()).then_some(word)
    }
}

fn is_short_number(part: &str) -> bool {
    (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
}
