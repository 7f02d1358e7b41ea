//! From whom and to whom, as the relay hears it.

use lettre::Address;

/// The envelope of one mail to one person.
///
/// One recipient, because an answer is about one: two in an envelope could be answered
/// differently, and each person is owed a delivery of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    sender: Address,
    recipient: Address,
}

impl Envelope {
    /// A mail from `sender`, where bounces go, to `recipient`.
    pub fn new(sender: Address, recipient: Address) -> Self {
        Self { sender, recipient }
    }

    /// Where bounces go.
    pub fn sender(&self) -> &Address {
        &self.sender
    }

    /// To whom.
    pub fn recipient(&self) -> &Address {
        &self.recipient
    }

    /// Whether both can be said to a relay that knows ASCII only.
    pub(super) fn is_ascii(&self) -> bool {
        self.both().into_iter().all(str::is_ascii)
    }

    /// Whether an address would break out of its command. Parsed addresses cannot; lettre can also
    /// make addresses without parsing them.
    pub(super) fn breaks_out(&self) -> bool {
        self.both()
            .into_iter()
            .any(|address| address.chars().any(char::is_control))
    }

    /// Whether words name the sender and not the recipient: then they are about the sender.
    pub(super) fn is_only_sender_in(&self, words: &str) -> bool {
        let words = words.to_ascii_lowercase();
        let [sender, recipient] = self.both().map(str::to_ascii_lowercase);
        words.contains(&sender) && !words.contains(&recipient)
    }

    fn both(&self) -> [&str; 2] {
        [self.sender.as_ref(), self.recipient.as_ref()]
    }
}
