//! Failed and throttled sign-ins, refused API keys and checked passwords, on record by number.
//!
//! An attacker can cause any number of these, and each must count. The first of a kind (same action, actor, client
//! network and subject) is written at once; those that follow are counted in memory and written as one line a minute
//! with their number. So the log grows by lines a minute, not by requests, and no event is left out.
//!
//! Kinds are bounded too, since a stranger may have many networks. For each action, `STRANGERS_MOST` kinds have
//! lines of their own at a time, and those that concern an administrator or come from an API key have another
//! `CONCERNED_MOST`, which strangers' other attempts do not use up. Events beyond these share a line without a
//! client, one for each administrator or key concerned and one for the rest of the action.
//!
//! The first line of a kind has the client's whole address, and those that count the rest have its network.
//!
//! A process that is killed loses the counts of its last minute; an orderly stop writes them.

use crate::client_address::network_of;
use shared::lifecycle::Lifecycle;
use shared::store::audit::{self, AccessEvent, Actor, ActorKind};
use shared::store::{Db, StoreResult};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tracing::warn;

/// Between two writings of what was counted.
const PERIOD: Duration = Duration::from_mins(1);

/// Kinds of one action that have lines of their own, of strangers who concern nobody we know.
const STRANGERS_MOST: usize = 20;

/// Kinds of one action that have lines of their own, concerning an administrator or coming from an API key.
const CONCERNED_MOST: usize = 50;

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
        let kind = kind_of(&event);
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
        let is_alike = |other: &&AccessEvent| {
            other.action == kind.action && other.actor.client.is_some() && is_concerned(other) == is_concerned(&kind)
        };
        let most = if is_concerned(&kind) {
            CONCERNED_MOST
        } else {
            STRANGERS_MOST
        };
        if pending.keys().filter(is_alike).count() >= most {
            *pending.entry(without_client(kind)).or_default() += 1;
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

/// What an event is counted as: it may have come with any request, from any address of a network.
fn kind_of(event: &AccessEvent) -> AccessEvent {
    AccessEvent {
        actor: Actor {
            request: None,
            client: event.actor.client.map(network_of),
            ..event.actor.clone()
        },
        ..event.clone()
    }
}

/// Whether it concerns an administrator or comes from an API key: strangers cannot make up either.
fn is_concerned(event: &AccessEvent) -> bool {
    event.subject.is_some() || event.actor.kind != ActorKind::Unknown
}

/// The kind that stands for those from other clients once there are too many.
fn without_client(kind: AccessEvent) -> AccessEvent {
    AccessEvent {
        actor: Actor {
            client: None,
            ..kind.actor
        },
        ..kind
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::store::audit::Action;
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
    fn ten_thousand_clients_are_all_counted_in_a_few_lines() {
        let events = AccessEvents::default();

        let at_once = (0..10_000).filter(|client| events.is_first(failure(*client))).count();

        assert_eq!(at_once, STRANGERS_MOST);
        let beyond = 10_000 - i64::try_from(STRANGERS_MOST).unwrap();
        assert_eq!(events.take(), [(without_client(failure(0)), beyond)]);
        // Not more of them in the next minute, whichever of them go on.
        for _ in 0..2 {
            (0..10_000).for_each(|client| {
                events.is_first(failure(client));
            });
        }
        assert_eq!(events.take().len(), STRANGERS_MOST + 1);
    }

    #[test]
    fn strangers_do_not_hide_who_attacks_an_administrator() {
        let events = AccessEvents::default();
        let at_priya = |client| AccessEvent {
            subject: Some("administrator priya".to_owned()),
            ..failure(client)
        };

        for client in 0..1_000 {
            events.is_first(failure(client));
        }

        let at_once = (0..1_000).filter(|client| events.is_first(at_priya(*client))).count();
        assert_eq!(at_once, CONCERNED_MOST);
        let beyond = 1_000 - i64::try_from(CONCERNED_MOST).unwrap();
        assert!(events.take().contains(&(without_client(at_priya(0)), beyond)));
    }

    #[test]
    fn the_addresses_of_an_ipv6_network_are_one_kind() {
        let events = AccessEvents::default();
        let from = |client: &str| AccessEvent {
            actor: Actor {
                client: Some(client.parse().unwrap()),
                request: Some("a request".to_owned()),
                ..Actor::unknown()
            },
            ..failure(0)
        };

        assert!(events.is_first(kind_of(&from("2001:db8:1:2::1"))));
        assert!(!events.is_first(kind_of(&from("2001:db8:1:2:ffff::1"))));
        assert!(events.is_first(kind_of(&from("2001:db8:1:3::1"))));
    }
}
