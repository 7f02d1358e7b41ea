//! Evidence from answers so far, about recipients, domains, batches and our account.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::envelope::Envelope;
use super::permit::Permit;
use super::phase::Phase;
use super::refusals::{Finding, Refusals, Signature, Subject, WINDOW};
use super::set_aside::{MailGroup, SetAside};
use super::shipment::Shipment;
use super::trouble::TroubleClass;
use super::verdict::{Answer, Verdict};

/// Maximum number of held answers. Further ones take effect at once.
const MAX_HELD: usize = 64;

/// Number of answers after which a held refusal is no longer taken for an account-wide one.
pub(super) const MAX_ANSWERS: u64 = 3 * WINDOW as u64;

/// Number of deferrals in a row with the same words that count as a rate limit.
pub(super) const DEFERRALS: usize = 5;

/// A domain that accepted a first attempt within this time does not greylist.
const GREYLISTING_MIN: Duration = Duration::from_mins(1);

/// Maximum number of domains whose last accepted first attempt is remembered.
const MAX_DOMAINS: usize = 1_024;

/// Minimum wait of an interactive mail that got an account-wide refusal. If only its content is refused, other
/// mails are accepted meanwhile and end the pause.
const REFUSED_WAITS: Duration = Duration::from_mins(1);

/// Maximum length of a reported reply in characters.
const MAX_REPORTED: usize = 200;

/// Refusals of a batch's mails because of our sender, login or account, or because of their content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountRefusal {
    /// The batch.
    pub batch: Uuid,
    /// The kind of trouble.
    pub class: TroubleClass,
    /// The phase of the conversation that was reached.
    pub phase: Phase,
    /// The reply code.
    pub code: Option<u16>,
    /// The enhanced code, if the relay sent one.
    pub enhanced_code: Option<String>,
    /// The relay's words without the addresses and names of recipients.
    pub words: String,
    /// Number of affected mails.
    pub affected: u32,
    /// Whether nearly all recipients got the same words.
    pub is_everybodys: bool,
}

/// What is known from answers.
pub(super) struct Answers<S> {
    pub(super) refusals: Refusals,
    pub(super) set_aside: SetAside,
    pub(super) held: Vec<HeldMail<S>>,
    /// When each domain last accepted a mail at its first attempt.
    accepted_at: HashMap<String, Instant>,
    /// The words with which the relay throttles, if only their repetition shows that it does.
    pub(super) throttling: Option<Signature>,
    pub(super) reports: HashMap<(Uuid, TroubleClass), AccountRefusal>,
    /// Number of answers so far.
    pub(super) count: u64,
}

impl<S> Default for Answers<S> {
    fn default() -> Self {
        Self {
            refusals: Refusals::default(),
            set_aside: SetAside::default(),
            held: Vec::new(),
            accepted_at: HashMap::new(),
            throttling: None,
            reports: HashMap::new(),
            count: 0,
        }
    }
}

/// A mail with a refusal of unclear scope.
pub(super) struct HeldMail<S> {
    pub(super) mail: S,
    pub(super) answer: Answer,
    pub(super) subject: Subject,
    pub(super) signature: Signature,
    pub(super) since: Instant,
    /// Number of answers before it.
    pub(super) count: u64,
}

/// Work to do after the outbox is unlocked.
pub(super) struct Finished<S: Shipment> {
    /// Mails with the answers that finish them.
    pub(super) mails: Vec<(S, Answer)>,
    /// Permits of mails whose answer is held.
    pub(super) permits: Vec<Permit>,
}

impl<S: Shipment> Finished<S> {
    pub(super) const fn new() -> Self {
        Self {
            mails: Vec::new(),
            permits: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, finished: (S, Answer)) {
        self.mails.push(finished);
    }
}

impl<S: Shipment> Answers<S> {
    /// The answer to a mail that is set aside, or `None` if it may be offered.
    pub(super) fn set_aside_for(&self, mail: &S, now: Instant) -> Option<Answer> {
        if self.set_aside.is_empty() {
            return None;
        }
        let part = MailGroup::of(mail.lane(), mail.batch());
        let (remaining, words) = match self.set_aside.remaining(&domain_of(mail.envelope()), now) {
            Some(remaining) => (
                remaining,
                "not attempted, because the relay closes the connection for emails to this domain",
            ),
            None => (
                spread(mail, self.set_aside.remaining(&part, now)?),
                match part {
                    MailGroup::Interactive => "not attempted, because the relay refuses emails from our account",
                    _ => "not attempted, because the relay refuses the emails of this batch",
                },
            ),
        };
        let mut answer = Answer::not_begun(Phase::Connect, words);
        answer.retry_after = Some(remaining);
        Some(answer)
    }

    /// Number of domains that are currently set aside.
    pub(super) fn domains_set_aside(&self, now: Instant) -> usize {
        self.set_aside.domains(now)
    }

    /// Removes and returns the refusals to be recorded.
    pub(super) fn take_reports(&mut self) -> Vec<AccountRefusal> {
        self.reports.drain().map(|(_, report)| report).collect()
    }

    pub(super) fn end_set_aside(&mut self, mail: &S, answer: &Answer) {
        if self.set_aside.is_empty() {
            return;
        }
        self.set_aside.end(&domain_of(mail.envelope()));
        if answer.verdict == Verdict::Accepted {
            self.set_aside.end(&MailGroup::of(mail.lane(), mail.batch()));
        }
    }

