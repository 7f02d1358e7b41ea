//! Mail that is not offered to the relay for a while: to one domain, of one batch, or of the interactive lane.
//!
//! A domain whose mail gets `421` or no answer would otherwise use up the connections that all mail needs,
//! and a relay that has not accepted any mail yet would be judged by that domain alone. A batch whose content
//! the relay refuses is set aside until it is paused. Interactive mail is never paused, so that each waiting
//! mail would probe a used-up quota; it is set aside as a whole. The pauses double; accepted mail ends them.
//! Pure: the time is an argument.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use shared::batch::Lane;
use uuid::Uuid;

/// Consecutive failures, on a relay that accepts other mail, after which a domain is set aside.
const PATIENCE: u32 = 3;

const FIRST_PAUSE: Duration = Duration::from_secs(5);

/// Longer pauses would delay mail after its domain has recovered.
const LONGEST_PAUSE: Duration = Duration::from_mins(2);

/// The same for interactive mail. It is set aside because of our account, as for a quota that is refilled after
/// hours, or because of its content.
const LONGEST_INTERACTIVE_PAUSE: Duration = Duration::from_mins(5);

/// Maximum number of entries. More would be trouble of the relay itself.
const MOST: usize = 1_024;

/// What can be set aside.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum MailGroup {
    /// Mail to this domain, in lower case.
    Domain(String),
    /// Mail of this batch.
    Batch(Uuid),
    /// Mail of the interactive lane.
    Interactive,
}

impl MailGroup {
    /// The batch of a bulk mail, and the lane of an interactive one.
    pub(super) const fn of(lane: Lane, batch: Uuid) -> Self {
        match lane {
            Lane::Interactive => Self::Interactive,
            Lane::Bulk => Self::Batch(batch),
        }
    }

    const fn longest_pause(&self) -> Duration {
        match self {
            Self::Domain(_) | Self::Batch(_) => LONGEST_PAUSE,
            Self::Interactive => LONGEST_INTERACTIVE_PAUSE,
        }
    }
}

#[derive(Default)]
pub(super) struct SetAside {
    entries: HashMap<MailGroup, Entry>,
}

#[derive(Default)]
struct Entry {
    troubles: u32,
    pause: Option<Duration>,
    until: Option<Instant>,
}

impl SetAside {
    /// Records trouble with mail of this part, which is set aside after repeated trouble, or at once if
    /// `is_sole`: no other mail has been accepted yet. Returns whether it was set aside before, with no
    /// accepted mail since.
    pub(super) fn trouble(&mut self, part: &MailGroup, is_sole: bool, now: Instant) -> bool {
        if self.entries.len() >= MOST && !self.entries.contains_key(part) {
            self.entries.clear();
        }
        let entry = self.entries.entry(part.clone()).or_default();
        entry.troubles += 1;
        let was_aside = entry.until.is_some();
        // Mails that were being sent when the pause began do not lengthen it.
        let is_aside = entry.until.is_some_and(|until| until > now);
        if !is_aside && (is_sole || was_aside || entry.troubles >= PATIENCE) {
            let next = entry
                .pause
                .map_or(FIRST_PAUSE, |pause| (pause * 2).min(part.longest_pause()));
            (entry.pause, entry.until) = (Some(next), Some(now + next));
        }
        was_aside
    }

    /// Sets this part aside at once.
    pub(super) fn begin(&mut self, part: &MailGroup, now: Instant) {
        self.trouble(part, true, now);
    }

    /// Whether no part is set aside or has had trouble.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Records a good answer to mail of this part.
    pub(super) fn end(&mut self, part: &MailGroup) {
        self.entries.remove(part);
    }

    /// How much longer a part is set aside.
    pub(super) fn remaining(&self, part: &MailGroup, now: Instant) -> Option<Duration> {
        let until = self.entries.get(part)?.until?;
        (until > now).then(|| until.duration_since(now))
    }

    /// Number of domains that are currently set aside.
    pub(super) fn domains(&self, now: Instant) -> usize {
        let is_domain = |part: &&MailGroup| matches!(part, MailGroup::Domain(_));
        let aside = self.entries.keys().filter(is_domain);
        aside.filter(|part| self.remaining(part, now).is_some()).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domain() -> MailGroup {
        MailGroup::Domain("example.org".to_owned())
    }

    #[test]
    fn a_domain_is_set_aside_after_three_failures_and_longer_each_time() {
        let (mut aside, mut now) = (SetAside::default(), Instant::now());
        assert!(!aside.trouble(&domain(), false, now) && !aside.trouble(&domain(), false, now));
        assert_eq!(aside.remaining(&domain(), now), None);
        assert!(!aside.trouble(&domain(), false, now));
        let mut pauses = Vec::new();
        for _ in 0..7 {
            let pause = aside.remaining(&domain(), now).unwrap();
            pauses.push(pause.as_secs());
            now += pause;
            assert!(aside.trouble(&domain(), false, now));
        }
        assert_eq!(pauses, [5, 10, 20, 40, 80, 120, 120]);
        aside.end(&domain());
        assert!(!aside.trouble(&domain(), false, now));
        assert_eq!(aside.remaining(&domain(), now), None);
    }

    #[test]
    fn refused_interactive_mail_is_tried_every_five_minutes_at_last() {
        let (mut aside, mut now) = (SetAside::default(), Instant::now());
        let part = MailGroup::of(Lane::Interactive, Uuid::from_u128(1));
        assert_eq!(part, MailGroup::of(Lane::Interactive, Uuid::from_u128(2)));
        let mut pauses = Vec::new();
        for _ in 0..8 {
            aside.begin(&part, now);
            let pause = aside.remaining(&part, now).unwrap();
            pauses.push(pause.as_secs());
            now += pause;
        }
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 300, 300]);
    }

    #[test]
    fn mails_in_progress_do_not_lengthen_a_pause() {
        let (mut aside, now) = (SetAside::default(), Instant::now());
        for _ in 0..20 {
            aside.trouble(&domain(), true, now);
        }
        assert_eq!(aside.remaining(&domain(), now), Some(FIRST_PAUSE));
        assert_eq!(aside.domains(now), 1);
    }
}
