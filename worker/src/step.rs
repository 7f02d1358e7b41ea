//! The steps of an attempt.

/// A step of an attempt: a label of the stage metric and the name of a span.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step {
    /// Until the delivery is claimed.
    Claim,
    /// Until the password is hashed.
    Hash,
    /// Until its verifier is stored.
    Credential,
    /// Until the mail is written.
    Compose,
    /// Until the relay has answered, waiting for a connection included.
    Send,
    /// Until the outcome is recorded.
    Settle,
}

impl Step {
    /// All steps, in the order of an attempt.
    pub const ALL: [Self; 6] = [
        Self::Claim,
        Self::Hash,
        Self::Credential,
        Self::Compose,
        Self::Send,
        Self::Settle,
    ];

    /// Its name in labels and spans.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Claim => "claim",
            Self::Hash => "hash",
            Self::Credential => "credential",
            Self::Compose => "compose",
            Self::Send => "send",
            Self::Settle => "settle",
        }
    }
}
