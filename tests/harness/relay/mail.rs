//! A received mail, parsed as the recipient's mail program parses it.

use mail_parser::{Address, MessageParser, MessagePart};

use super::ledger::Transaction;
use crate::error::{HarnessError, Result};

/// Precedes the password in the text part of an invitation or a reset.
const PASSWORD_LABEL: &str = "Password:";

/// One mail in a mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// The address it was delivered to, from the envelope.
    pub recipient: String,
    /// The decoded subject.
    pub subject: String,
    /// The `From` header's address.
    pub from: String,
    /// The `To` header's addresses.
    pub to: Vec<String>,
    /// The decoded display name of the first of them; empty when there is none.
    pub to_name: String,
    /// The plain text part, decoded; empty when there is none.
    pub text: String,
    /// The HTML part, decoded; empty when there is none.
    pub html: String,
    /// All headers as they were sent, in order.
    pub headers: Vec<(String, String)>,
    /// The raw message.
    pub raw: Vec<u8>,
}

impl Mail {
    /// Parses the mail of one transaction.
    ///
    /// # Errors
    ///
    /// When it did not arrive, is not kept, or cannot be parsed.
    pub fn read(transaction: &Transaction) -> Result<Self> {
        let raw = transaction
            .message
            .as_deref()
            .ok_or_else(|| HarnessError::new("the relay holds no message of this transaction"))?;
        let message = MessageParser::default().parse(raw).ok_or_else(|| {
            HarnessError::new(format!(
                "what {} got is no mail: {}",
                transaction.recipient,
                String::from_utf8_lossy(raw)
            ))
        })?;
        let text = message
            .text_bodies()
            .find(|part| part.is_text() && !part.is_text_html());
        let html = message.html_bodies().find(|part| part.is_text_html());
        Ok(Self {
            recipient: transaction.recipient.clone(),
            subject: message.subject().unwrap_or_default().to_owned(),
            from: addresses(message.from()).pop().unwrap_or_default(),
            to: addresses(message.to()),
            to_name: first_name(message.to()),
            text: contents(text),
            html: contents(html),
            headers: message
                .headers_raw()
                .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
                .collect(),
            raw: raw.to_vec(),
        })
    }

    /// The first header with this name, compared without case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(header, _)| header.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The password in the text part: what follows `Password:` on its line, or else the next line that is not empty.
    pub fn password(&self) -> Option<&str> {
        let mut lines = self.text.lines().map(str::trim);
        let behind_label = lines.find_map(|line| line.strip_prefix(PASSWORD_LABEL))?;
        std::iter::once(behind_label.trim())
            .chain(lines)
            .find(|candidate| !candidate.is_empty())
    }
}

fn addresses(header: Option<&Address<'_>>) -> Vec<String> {
    header
        .into_iter()
        .flat_map(Address::iter)
        .filter_map(|address| address.address())
        .map(str::to_owned)
        .collect()
}

fn first_name(header: Option<&Address<'_>>) -> String {
    let first = header.and_then(Address::first);
    first.and_then(|address| address.name()).unwrap_or_default().to_owned()
}

fn contents(part: Option<&MessagePart<'_>>) -> String {
    part.and_then(|part| part.text_contents())
        .unwrap_or_default()
        .to_owned()
}

/// A header's value, without parsing the whole message; only the first line of a folded value.
pub(super) fn header_of(message: &[u8], name: &str) -> Option<String> {
    let lines = message.split(|byte| *byte == b'\n');
    lines
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .take_while(|line| !line.is_empty())
        .find_map(|line| {
            let (header, value) = line.split_at_checked(name.len())?;
            let value = value.strip_prefix(b":")?;
            header
                .eq_ignore_ascii_case(name.as_bytes())
                .then(|| String::from_utf8_lossy(value).trim().to_owned())
        })
}
