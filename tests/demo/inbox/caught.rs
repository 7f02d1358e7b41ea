//! The caught mails, each read once.

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

/// What has been read of the relay's log, which only grows.
#[derive(Default)]
struct Read {
    transactions: usize,
    mails: Vec<Arc<Caught>>,
    message_ids: HashSet<String>,
}

/// One caught mail.
pub(super) struct Caught {
    /// In order of arrival, from 1.
    pub(super) number: usize,
    /// As it came.
    pub(super) mail: Mail,
    /// Whom it is for.
    pub(super) name: String,
    /// Their address as they write it.
    pub(super) address: String,
    /// `invite` or `password`.
    pub(super) kind: &'static str,
    /// When it was written, by the clock, in UTC.
    pub(super) at: String,
    /// Whether a mail with the same Message-ID came before.
    pub(super) is_copy: bool,
    /// How it begins.
    pub(super) snippet: String,
    /// Everything a search looks through, in small letters.
    found_by: String,
}

impl Mails {
    /// Those that this world's relay catches, for these people by their addresses in SMTP.
    pub(super) fn new(world: Arc<World>, people: HashMap<String, Person>) -> Self {
        Self {
            world,
            people,
            read: Mutex::default(),
        }
    }

    /// All so far, in order of arrival.
    pub(super) fn all(&self) -> Vec<Arc<Caught>> {
        let log = self.world.relay.log();
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let unread = log.get(read.transactions..).unwrap_or_default();
        for transaction in unread.iter().filter(|transaction| transaction.kept) {
            // What cannot be read as a mail is told by the demo's own checks.
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

    /// The mail of this number.
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

    /// Whether a search for these words, in small letters, finds it.
    pub(super) fn matches(&self, words: &[String]) -> bool {
        words.iter().all(|word| self.found_by.contains(word))
    }

    /// Its subject, or what stands for one.
    pub(super) fn subject(&self) -> &str {
        match self.mail.subject.as_str() {
            "" => "(no subject)",
            subject => subject,
        }
    }

    /// Who sent it.
    pub(super) fn sender(&self) -> String {
        self.mail.header("From").unwrap_or(&self.mail.from).replace('"', "")
    }

    /// How many bytes it has.
    pub(super) fn size(&self) -> String {
        counted(self.mail.raw.len())
    }

    /// Every byte of it, as text.
    pub(super) fn source(&self) -> String {
        String::from_utf8_lossy(&self.mail.raw).replace("\r\n", "\n")
    }
}

fn clock(date: &str) -> String {
    let at = OffsetDateTime::parse(date, &Rfc2822).map(|at| at.to_offset(time::UtcOffset::UTC));
    at.map(|at| format!("{:02}:{:02}:{:02}", at.hour(), at.minute(), at.second()))
        .unwrap_or_default()
}
