//! The kinds of trouble, as used in columns, labels and pages.

use std::fmt;

shared::named_enum! {
    /// A kind of trouble.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum TroubleClass {
        /// The relay is unreachable.
        Connect = "connect",
        /// TLS could not be established.
        Tls = "tls",
        /// The relay rejects our login, or offers no supported mechanism.
        Auth = "auth",
        /// A deadline passed.
        Timeout = "timeout",
        /// The relay asked us to wait: greylisting, rate limits, overload.
        Throttled = "throttled",
        /// The address does not exist or accepts no mail.
        AddressUnknown = "address_unknown",
        /// The mailbox is full.
        MailboxFull = "mailbox_full",
        /// A policy of the relay or the recipient forbids it.
        Policy = "policy",
        /// The mail is larger than allowed.
        ContentTooLarge = "content_too_large",
        /// The relay does not accept mail from our sender address.
        SenderRefused = "sender_refused",
        /// The connection was closed or lost.
        ConnectionLost = "line_broken",
        /// The relay violated SMTP, or claims that we did.
        Protocol = "protocol",
        /// Refused for an unknown reason.
        Refused = "refused",
        /// The relay does not support addresses of this form.
        AddressUnsupported = "address_unsupported",
        /// The relay does not relay our mail to other domains.
        RelayingDenied = "relaying_denied",
        /// The account's quota is used up.
        Quota = "quota",
    }
}

impl fmt::Display for TroubleClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
