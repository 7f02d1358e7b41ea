//! What is not offered to the relay for a while: mail to one domain, or mail of one batch.
//!
//! A domain whose mail gets `421` or no answer would otherwise cost everybody's mail its connections, and a
//! relay that has not taken any mail yet would be judged by it alone. A batch whose letter the relay refuses is
//! set aside until it is paused. The pauses double; accepted mail ends them. Pure: the time is an argument.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use uuid::Uuid;

/// Troubles in a row, on a relay that takes other mail, after which a domain is set aside.
const PATIENCE: u32 = 3;

const FIRST_PAUSE: Duration = Duration::from_secs(5);

/// Longer pauses would keep people waiting after their domain is well again.
const LONGEST_PAUSE: Duration = Duration::from_mins(2);

/// Entries that are kept; more would be trouble of the relay's own.
const MOST: usize = 1_024;

/// What can be set aside.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Part {
    /// Mail to this domain, in lower case.
    Domain(String),
    /// Mail of this batch.
    Batch(Uuid),
}

#[derive(Default)]
pub(super) struct SetAside {
    entries: HashMap<Part, Entry>,
}

#[derive(Default)]
struct Entry {
    troubles: u32,
    pause: Option<Duration>,
    until: Option<Instant>,
}

impl SetAside {
    /// A mail of this part met trouble. Sets it aside if this was too often, or at once if `is_sole`:
    /// nothing else has been accepted yet. Whether it had been set aside before, without an accepted mail
    /// since.
    pub(super) fn trouble(&mut self, part: &Part, is_sole: bool, now: Instant) -> bool {
        if self.entries.len() >= MOST && !self.entries.contains_key(part) {
            self.entries.clear();
        }
        let entry = self.entries.entry(part.clone()).or_default();
        entry.troubles += 1;
        let was_aside = entry.until.is_some();
        // Mails that were under way when the pause began do not lengthen it.
        let is_aside = entry.until.is_some_and(|until| until > now);
        if !is_aside && (is_sole || was_aside || entry.troubles >= PATIENCE) {
            let next = entry.pause.map_or(FIRST_PAUSE, |pause| (pause * 2).min(LONGEST_PAUSE));
            (entry.pause, entry.until) = (Some(next), Some(now + next));
        }
        was_aside
    }

    /// Sets this part aside at once.
    pub(super) fn begin(&mut self, part: &Part, now: Instant) {
        self.trouble(part, true, now);
    }

    /// Whether nothing is set aside and nothing is watched.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// A mail of this part got a good answer.
    pub(super) fn end(&mut self, part: &Part) {
        self.entries.remove(part);
    }

    /// How long a part is still set aside.
    pub(super) fn remaining(&self, part: &Part, now: Instant) -> Option<Duration> {
        let until = self.entries.get(part)?.until?;
        (until > now).then(|| until.duration_since(now))
    }

    /// Domains that are set aside now.
    pub(super) fn domains(&self, now: Instant) -> usize {
        let is_domain = |part: &&Part| matches!(part, Part::Domain(_));
        let aside = self.entries.keys().filter(is_domain);
        aside.filter(|part| self.remaining(part, now).is_some()).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domain() -> Part {
        Part::Domain("example.org".to_owned())
    }

    #[test]
    fn a_domain_rests_after_three_troubles_and_longer_each_time() {
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
    fn mails_under_way_do_not_lengthen_a_pause() {
        let (mut aside, now) = (SetAside::default(), Instant::now());
        for _ in 0..20 {
            aside.trouble(&domain(), true, now);
        }
        assert_eq!(aside.remaining(&domain(), now), Some(FIRST_PAUSE));
        assert_eq!(aside.domains(now), 1);
    }
}
