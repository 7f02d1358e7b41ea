//! How far a conversation with the relay came.

use std::fmt;

/// The steps of the conversation, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Finding the relay and opening the line; on port 465 the TLS handshake too.
    Connect,
    /// The relay's first words.
    Greeting,
    /// EHLO.
    Ehlo,
    /// STARTTLS and its handshake.
    StartTls,
    /// AUTH.
    Auth,
    /// MAIL: who sends.
    Mail,
    /// RCPT: to whom.
    Rcpt,
    /// DATA: may we.
    Data,
    /// The mail itself, as long as its final dot has certainly not reached the relay.
    Body,
    /// From the moment the final dot may have reached the relay.
    Dot,
}

impl Phase {
    /// All, in order.
    pub const ALL: [Self; 10] = [
        Self::Connect,
        Self::Greeting,
        Self::Ehlo,
        Self::StartTls,
        Self::Auth,
        Self::Mail,
        Self::Rcpt,
        Self::Data,
        Self::Body,
        Self::Dot,
    ];

    /// The word for labels and columns.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Greeting => "greeting",
            Self::Ehlo => "ehlo",
            Self::StartTls => "starttls",
            Self::Auth => "auth",
            Self::Mail => "mail",
            Self::Rcpt => "rcpt",
            Self::Data => "data",
            Self::Body => "body",
            Self::Dot => "dot",
        }
    }

    /// Whether the relay has heard of no mail yet.
    pub fn is_before_mail(self) -> bool {
        self < Self::Mail
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
