//! The steps of an attempt.

shared::named_enum! {
    /// A step of an attempt: a label of the stage metric and the name of a span.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    pub enum Step {
        /// Until the delivery is claimed.
        Claim = "claim",
        /// Until the password is hashed.
        Hash = "hash",
        /// Until its verifier is stored.
        Credential = "credential",
        /// Until the mail is written.
        Compose = "compose",
        /// Until the relay has answered, waiting for a connection included.
        Send = "send",
        /// Until the outcome is recorded.
        Settle = "settle",
    }
}
