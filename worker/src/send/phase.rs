//! The phases of a conversation with the relay.

use std::fmt;

shared::named_enum! {
    /// The phases of the conversation, in order.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Phase {
        /// Resolving the relay's name and connecting; on port 465 the TLS handshake too.
        Connect = "connect",
        /// The relay's greeting.
        Greeting = "greeting",
        /// EHLO.
        Ehlo = "ehlo",
        /// STARTTLS and its handshake.
        StartTls = "starttls",
        /// AUTH.
        Auth = "auth",
        /// MAIL: the sender.
        Mail = "mail",
        /// RCPT: the recipient.
        Rcpt = "rcpt",
        /// DATA: permission to send the body.
        Data = "data",
        /// The body, while its final dot has certainly not reached the relay.
        Body = "body",
        /// From the moment the final dot may have reached the relay.
        Dot = "dot",
    }
}

impl Phase {
    /// Whether no mail has been announced to the relay yet.
    pub fn is_before_mail(self) -> bool {
        self < Self::Mail
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
