//! The mails that callers hand to the mailer.

use std::time::Instant;

use shared::batch::Lane;
use uuid::Uuid;

use super::envelope::Envelope;
use super::permit::Permit;
use super::verdict::Answer;

/// A composed mail and the callbacks of its delivery.
pub trait Shipment: Send + Sync + Sized + 'static {
    /// Sender and recipient.
    fn envelope(&self) -> &Envelope;
    /// The message in wire form: CRLF line endings, dots doubled (RFC 5321, 4.5.2), `.\r\n` at the end.
    fn wire(&self) -> &[u8];
    /// Octets of the message itself, as declared with SIZE (RFC 1870, 3).
    fn size(&self) -> usize;
    /// Its lane.
    fn lane(&self) -> Lane;
    /// The batch it belongs to.
    fn batch(&self) -> Uuid;
    /// Whether no attempt has been spent on it.
    fn is_first_attempt(&self) -> bool;
    /// Takes the permit from the mail, if it has one. The answer is held until others show its scope, and
    /// another mail may be claimed meanwhile.
    fn take_permit(&mut self) -> Option<Permit>;
    /// Called immediately before the body; `false` holds the mail back.
    fn may_start_body(&self) -> bool;
    /// Receives the answer. Called once, or never if the connection's task panics.
    fn finish(self, answer: Answer);
}

/// A mail in the outbox or on a connection.
pub(super) struct Queued<S> {
    pub(super) mail: S,
    pub(super) since: Instant,
    /// How often it was put back because an idle connection turned out to be dead.
    pub(super) rounds: u8,
    /// When a connection took it.
    pub(super) taken_at: Instant,
}
