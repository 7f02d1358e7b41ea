//! From a claim to a mail: the letter of the version its batch was sent with, as a message.
//!
//! Versions never change, so each is read and compiled once and kept. Everything a person brought
//! with them (name, address, fields) is data by now: the letter escapes it, and this file puts it
//! into headers only through lettre's encoder. What cannot become a mail at all fails that one
//! delivery, even by a panic: lettre panics on a display name with a line break, and one row of
//! an import must not stop a worker.

use crate::send::Envelope;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::{Address, Message};
use shared::address::EmailAddress;
use shared::config::LetterSettings;
use shared::letter::{self, Letter, LetterValues, ShownPassword};
use shared::password::Password;
use shared::store::claims::Claim;
use shared::store::{Db, StoreError, system_emails};
use shared::system_email::{Compiled, CustomFields, SystemEmailKind, Template};
use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::str::FromStr as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use zeroize::Zeroizing;

/// A mail ready for the relay.
pub struct Mail {
    /// From and to whom.
    pub envelope: Envelope,
    /// The message in its final form; wiped when dropped, for it may hold a password.
    pub wire: Zeroizing<Vec<u8>>,
    /// Octets of the message itself (RFC 1870, 3).
    pub size: usize,
}

/// What a letter needs beyond its claim.
pub struct Letterhead<'a> {
    /// In password mails.
    pub password: Option<&'a Password>,
    /// How long it works.
    pub lifetime: Duration,
}

/// Why there is no mail.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    /// The version could not be read; the attempt has not begun.
    #[error("could not read the system email")]
    Store(#[from] StoreError),
    /// This delivery can never become a mail.
    #[error("could not build the mail: {0}")]
    Unbuildable(String),
}

/// Writes mails.
pub struct Composer {
    db: Db,
    letters: LetterSettings,
    versions: Mutex<HashMap<(SystemEmailKind, i32), Arc<Compiled>>>,
}

impl Composer {
    /// For letters of this sender.
    pub fn new(db: Db, letters: LetterSettings) -> Self {
        Self {
            db,
            letters,
            versions: Mutex::default(),
        }
    }

    /// Writes a claim's mail.
    ///
    /// # Errors
    ///
    /// See [`ComposeError`].
    pub async fn compose(&self, claim: &Claim, head: &Letterhead<'_>) -> Result<Mail, ComposeError> {
        let compiled = self.version(claim.kind, claim.version).await?;
        let built = catch_unwind(AssertUnwindSafe(|| self.build(claim, head, &compiled)));
        built
            .unwrap_or_else(|_| Err("the mail builder gave up".to_owned()))
            .map_err(ComposeError::Unbuildable)
    }

