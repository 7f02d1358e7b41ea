//! The kinds of trouble, as they stand in columns, labels and pages.

use std::fmt;

/// What kind of trouble it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TroubleClass {
    /// The relay cannot be reached.
    Connect,
    /// No private line could be agreed on.
    Tls,
    /// The relay does not believe, or does not ask, who we are.
    Auth,
    /// A deadline passed.
    Timeout,
    /// The relay asked us to wait: greylisting, rate limits, a busy relay.
    Throttled,
    /// The address does not exist or takes no mail.
    AddressUnknown,
    /// The mailbox takes no more.
    MailboxFull,
    /// A rule of the relay or the recipient forbids it.
    Policy,
    /// The mail is larger than allowed.
    ContentTooLarge,
    /// The relay does not take mail from our sender address.
    SenderRefused,
    /// The line closed or was cut.
    LineBroken,
    /// The relay broke the rules of SMTP, or says that we did.
    Protocol,
    /// Refused without a reason we can name.
    Refused,
    /// The relay cannot carry an address of this form.
    AddressUnsupported,
    /// The relay does not pass mail on from us to other domains.
    RelayingDenied,
    /// The account has sent as much as it may.
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
        Self::LineBroken,
        Self::Protocol,
        Self::Refused,
        Self::AddressUnsupported,
        Self::RelayingDenied,
        Self::Quota,
    ];

    /// The word for labels and columns.
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
            Self::LineBroken => "line_broken",
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
