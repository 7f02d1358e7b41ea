//! The received mails, each parsed once.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use harness::World;
use harness::relay::Mail;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use crate::people::Person;
use crate::voice::counted;

/// Characters of a mail's beginning that the list shows.
const SNIPPET: usize = 140;

/// All mails of one relay.
pub(super) struct Mails {
    world: Arc<World>,
    people: HashMap<String, Person>,
    read: Mutex<Read>,
}

/// The part of the relay's log that has been parsed; the log only grows.
#[derive(Default)]
struct Read {
    transactions: usize,
    mails: Vec<Arc<Caught>>,
    message_ids: HashSet<String>,
}

/// One received mail.
pub(super) struct Caught {
    /// In order of arrival, from 1.
    pub(super) number: usize,
    /// The parsed mail.
    pub(super) mail: Mail,
    /// The recipient's name.
    pub(super) name: String,
    /// The recipient's address as they write it.
    pub(super) address: String,
    /// `invite` or `password`.
    pub(super) kind: &'static str,
    /// The time of its `Date` header, in UTC.
    pub(super) at: String,
    /// Whether a mail with the same Message-ID arrived before.
    pub(super) is_copy: bool,
    /// The beginning of its text.
    pub(super) snippet: String,
    /// All searchable text in lower case.
    found_by: String,
}

impl Mails {
    /// The mails of this world's relay; `people` maps SMTP addresses to users.
    pub(super) fn new(world: Arc<World>, people: HashMap<String, Person>) -> Self {
        Self {
            world,
            people,
            read: Mutex::default(),
        }
    }

    /// All mails so far, in order of arrival.
    pub(super) fn all(&self) -> Vec<Arc<Caught>> {
        let log = self.world.relay.log();
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let unread = log.get(read.transactions..).unwrap_or_default();
        for transaction in unread.iter().filter(|transaction| transaction.kept) {
            // The demo's own checks report mails that cannot be parsed.
            let Ok(mail) = Mail::read(transaction) else { continue };
            let message_id = mail.header("Message-ID").unwrap_or_default().to_owned();
            let is_copy = !read.message_ids.insert(message_id);
            let person = self.people.get(&mail.recipient.to_ascii_lowercase());
            let number = read.mails.len() + 1;
            read.mails.push(Arc::new(Caught::new(number, mail, person, is_copy)));
        }
        read.transactions = read.transactions.max(log.len());
        read.mails.clone()
    }

    /// The mail with this number.
    pub(super) fn one(&self, number: usize) -> Option<Arc<Caught>> {
        self.all().get(number.checked_sub(1)?).cloned()
    }
}

impl Caught {
    fn new(number: usize, mail: Mail, person: Option<&Person>, is_copy: bool) -> Self {
        let name = person
            .map(|person| format!("{} {}", person.first_name, person.last_name).trim().to_owned())
            .unwrap_or_default();
        let address = person.map_or_else(|| mail.recipient.clone(), |person| person.email.clone());
        let words: Vec<&str> = mail.text.split_whitespace().collect();
        let found_by = format!(
            "{name}\n{address}\n{}\n{}\n{}",
            mail.recipient,
            mail.subject,
            words.join(" ")
        );
        Self {
            number,
            kind: if mail.password().is_some() {
                "password"
            } else {
                "invite"
            },
            at: clock(mail.header("Date").unwrap_or_default()),
            is_copy,
            snippet: words.join(" ").chars().take(SNIPPET).collect(),
            found_by: found_by.to_lowercase(),
            name,
            address,
            mail,
        }
    }

    /// Whether it contains all these words, which must be in lower case.
    pub(super) fn matches(&self, words: &[String]) -> bool {
        words.iter().all(|word| self.found_by.contains(word))
    }

    /// Its subject, or a placeholder.
    pub(super) fn subject(&self) -> &str {
        match self.mail.subject.as_str() {
            "" => "(no subject)",
            subject => subject,
        }
    }

    /// The sender.
    pub(super) fn sender(&self) -> String {
        self.mail.header("From").unwrap_or(&self.mail.from).replace('"', "")
    }

    /// Its size in bytes, formatted.
    pub(super) fn size(&self) -> String {
        counted(self.mail.raw.len())
    }

    /// The raw message as text.
    pub(super) fn source(&self) -> String {
        String::from_utf8_lossy(&self.mail.raw).replace("\r\n", "\n")
    }
}

fn clock(date: &str) -> String {
    let at = OffsetDateTime::parse(date, &Rfc2822).map(|at| at.to_offset(time::UtcOffset::UTC));
    at.map(|at| format!("{:02}:{:02}:{:02}", at.hour(), at.minute(), at.second()))
        .unwrap_or_default()
}
