//! Distinguishes a refusal of one recipient from an account-wide one.
//!
//! Many replies do not show what they are about: a bare `554` is used for unknown mailboxes, unwanted mails
//! and accounts that may not send. So recent answers are compared. If most of them, for many different
//! recipients, are the same refusal in the same words, it is about the account or the content. Answers are
//! kept per batch, because one email may be refused while others are accepted, and for all mail together.
//!
//! Pure: it stores hashes of words and recipients, and the time is an argument.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::envelope::Envelope;
use super::verdict::Answer;

/// Number of recent answers that are compared.
pub(super) const WINDOW: usize = 20;

/// Minimum number of different recipients of an account-wide refusal.
const MANY: usize = 10;

/// Minimum percentage of recent answers that are an account-wide refusal.
const SHARE_PERCENT: usize = 75;

/// Below this percentage it is no longer account-wide.
const PASSED_PERCENT: usize = 50;

/// Maximum number of batches whose answers are kept.
const MAX_BATCHES: usize = 64;

/// Maximum number of remembered recipients of account-wide refusals.
const MAX_REFUSED: usize = 4_096;

/// The same words to different recipients have the same signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Signature(u64);

/// The mail that an answer is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Subject {
    pub(super) batch: Uuid,
    /// A hash of the recipient.
    recipient: u64,
}

/// What a refusal is about, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finding {
    /// This recipient.
    Recipient,
    /// Undecided until more answers arrive.
    Open,
    /// All recipients.
    AllRecipients,
}

/// Recent answers.
#[derive(Default)]
pub(super) struct Refusals {
    all: RecentAnswers,
    batches: HashMap<Uuid, RecentAnswers>,
    /// When recipients got an account-wide refusal.
    refused_at: HashMap<u64, Instant>,
}

#[derive(Default)]
struct RecentAnswers {
    /// Signatures of refusals with their recipients; `None` for other answers.
    answers: VecDeque<Option<(Signature, u64)>>,
    common_to_all: Option<Signature>,
    accepted_at: Option<Instant>,
    touched_at: Option<Instant>,
}

impl Signature {
    /// The signature of a refusal: its codes and its words, without what differs between recipients.
    pub(super) fn of(answer: &Answer, envelope: &Envelope) -> Self {
        let mut hasher = DefaultHasher::new();
        (answer.phase, answer.code, answer.enhanced_code.as_deref()).hash(&mut hasher);
        words_for_all_recipients(&answer.reply, envelope).hash(&mut hasher);
        Self(hasher.finish())
    }
}

/// The words of a reply that do not name this recipient, in lower case. Words with digits are left out too:
/// most are ids of mails.
fn words_for_all_recipients(reply: &str, envelope: &Envelope) -> Vec<String> {
    let names = [envelope.recipient().user(), envelope.recipient().domain()].map(str::to_lowercase);
    let words = reply.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | ':' | '(' | ')'));
    let words = words.map(str::to_lowercase);
    let is_kept = |word: &String| {
        !word.is_empty()
            && !word.contains('@')
            && !word.contains(|c: char| c.is_ascii_digit())
            && !names
                .iter()
                .any(|name| word.trim_matches(|c: char| !c.is_alphanumeric()) == name)
    };
    words.filter(is_kept).collect()
}

impl Subject {
    pub(super) fn new(batch: Uuid, envelope: &Envelope) -> Self {
        let mut hasher = DefaultHasher::new();
        let recipient: &str = envelope.recipient().as_ref();
        recipient.hash(&mut hasher);
        Self {
            batch,
            recipient: hasher.finish(),
        }
    }

    /// A fraction of a second that differs between recipients, so that mails throttled together are not
    /// retried together.
    pub(super) const fn jitter(self) -> Duration {
        Duration::from_millis(self.recipient % 1_000)
    }
}

impl Refusals {
    /// Records an accepted mail, or a refusal for a reason of the recipient's own.
    pub(super) fn other(&mut self, subject: Subject, is_accepted: bool, now: Instant) {
        for recent in [&mut self.all, batch(&mut self.batches, subject.batch)] {
            recent.push(None, now);
            if is_accepted {
                recent.accepted_at = Some(now);
            }
        }
    }

    /// Records a refusal of unclear scope.
    pub(super) fn refused(&mut self, subject: Subject, signature: Signature, now: Instant) -> Finding {
        let own = batch(&mut self.batches, subject.batch);
        // A retry that is refused after others of its batch were accepted is about this recipient.
        let refused_at = self.refused_at.get(&subject.recipient).copied();
        if refused_at.is_some_and(|refused_at| own.accepted_at.is_some_and(|at| at > refused_at)) {
            self.refused_at.remove(&subject.recipient);
            self.other(subject, false, now);
            return Finding::Recipient;
        }
        let answer = Some((signature, subject.recipient));
        own.push(answer, now);
        self.all.push(answer, now);
        self.evaluate(subject, signature, now)
    }

    /// What is known now about a refusal that was undecided.
    pub(super) fn evaluate(&mut self, subject: Subject, signature: Signature, now: Instant) -> Finding {
        let own = batch(&mut self.batches, subject.batch);
        if own.is_everybodys(signature) || self.all.is_everybodys(signature) {
            if self.refused_at.len() >= MAX_REFUSED {
                self.refused_at.clear();
            }
            self.refused_at.insert(subject.recipient, now);
            return Finding::AllRecipients;
        }
        Finding::Open
    }
}

