//! Templates of mails in wire form, encoded once except for the parts that differ.
//!
//! Headers, both parts and the final dot are one list of steps. What all mails of a version and an
//! installation share is encoded when the list is built. For each mail, steps are copied or filled in. No
//! line begins with a dot: see `quoted_printable.rs`.

use super::header;
use super::quoted_printable::{Encoder, max_encoded};
use super::wire::Wire;
use shared::config::LetterSettings;
use shared::letter::{self, LetterValues, TEST_MARK};
use shared::system_email::{Compiled, Content, Escaping, Field, Segment, value_of};
use std::borrow::Cow;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use uuid::Uuid;
use uuid::fmt::{Hyphenated, Simple};

/// The end of a message (RFC 5321, 4.1.1.4).
const FINAL_DOT: &[u8] = b".\r\n";

/// Length of a date in a header: `Mon, 30 Nov 2026 00:03:54 +0000`.
const DATE_BYTES: usize = 31;

/// What identifies one mail of a version.
pub struct Addressing<'a> {
    /// The delivery, used in `Message-ID`.
    pub delivery: Uuid,
    /// Its batch.
    pub batch: Uuid,
    /// Written to `Date`.
    pub date: OffsetDateTime,
    /// The recipient's name on one line. May be empty.
    pub name: &'a str,
    /// The recipient's address as sent over SMTP.
    pub address: &'a str,
}

/// A message in wire form.
pub struct Message {
    /// Everything between the reply to `DATA` and the reply to the final dot, including the dot.
    pub wire: Wire,
    /// Octets of the message itself, without the final dot, as declared with `SIZE` (RFC 1870).
    pub size: usize,
}

/// The template for all mails of one version in one language and one installation.
#[derive(Debug)]
pub struct MessageTemplate {
    content: Content,
    steps: Vec<Step>,
    subject_mark: &'static str,
    /// Whether the subject, and the preheader, differ between mails.
    fills_subject: bool,
    fills_preheader: bool,
}

/// The next piece of a message.
#[derive(Debug)]
enum Step {
    Fixed(Box<[u8]>),
    /// The `To` field.
    To,
    /// The `Subject` field.
    Subject,
    Date,
    Delivery,
    Batch,
    /// The delivery's id without hyphens, after the `=_` that quoted-printable cannot contain (RFC 2045,
    /// 6.7), so that no part contains its boundary.
    Boundary,
    Value {
        slot: usize,
        escaping: Escaping,
    },
    Preheader,
}

impl MessageTemplate {
    /// Encodes what all mails of a version share. Test mails are marked in their subject.
    pub fn new(compiled: &Compiled, letters: &LetterSettings, is_test: bool) -> Self {
        let content = letter::in_shell(compiled).for_installation(&letters.organisation, &letters.sign_in_url);
        let subject_mark = if is_test { TEST_MARK } else { "" };
        let mut steps = Steps::default();
        steps.push_head(&content, letters, subject_mark);
        for (kind, segments) in [("plain", &content.text), ("html", &content.html)] {
            steps.push_fixed("--=_");
            steps.push(Step::Boundary);
            steps.push_fixed("\r\nContent-Type: text/");
            steps.push_fixed(kind);
            steps.push_fixed("; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n");
            steps.push_body(segments);
            steps.push_fixed("\r\n");
        }
        steps.push_fixed("--=_");
        steps.push(Step::Boundary);
        steps.push_fixed("--\r\n.\r\n");
        let steps = steps.finish();
        Self {
            fills_subject: steps.iter().any(|step| matches!(step, Step::Subject)),
            fills_preheader: steps.iter().any(|step| matches!(step, Step::Preheader)),
            content,
            steps,
            subject_mark,
        }
    }

    /// Whether the template uses a field.
    pub fn uses(&self, field: &Field) -> bool {
        self.content.uses(field)
    }

    /// The language of the text; empty if it is unknown.
    pub fn language(&self) -> &str {
        &self.content.language
    }

    /// Writes one mail. The buffer never reallocates, so no copy of a password is left behind.
    ///
    /// # Errors
    ///
    /// The date cannot be formatted.
    pub fn write(
        &self,
        addressing: &Addressing<'_>,
        values: &LetterValues<'_>,
    ) -> Result<Message, time::error::Format> {
        let values = self.content.resolve(values);
        let filled = Filled {
            addressing,
            subject: if self.fills_subject {
                self.subject(&values)
            } else {
                String::new()
            },
            preheader: if self.fills_preheader {
                self.content.preheader(&values)
            } else {
                String::new()
            },
            values,
        };
        let most = self.steps.iter().map(|step| filled.max_bytes(step)).sum();
        let mut wire = Wire::with_capacity(most);
        let room = wire.capacity();
        for step in &self.steps {
            filled.write(step, &mut wire)?;
        }
        debug_assert_eq!(
            room,
            wire.capacity(),
            "a mail moved and left a copy of the password behind"
        );
        let size = wire.len() - FINAL_DOT.len();
        Ok(Message { wire, size })
    }

    fn subject(&self, values: &[Cow<'_, str>]) -> String {
        let filled = self
            .content
            .fill(&self.content.subject, values, shared::system_email::Marking::Plain);
        format!("{}{}", self.subject_mark, *filled)
    }
}

/// The values of one mail.
struct Filled<'m> {
    addressing: &'m Addressing<'m>,
    values: Vec<Cow<'m, str>>,
    subject: String,
    preheader: String,
}

