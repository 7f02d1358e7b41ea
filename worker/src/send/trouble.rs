//! The kinds of trouble, as used in columns, labels and pages.

use std::fmt;

/// A kind of trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TroubleClass {
    /// The relay is unreachable.
    Connect,
    /// TLS could not be established.
    Tls,
    /// The relay rejects our login, or offers no supported mechanism.
    Auth,
    /// A deadline passed.
    Timeout,
    /// The relay asked us to wait: greylisting, rate limits, overload.
    Throttled,
    /// The address does not exist or accepts no mail.
    AddressUnknown,
    /// The mailbox is full.
    MailboxFull,
    /// A policy of the relay or the recipient forbids it.
    Policy,
    /// The mail is larger than allowed.
    ContentTooLarge,
    /// The relay does not accept mail from our sender address.
    SenderRefused,
    /// The connection was closed or lost.
    ConnectionLost,
    /// The relay violated SMTP, or claims that we did.
    Protocol,
    /// Refused for an unknown reason.
    Refused,
    /// The relay does not support addresses of this form.
    AddressUnsupported,
    /// The relay does not relay our mail to other domains.
    RelayingDenied,
    /// The account's quota is used up.
    Quota,
}

impl TroubleClass {
    /// All of them, for metrics and contracts.
    pub const ALL: [Self; 16] = [
        Self::Connect,
        Self::Tls,
        Self::Auth,
        Self::Timeout,
        Self::Throttled,
        Self::AddressUnknown,
        Self::MailboxFull,
        Self::Policy,
        Self::ContentTooLarge,
        Self::SenderRefused,
        Self::ConnectionLost,
        Self::Protocol,
        Self::Refused,
        Self::AddressUnsupported,
        Self::RelayingDenied,
        Self::Quota,
    ];

    /// Its name in labels and columns.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Auth => "auth",
            Self::Timeout => "timeout",
            Self::Throttled => "throttled",
            Self::AddressUnknown => "address_unknown",
            Self::MailboxFull => "mailbox_full",
            Self::Policy => "policy",
            Self::ContentTooLarge => "content_too_large",
            Self::SenderRefused => "sender_refused",
            Self::ConnectionLost => "line_broken",
            Self::Protocol => "protocol",
            Self::Refused => "refused",
            Self::AddressUnsupported => "address_unsupported",
            Self::RelayingDenied => "relaying_denied",
            Self::Quota => "quota",
        }
    }
}

impl fmt::Display for TroubleClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