fn batch(batches: &mut HashMap<Uuid, RecentAnswers>, batch: Uuid) -> &mut RecentAnswers {
    if batches.len() >= MAX_BATCHES && !batches.contains_key(&batch) {
        let oldest = batches.iter().min_by_key(|(_, recent)| recent.touched_at);
        if let Some(oldest) = oldest.map(|(batch, _)| *batch) {
            batches.remove(&oldest);
        }
    }
    batches.entry(batch).or_default()
}

impl RecentAnswers {
    fn push(&mut self, answer: Option<(Signature, u64)>, now: Instant) {
        if self.answers.len() == WINDOW {
            self.answers.pop_front();
        }
        self.answers.push_back(answer);
        self.touched_at = Some(now);
        if let Some(signature) = self.common_to_all
            && self.count(signature) * 100 < PASSED_PERCENT * self.answers.len()
        {
            self.common_to_all = None;
        }
    }

    fn count(&self, signature: Signature) -> usize {
        self.answers
            .iter()
            .flatten()
            .filter(|(other, _)| *other == signature)
            .count()
    }

    fn is_everybodys(&mut self, signature: Signature) -> bool {
        if self.common_to_all == Some(signature) {
            return true;
        }
        let refusals = self.answers.iter().flatten();
        let recipients: HashSet<u64> = refusals
            .filter(|(other, _)| *other == signature)
            .map(|(_, recipient)| *recipient)
            .collect();
        let is_most = self.count(signature) * 100 >= SHARE_PERCENT * self.answers.len();
        let is_everybodys = recipients.len() >= MANY && is_most;
        if is_everybodys {
            self.common_to_all = Some(signature);
        }
        is_everybodys
    }
}

#[cfg(test)]
mod tests {
    use super::super::phase::Phase;
    use super::super::reply::Reply;
    use super::*;

    fn envelope(n: usize) -> Envelope {
        Envelope::new(
            "beckon@lerna.example".parse().unwrap(),
            format!("person{n}@example.org").parse().unwrap(),
        )
    }

    fn answer(words: &str) -> Answer {
        let text = words.to_owned();
        Answer::from_reply(Phase::Dot, &Reply { code: 554, text })
    }

    struct Story {
        refusals: Refusals,
        batch: Uuid,
        now: Instant,
    }

    impl Story {
        fn begin() -> Self {
            Self {
                refusals: Refusals::default(),
                batch: Uuid::from_u128(1),
                now: Instant::now(),
            }
        }

        fn refused(&mut self, n: usize, words: &str) -> Finding {
            self.now += Duration::from_millis(1);
            let envelope = envelope(n);
            let signature = Signature::of(&answer(words), &envelope);
            let subject = Subject::new(self.batch, &envelope);
            self.refusals.refused(subject, signature, self.now)
        }

        fn accepted(&mut self, n: usize) {
            self.now += Duration::from_millis(1);
            self.refusals
                .other(Subject::new(self.batch, &envelope(n)), true, self.now);
        }
    }

    #[test]
    fn the_same_words_to_ten_recipients_concern_them_all() {
        let mut story = Story::begin();
        let findings: Vec<_> = (0..12)
            .map(|n| {
                story.refused(
                    n,
                    &format!("refused: <person{n}@example.org> is not verified, id 4{n}a"),
                )
            })
            .collect();
        assert_eq!(findings[..9], [Finding::Open; 9]);
        assert_eq!(findings[9..], [Finding::AllRecipients; 3]);
    }

    #[test]
    fn repeated_refusals_of_one_recipient_count_once() {
        let mut story = Story::begin();
        for _ in 0..30 {
            assert_eq!(story.refused(1, "no"), Finding::Open);
        }
    }

    #[test]
    fn refusals_between_accepted_mails_concern_the_recipient() {
        let mut story = Story::begin();
        for n in 0..200 {
            story.accepted(1_000 + n);
            assert_eq!(story.refused(n, "no such user"), Finding::Open);
        }
        let mut story = Story::begin();
        for n in 0..200 {
            let words = ["no such user", "mailbox gone"][n % 2];
            assert_eq!(story.refused(n, words), Finding::Open);
        }
    }

    #[test]
    fn a_quota_during_a_batch_is_detected_within_a_window() {
        let mut story = Story::begin();
        (0..500).for_each(|n| story.accepted(n));
        let open = (500..600)
            .take_while(|n| story.refused(*n, "too much") == Finding::Open)
            .count();
        assert!(open < WINDOW, "{open}");
    }

    #[test]
    fn one_email_is_refused_while_others_are_accepted() {
        let mut story = Story::begin();
        for n in 0..20 {
            story.batch = Uuid::from_u128(2);
            (0..5).for_each(|other| story.accepted(1_000 + n * 5 + other));
            story.batch = Uuid::from_u128(1);
            let expected = if n < 9 { Finding::Open } else { Finding::AllRecipients };
            assert_eq!(story.refused(n, "we do not like this letter"), expected);
        }
    }

    #[test]
    fn a_recipient_refused_again_after_others_were_accepted_fails() {
        let mut story = Story::begin();
        (0..10).for_each(|n| {
            story.refused(n, "no");
        });
        assert_eq!(story.refused(9, "no"), Finding::AllRecipients);
        story.accepted(50);
        assert_eq!(story.refused(9, "no"), Finding::Recipient);
        assert_eq!(
            story.refused(60, "no"),
            Finding::AllRecipients,
            "this one was not asked before"
        );
    }

    #[test]
    fn a_finding_ends_when_the_relay_accepts_mail_again() {
        let mut story = Story::begin();
        (0..30).for_each(|n| {
            story.refused(n, "no");
        });
        (100..111).for_each(|n| story.accepted(n));
        assert_eq!(story.refused(99, "no"), Finding::Open);
    }
}