impl Filled<'_> {
    /// Maximum number of bytes that a step writes.
    fn max_bytes(&self, step: &Step) -> usize {
        // A byte of a value becomes at most six characters: an escape of plain characters, or a character
        // code. Two encoded bytes have as many.
        let encoded = |value: &str| max_encoded(2 * value.len());
        match step {
            Step::Fixed(bytes) => bytes.len(),
            Step::To => header::max_field(self.addressing.name.len() + self.addressing.address.len()),
            Step::Subject => header::max_field(self.subject.len()),
            Step::Date => DATE_BYTES,
            Step::Delivery | Step::Batch => Hyphenated::LENGTH,
            Step::Boundary => Simple::LENGTH,
            Step::Value { slot, .. } => encoded(value_of(*slot, &self.values)),
            Step::Preheader => encoded(&self.preheader),
        }
    }

    fn write(&self, step: &Step, out: &mut Vec<u8>) -> Result<(), time::error::Format> {
        let Addressing {
            delivery,
            batch,
            date,
            name,
            address,
        } = self.addressing;
        match step {
            Step::Fixed(bytes) => out.extend_from_slice(bytes),
            Step::To => header::write_mailbox(out, "To", name, address),
            Step::Subject => header::write_text(out, "Subject", &self.subject),
            Step::Date => {
                date.format_into(out, &Rfc2822)?;
            }
            Step::Delivery => push_id(out, delivery),
            Step::Batch => push_id(out, batch),
            Step::Boundary => {
                let mut digits = [0; Simple::LENGTH];
                out.extend_from_slice(delivery.simple().encode_lower(&mut digits).as_bytes());
            }
            Step::Value { slot, escaping } => write_value(out, value_of(*slot, &self.values), *escaping),
            Step::Preheader => write_value(out, &self.preheader, Escaping::Html),
        }
        Ok(())
    }
}

fn push_id(out: &mut Vec<u8>, id: &Uuid) {
    let mut digits = [0; Hyphenated::LENGTH];
    out.extend_from_slice(id.hyphenated().encode_lower(&mut digits).as_bytes());
}

fn write_value(out: &mut Vec<u8>, value: &str, escaping: Escaping) {
    let mut encoder = Encoder::at_line_start(out);
    escaping.write(value, &mut |text| encoder.write(text));
    encoder.soft_break();
}

/// Collects steps, merging adjacent fixed ones.
#[derive(Default)]
struct Steps {
    steps: Vec<Step>,
    fixed: Vec<u8>,
}

impl Steps {
    fn push_fixed(&mut self, text: &str) {
        self.fixed.extend_from_slice(text.as_bytes());
    }

    fn push(&mut self, step: Step) {
        if !self.fixed.is_empty() {
            self.steps.push(Step::Fixed(std::mem::take(&mut self.fixed).into()));
        }
        self.steps.push(step);
    }

    fn finish(mut self) -> Vec<Step> {
        self.steps.push(Step::Fixed(self.fixed.into()));
        self.steps
    }

    /// The headers and the empty line after them.
    fn push_head(&mut self, content: &Content, letters: &LetterSettings, subject_mark: &str) {
        let from = &letters.from;
        header::write_mailbox(&mut self.fixed, "From", &from.name, from.address.as_wire());
        self.push(Step::To);
        match content.subject.as_slice() {
            [Segment::Literal(subject)] => {
                header::write_text(&mut self.fixed, "Subject", &format!("{subject_mark}{subject}"));
            }
            _ => self.push(Step::Subject),
        }
        self.push_fixed("Message-ID: <");
        self.push(Step::Delivery);
        self.push_fixed("@");
        self.push_fixed(from.domain());
        self.push_fixed(">\r\nDate: ");
        self.push(Step::Date);
        self.push_fixed("\r\nX-Beckon-Delivery: ");
        self.push(Step::Delivery);
        self.push_fixed("\r\nX-Beckon-Batch: ");
        self.push(Step::Batch);
        // Asks for no automatic replies such as vacation notices (RFC 3834).
        self.push_fixed("\r\nAuto-Submitted: auto-generated");
        if !content.language.is_empty() {
            // RFC 3282. Tags consist of ASCII letters, digits and hyphens.
            self.push_fixed("\r\nContent-Language: ");
            self.push_fixed(&content.language);
        }
        self.push_fixed("\r\nMIME-Version: 1.0\r\nContent-Type: multipart/alternative;\r\n boundary=\"=_");
        self.push(Step::Boundary);
        self.push_fixed("\"\r\n\r\n");
    }

    /// The text of a part in quoted-printable.
    fn push_body(&mut self, segments: &[Segment]) {
        for (n, segment) in segments.iter().enumerate() {
            match segment {
                Segment::Literal(text) => {
                    let mut encoder = Encoder::at_line_start(&mut self.fixed);
                    encoder.write(text);
                    if n + 1 < segments.len() {
                        encoder.soft_break();
                    }
                }
                Segment::Value { slot, escaping, .. } => self.push(Step::Value {
                    slot: *slot,
                    escaping: *escaping,
                }),
                Segment::Preheader => self.push(Step::Preheader),
            }
        }
    }
}