    async fn version(&self, kind: SystemEmailKind, version: i32) -> Result<Arc<Compiled>, ComposeError> {
        let known = self
            .versions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&(kind, version))
            .cloned();
        if let Some(compiled) = known {
            return Ok(compiled);
        }
        let found = system_emails::find(&self.db, kind, version).await?;
        let found = found.ok_or_else(|| {
            ComposeError::Unbuildable(format!("version {version} of {} does not exist", kind.as_str()))
        })?;
        let template = Template {
            subject: found.subject,
            body: found.body,
        };
        let compiled = template.compile(kind, CustomFields::Any).map_err(|faults| {
            let first = faults.first().map(|fault| fault.message.clone()).unwrap_or_default();
            ComposeError::Unbuildable(format!("version {version} of {} has a fault: {first}", kind.as_str()))
        })?;
        let compiled = Arc::new(compiled);
        self.versions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert((kind, version), Arc::clone(&compiled));
        Ok(compiled)
    }

    fn build(&self, claim: &Claim, head: &Letterhead<'_>, compiled: &Compiled) -> Result<Mail, String> {
        let expires = letter::expires_text(claim.claimed_at + head.lifetime);
        let (to, letter) = match (&claim.recipient, &claim.test_address) {
            (Some(person), _) => {
                let fields: BTreeMap<String, String> =
                    serde_json::from_value(person.fields.clone()).map_err(|fault| fault.to_string())?;
                let values = LetterValues {
                    first_name: &person.first_name,
                    last_name: &person.last_name,
                    email: &person.email,
                    language: &person.language,
                    fields: &fields,
                    organisation: &self.letters.organisation,
                    sign_in_url: &self.letters.sign_in_url,
                    password: head.password.map(ShownPassword::Secret),
                    password_expires: Some(&expires),
                };
                let name = format!("{} {}", person.first_name, person.last_name);
                (mailbox(name.trim(), &person.email)?, letter::write(compiled, &values))
            }
            (None, Some(address)) => (mailbox("", address)?, self.test_letter(address, &expires, compiled)),
            (None, None) => return Err("there is nobody to send it to".to_owned()),
        };
        self.message(claim, to, &letter)
    }

    /// A test mail shows somebody made up, and a password that is none.
    fn test_letter(&self, address: &str, expires: &str, compiled: &Compiled) -> Letter {
        let (first_name, last_name) = letter::EXAMPLE;
        let values = LetterValues {
            first_name,
            last_name,
            email: address,
            language: "",
            fields: &BTreeMap::new(),
            organisation: &self.letters.organisation,
            sign_in_url: &self.letters.sign_in_url,
            password: Some(ShownPassword::Masked),
            password_expires: Some(expires),
        };
        letter::mark_as_test(letter::write(compiled, &values))
    }

    fn message(&self, claim: &Claim, to: Mailbox, letter: &Letter) -> Result<Mail, String> {
        let from = mailbox(&self.letters.from.name, self.letters.from.address.as_typed())?;
        let envelope = Envelope::new(from.email.clone(), to.email.clone());
        let mut message = Message::builder()
            .from(from)
            .to(to)
            .subject(letter.subject.as_str())
            .message_id(Some(format!("<{}@{}>", claim.delivery, self.letters.from.domain())))
            .multipart(MultiPart::alternative_plain_html(
                String::from(letter.text.as_str()),
                String::from(letter.html.as_str()),
            ))
            .map_err(|fault| fault.to_string())?;
        for (name, value) in [
            ("X-Beckon-Delivery", claim.delivery.to_string()),
            ("X-Beckon-Batch", claim.batch.to_string()),
            // RFC 3834: no holiday notices, please.
            ("Auto-Submitted", "auto-generated".to_owned()),
        ] {
            let name = HeaderName::new_from_ascii_str(name);
            message.headers_mut().insert_raw(HeaderValue::new(name, value));
        }
        let message = Zeroizing::new(message.formatted());
        Ok(Mail {
            envelope,
            size: message.len(),
            wire: final_form(&message),
        })
    }
}

fn final_form(message: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut wire = Zeroizing::new(Vec::with_capacity(message.len() + message.len() / 16 + 64));
    for line in message.split_inclusive(|byte| *byte == b'\n') {
        if line.starts_with(b".") {
            wire.push(b'.');
        }
        wire.extend_from_slice(line);
    }
    wire.extend_from_slice(if message.ends_with(b"\r\n") {
        b".\r\n"
    } else {
        b"\r\n.\r\n"
    });
    wire
}

fn mailbox(name: &str, address: &str) -> Result<Mailbox, String> {
    let address = EmailAddress::parse(address).map_err(|fault| fault.to_string())?;
    let wire = Address::from_str(address.as_wire()).map_err(|fault| fault.to_string())?;
    let name: String = name.chars().filter(|c| !c.is_control()).collect();
    Ok(Mailbox::new((!name.is_empty()).then_some(name), wire))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_a_line_break_loses_it_and_harms_nobody() {
        let to = mailbox("Eve\r\nBcc: all@example.org", "eve@example.org").unwrap();
        assert_eq!(to.name.as_deref(), Some("EveBcc: all@example.org"));
    }
}