    pub(super) fn accepted(
        &mut self,
        mail: &S,
        subject: Subject,
        began: Instant,
        now: Instant,
        finished: &mut Finished<S>,
    ) {
        self.refusals.other(subject, true, now);
        // Greylisting accepts later attempts, and still defers every other recipient's first one.
        if mail.is_first_attempt() {
            self.record_accepted(mail.envelope(), now);
        }
        // The relay accepts mail, so an earlier deferral was about its recipient.
        let is_over = |held: &mut HeldMail<S>| held.is_deferral() && held.since < began;
        let over = self.held.extract_if(.., is_over);
        finished.mails.extend(over.map(|held| (held.mail, held.answer)));
    }

    fn record_accepted(&mut self, envelope: &Envelope, now: Instant) {
        let domain = envelope.recipient().domain();
        if let Some(at) = self.accepted_at.get_mut(domain) {
            *at = now;
        } else {
            if self.accepted_at.len() >= MAX_DOMAINS {
                self.accepted_at.clear();
            }
            self.accepted_at.insert(domain.to_owned(), now);
        }
    }

    pub(super) fn has_accepted_recently(&self, envelope: &Envelope, now: Instant) -> bool {
        let at = self.accepted_at.get(envelope.recipient().domain());
        at.is_some_and(|at| now.duration_since(*at) < GREYLISTING_MIN)
    }

    /// Handles a refusal of unclear scope.
    pub(super) fn refused(
        &mut self,
        mail: S,
        answer: Answer,
        subject: Subject,
        now: Instant,
        finished: &mut Finished<S>,
    ) {
        let signature = Signature::of(&answer, mail.envelope());
        match self.refusals.refused(subject, signature, now) {
            Finding::Recipient => finished.push((mail, answer)),
            Finding::Open => self.hold(mail, answer, subject, signature, now, finished),
            Finding::AllRecipients => {
                self.account_refused(mail, answer, now, finished);
                let refusals = &mut self.refusals;
                let is_everybodys = |held: &mut HeldMail<S>| {
                    held.signature == signature
                        && refusals.evaluate(held.subject, signature, now) == Finding::AllRecipients
                };
                let released: Vec<_> = self.held.extract_if(.., is_everybodys).collect();
                for held in released {
                    self.account_refused(held.mail, held.answer, now, finished);
                }
            }
        }
    }

    pub(super) fn hold(
        &mut self,
        mut mail: S,
        answer: Answer,
        subject: Subject,
        signature: Signature,
        now: Instant,
        finished: &mut Finished<S>,
    ) {
        if self.held.len() >= MAX_HELD {
            return finished.push((mail, answer));
        }
        finished.permits.extend(mail.take_permit());
        self.held.push(HeldMail {
            mail,
            answer,
            subject,
            signature,
            since: now,
            count: self.count,
        });
    }

    /// Finishes a mail that got an account-wide refusal.
    fn account_refused(&mut self, mail: S, mut answer: Answer, now: Instant, finished: &mut Finished<S>) {
        answer.widen_to_account();
        self.report(&mail, &answer, true);
        let part = MailGroup::of(mail.lane(), mail.batch());
        self.set_aside.begin(&part, now);
        let least = match part {
            MailGroup::Interactive => REFUSED_WAITS,
            _ => Duration::ZERO,
        };
        let remaining = self.set_aside.remaining(&part, now);
        answer.retry_after = remaining.map(|remaining| spread(&mail, remaining.max(least)));
        finished.push((mail, answer));
    }

    pub(super) fn report(&mut self, mail: &S, answer: &Answer, is_everybodys: bool) {
        let Some(class) = answer.class() else { return };
        let report = self.reports.entry((mail.batch(), class));
        let report = report.or_insert_with(|| AccountRefusal {
            batch: mail.batch(),
            class,
            phase: answer.phase,
            code: answer.code,
            enhanced_code: answer.enhanced_code.clone(),
            words: without_recipient(&answer.reply, mail.envelope()),
            affected: 0,
            is_everybodys,
        });
        report.affected += 1;
        report.is_everybodys |= is_everybodys;
    }
}

impl<S> HeldMail<S> {
    const fn is_deferral(&self) -> bool {
        matches!(self.answer.verdict, Verdict::TryLater { .. })
    }
}

pub(super) fn domain_of(envelope: &Envelope) -> MailGroup {
    MailGroup::Domain(envelope.recipient().domain().to_lowercase())
}

/// How long a mail waits that is set aside for this time: longer by up to a quarter, so that the first mail probes
/// the relay and its answer holds back the others.
fn spread<S: Shipment>(mail: &S, remaining: Duration) -> Duration {
    let share = Subject::new(mail.batch(), mail.envelope()).jitter();
    remaining + remaining.mul_f64(share.as_secs_f64() / 4.0)
}

/// The words of a reply without the recipient's name and without addresses other than our sender's.
pub(super) fn without_recipient(reply: &str, envelope: &Envelope) -> String {
    let sender: &str = envelope.sender().as_ref();
    let names = [envelope.recipient().user(), envelope.recipient().domain()];
    let words = reply.split_whitespace().map(|word| {
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
        let is_ours = word.contains(sender);
        let is_theirs = word.contains('@') || names.iter().any(|name| bare.eq_ignore_ascii_case(name));
        if is_theirs && !is_ours { "…" } else { word }
    });
    let words = words.collect::<Vec<_>>().join(" ");
    words.chars().take(MAX_REPORTED).collect()
}
