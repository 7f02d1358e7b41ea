//! Composes the mail of a claim from the version of the system email that its batch uses.
//!
//! Versions never change, so each is read, compiled and encoded once and then cached ([`message`]).
//! Everything that comes from a user (name, address, fields) is data at this point and is encoded for its
//! position. If a mail cannot be composed, only that delivery fails, even on a panic: one row of an import
//! must not stop a worker.

mod header;
pub mod message;
mod quoted_printable;
#[cfg(test)]
mod tests;
mod wire;

use crate::send::Envelope;
use lettre::Address;
use message::{Addressing, Message, MessageTemplate};
use serde_json::{Map, Value};
use shared::address::EmailAddress;
use shared::config::LetterSettings;
use shared::language::{ByLanguage, Language};
use shared::letter::{self, LetterValues, ShownPassword};
use shared::password::Password;
use shared::store::claims::Claim;
use shared::store::{Db, StoreError, system_emails};
use shared::system_email::{CustomFields, Field, SystemEmailKind};
use std::borrow::Cow;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use wire::Wire;

/// A mail ready for the relay.
pub struct Mail {
    /// Sender and recipient.
    pub envelope: Envelope,
    /// Headers, both parts and the final dot, as written to the relay. Wiped on drop, because they may
    /// contain a password.
    pub wire: Wire,
    /// Octets of the message, as `SIZE` declares them.
    pub size: usize,
}

/// What a mail needs in addition to its claim.
pub struct Letterhead<'a> {
    /// The password, in password mails.
    pub password: Option<&'a Password>,
    /// How long the password is valid.
    pub lifetime: Duration,
}

/// Why a mail could not be composed.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    /// The version could not be read. The attempt has not begun.
    #[error("could not read the system email")]
    Store(#[from] StoreError),
    /// This delivery can never be composed.
    #[error("could not build the mail: {0}")]
    Unbuildable(String),
}

/// The templates of a version, or why one cannot be used. One unusable text leaves the other languages as they are.
type Templates = ByLanguage<Result<MessageTemplate, String>>;

/// Identifies mails that share their templates.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct TemplateKey {
    kind: SystemEmailKind,
    version: i32,
    is_test: bool,
}

/// Composes mails.
pub struct Composer {
    db: Db,
    installation: Installation,
    templates: Mutex<HashMap<TemplateKey, Arc<Templates>>>,
}

impl Composer {
    /// Creates a composer for mails from this sender.
    pub fn new(db: Db, letters: LetterSettings) -> Self {
        Self {
            db,
            installation: Installation::new(letters),
            templates: Mutex::default(),
        }
    }

    /// Composes the mail of a claim.
    ///
    /// # Errors
    ///
    /// See [`ComposeError`].
    pub async fn compose(&self, claim: &Claim, head: &Letterhead<'_>) -> Result<Mail, ComposeError> {
        let templates = self.templates(claim).await?;
        let (_, template) = templates.pick(&claim.language);
        let template = template
            .as_ref()
            .map_err(|fault| ComposeError::Unbuildable(fault.clone()))?;
        let built = catch_unwind(AssertUnwindSafe(|| self.installation.mail(claim, head, template)));
        built
            .unwrap_or_else(|_| Err("the mail could not be written".to_owned()))
            .map_err(ComposeError::Unbuildable)
    }

    async fn templates(&self, claim: &Claim) -> Result<Arc<Templates>, ComposeError> {
        let (kind, version) = (claim.kind, claim.version);
        let key = TemplateKey {
            kind,
            version,
            is_test: claim.recipient.is_none(),
        };
        let templates = || self.templates.lock().unwrap_or_else(PoisonError::into_inner);
        let known = templates().get(&key).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let found = system_emails::find(&self.db, kind, version).await?;
        let found = found.ok_or_else(|| {
            ComposeError::Unbuildable(format!("version {version} of {} does not exist", kind.as_str()))
        })?;
        let read: Templates = found.texts().by_language().map(|language, text| {
            let compiled = text.compile(kind, CustomFields::Any).map_err(|faults| {
                let first = faults.first().map(|fault| fault.message.clone()).unwrap_or_default();
                format!("version {version} of {} has a fault: {first}", kind.as_str())
            })?;
            let compiled = compiled.in_language(language);
            Ok(MessageTemplate::new(&compiled, &self.installation.letters, key.is_test))
        });
        let read = Arc::new(read);
        templates().insert(key, Arc::clone(&read));
        Ok(read)
    }
}

/// What all mails of this installation have in common.
struct Installation {
    letters: LetterSettings,
    sender: Address,
}

impl Installation {
    fn new(letters: LetterSettings) -> Self {
        let from = &letters.from.address;
        Self {
            // Every valid `EmailAddress` is an address that lettre accepts.
            sender: Address::new_dangerous(from.local_part(), from.domain()),
            letters,
        }
    }

    /// Composes the mail of a claim, or returns why it cannot be composed.
    fn mail(&self, claim: &Claim, head: &Letterhead<'_>, template: &MessageTemplate) -> Result<Mail, String> {
        let expires = template
            .uses(&Field::PasswordExpires)
            .then(|| Language::of(template.language()).date(claim.claimed_at + head.lifetime));
        let (first_name, last_name) = letter::EXAMPLE;
        let no_fields = Map::new();
        // A test mail shows a fictional user and a placeholder password.
        let made_up = LetterValues {
            first_name,
            last_name,
            email: "",
            language: &claim.language,
            fields: &no_fields,
            organisation: &self.letters.organisation,
            sign_in_url: &self.letters.sign_in_url,
            password: Some(ShownPassword::Masked),
            password_expires: expires.as_deref(),
        };
        let (name, values) = match (&claim.recipient, &claim.test_address) {
            (Some(person), _) => {
                let values = LetterValues {
                    first_name: &person.first_name,
                    last_name: &person.last_name,
                    email: &person.email,
                    fields: texts(&person.fields)?,
                    password: head.password.map(ShownPassword::Secret),
                    ..made_up
                };
                (values.of(&Field::FullName), values)
            }
            (None, Some(address)) => (
                Cow::default(),
                LetterValues {
                    email: address,
                    ..made_up
                },
            ),
            (None, None) => return Err("it has no recipient".to_owned()),
        };
        let address = EmailAddress::parse(values.email).map_err(|fault| fault.to_string())?;
        let addressing = Addressing {
            delivery: claim.delivery,
            batch: claim.batch,
            date: claim.claimed_at,
            name: &name,
            address: address.as_wire(),
        };
        let Message { wire, size } = template
            .write(&addressing, &values)
            .map_err(|fault| fault.to_string())?;
        let recipient = Address::try_from(address.into_wire()).map_err(|fault| fault.to_string())?;
        Ok(Mail {
            envelope: Envelope::new(self.sender.clone(), recipient),
            wire,
            size,
        })
    }
}

/// The user's additional fields, which must all be strings.
fn texts(fields: &Value) -> Result<&Map<String, Value>, String> {
    let texts = fields
        .as_object()
        .filter(|fields| fields.values().all(Value::is_string));
    texts.ok_or_else(|| "the person's fields are not texts by name".to_owned())
}
