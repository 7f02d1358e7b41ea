//! The sender and recipient of a mail in SMTP.

use lettre::Address;

/// The envelope of a mail to one recipient.
///
/// There is only one because an answer is about one: two recipients could be answered differently, and each
/// user has a delivery of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    sender: Address,
    recipient: Address,
}

impl Envelope {
    /// Creates an envelope. Bounces go to `sender`.
    pub fn new(sender: Address, recipient: Address) -> Self {
        Self { sender, recipient }
    }

    /// The address that bounces go to.
    pub fn sender(&self) -> &Address {
        &self.sender
    }

    /// The recipient's address.
    pub fn recipient(&self) -> &Address {
        &self.recipient
    }

    /// Whether both addresses can be sent to a relay that supports ASCII only.
    pub(super) fn is_ascii(&self) -> bool {
        self.addresses().into_iter().all(str::is_ascii)
    }

    /// Whether an address would break out of its command. Parsed addresses cannot, but lettre can also create
    /// addresses without parsing them.
    pub(super) fn has_control_characters(&self) -> bool {
        self.addresses()
            .into_iter()
            .any(|address| address.chars().any(char::is_control))
    }

    /// Whether a reply names the sender and not the recipient, and so is about the sender.
    pub(super) fn is_only_sender_in(&self, words: &str) -> bool {
        let words = words.to_ascii_lowercase();
        let [sender, recipient] = self.addresses().map(str::to_ascii_lowercase);
        words.contains(&sender) && !words.contains(&recipient)
    }

    fn addresses(&self) -> [&str; 2] {
        [self.sender.as_ref(), self.recipient.as_ref()]
    }
}
