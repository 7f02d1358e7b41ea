//! Failed and throttled sign-ins, refused API keys and checked passwords, on record by number.
//!
//! An attacker can cause any number of these, and each must count. The first of a kind (same action, actor, client
//! and subject) is written at once; those that follow are counted in memory and written as one line a minute with
//! their number. So the log grows by lines a minute, not by requests, and no event is left out. Kinds are bounded
//! too: beyond [`MAX_KINDS`] in a minute, events of the same action share one line without a client.
//!
//! A process that is killed loses the counts of its last minute; an orderly stop writes them.

use shared::lifecycle::Lifecycle;
use shared::store::audit::{self, AccessEvent, Action, Actor};
use shared::store::{Db, StoreResult};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tracing::warn;

/// Between two writings of what was counted.
const PERIOD: Duration = Duration::from_mins(1);

/// Kinds that have lines of their own in a minute; each takes about 300 bytes here and in Postgres.
const MAX_KINDS: usize = 1_000;

/// Events that were not written yet.
#[derive(Debug, Default)]
pub struct AccessEvents {
    /// By kind, how many followed the one that was written at once.
    pending: Mutex<HashMap<AccessEvent, i64>>,
}

impl AccessEvents {
    /// Puts an event on record: in Postgres when it is the first of its kind in a while, else in the count that is
    /// written next. A failure is logged and changes no answer.
    pub async fn note(&self, db: &Db, event: AccessEvent) {
        let kind = AccessEvent {
            actor: Actor {
                request: None,
                ..event.actor.clone()
            },
            ..event.clone()
        };
        if self.is_first(kind.clone()) && !written(&audit::note_access(db, &[(event, 1)]).await) {
            self.add(kind, 1);
        }
    }

    /// Whether no event of this kind was seen in the last period. Counts those that follow.
    fn is_first(&self, kind: AccessEvent) -> bool {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = pending.get_mut(&kind) {
            *count += 1;
            return false;
        }
        if pending.len() >= MAX_KINDS {
            *pending.entry(without_client(kind.action)).or_default() += 1;
            return false;
        }
        pending.insert(kind, 0);
        true
    }

    fn add(&self, kind: AccessEvent, count: i64) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        *pending.entry(kind).or_default() += count;
    }

    /// Writes what was counted once a minute, until the process stops.
    pub async fn keep_writing(&self, db: &Db, lifecycle: &Lifecycle) {
        while !lifecycle.is_stopping() {
            lifecycle.pause(PERIOD).await;
            self.write(db).await;
        }
    }

    /// Writes what was counted; what cannot be written is counted on.
    pub async fn write(&self, db: &Db) {
        let counted = self.take();
        if !counted.is_empty() && !written(&audit::note_access(db, &counted).await) {
            for (kind, count) in counted {
                self.add(kind, count);
            }
        }
    }

    /// Takes the counts. Kinds that were quiet in the last period are forgotten, so their next event is a first
    /// one again.
    fn take(&self) -> Vec<(AccessEvent, i64)> {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        pending.retain(|_, count| *count > 0);
        let counted = pending.iter().map(|(kind, count)| (kind.clone(), *count)).collect();
        pending.values_mut().for_each(|count| *count = 0);
        counted
    }
}

fn written(outcome: &StoreResult<()>) -> bool {
    if let Err(fault) = outcome {
        warn!(error = ?fault, "Could not write sign-in events to the audit log; they are counted and written later");
    }
    outcome.is_ok()
}

/// The kind that stands for all others of an action once there are too many.
fn without_client(action: Action) -> AccessEvent {
    AccessEvent {
        action,
        actor: Actor::unknown(),
        subject: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{IpAddr, Ipv4Addr};

    fn failure(client: u32) -> AccessEvent {
        AccessEvent {
            action: Action::SignInFailed,
            actor: Actor {
                client: Some(IpAddr::V4(Ipv4Addr::from_bits(client))),
                ..Actor::unknown()
            },
            subject: None,
        }
    }

    #[test]
    fn the_first_is_written_at_once_and_the_rest_as_one_line() {
        let events = AccessEvents::default();

        assert!(events.is_first(failure(1)));
        assert!(events.is_first(failure(2)));
        for _ in 0..41 {
            assert!(!events.is_first(failure(1)));
        }

        assert_eq!(events.take(), [(failure(1), 41)]);
        assert!(
            !events.is_first(failure(1)),
            "it went on, so one line a minute is enough"
        );
        assert_eq!(events.take(), [(failure(1), 1)]);
        assert_eq!(events.take(), []);
        assert!(events.is_first(failure(1)));
    }

    #[test]
    fn ten_thousand_clients_are_all_counted_in_bounded_memory() {
        let events = AccessEvents::default();

        let at_once = (0..10_000).filter(|client| events.is_first(failure(*client))).count();

        assert_eq!(at_once, MAX_KINDS);
        assert_eq!(events.take(), [(without_client(Action::SignInFailed), 9_000)]);
    }
}
