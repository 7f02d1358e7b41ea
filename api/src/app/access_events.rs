//! Aggregates failed and throttled sign-ins, rejected API keys and checked passwords for the audit log.
//!
//! An attacker can cause any number of these events, and each must count. The first event of a kind (same action,
//! actor, client network and subject) is written at once. Later ones are counted in memory and written once a minute
//! as one entry with a count. So the log grows by entries per minute, not per request, and no event is lost.
//!
//! The number of kinds is bounded too, since an attacker may use many networks. Per action, up to `MAX_ANONYMOUS_KINDS`
//! kinds have entries of their own at a time. Kinds that concern an administrator or come from an API key have a
//! separate limit of `MAX_ATTRIBUTED_KINDS`, which other events do not use up. Events beyond these limits share an entry
//! without a client: one per administrator or key concerned, and one for the rest of the action.
//!
//! The first entry of a kind has the client's full address; the entries with counts have its network.
//!
//! A process that is killed loses the counts of its last minute; an orderly shutdown writes them.

use crate::app::client_network::network_of;
use shared::lifecycle::Lifecycle;
use shared::store::audit::{self, AccessEvent, Actor, ActorKind};
use shared::store::{Db, StoreResult};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tracing::warn;

/// Interval between writes of the counts.
const PERIOD: Duration = Duration::from_mins(1);

/// Kinds of an action with entries of their own that concern no administrator and no API key.
const MAX_ANONYMOUS_KINDS: usize = 20;

/// Kinds of an action with entries of their own that concern an administrator or come from an API key.
const MAX_ATTRIBUTED_KINDS: usize = 50;

/// Events that have not been written yet.
#[derive(Debug, Default)]
pub struct AccessEvents {
    /// Number of events per kind since the last write.
    pending: Mutex<HashMap<AccessEvent, i64>>,
}

impl AccessEvents {
    /// Records an event: at once if it is the first of its kind in a while, otherwise in the counts that are written
    /// next. A failed write is logged and does not affect the response.
    pub async fn record(&self, db: &Db, event: AccessEvent) {
        let kind = kind_of(&event);
        if self.is_first(kind.clone()) && !written(&audit::record_access_events(db, &[(event, 1)]).await) {
            self.add(kind, 1);
        }
    }

    /// Whether there was no event of this kind in the last period. Counts the event otherwise.
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
            MAX_ATTRIBUTED_KINDS
        } else {
            MAX_ANONYMOUS_KINDS
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

    /// Writes the counts once a minute, until the process stops.
    pub async fn keep_writing(&self, db: &Db, lifecycle: &Lifecycle) {
        while !lifecycle.is_stopping() {
            lifecycle.pause(PERIOD).await;
            self.write(db).await;
        }
    }

    /// Writes the counts. If that fails, they are kept and written next time.
    pub async fn write(&self, db: &Db) {
        let counted = self.take();
        if !counted.is_empty() && !written(&audit::record_access_events(db, &counted).await) {
            for (kind, count) in counted {
                self.add(kind, count);
            }
        }
    }

    /// Takes the counts. Kinds without events in the last period are removed, so their next event is written at once.
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

/// The kind of an event: without the request, and with the client's network instead of its address.
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

/// Whether an event concerns an administrator or comes from an API key. Attackers can invent neither.
fn is_concerned(event: &AccessEvent) -> bool {
    event.subject.is_some() || event.actor.kind != ActorKind::Unknown
}

/// The kind that replaces those with a client once there are too many.
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
    fn the_first_event_is_written_at_once_and_the_rest_as_one_entry() {
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
    fn ten_thousand_clients_are_counted_in_a_few_entries() {
        let events = AccessEvents::default();

        let at_once = (0..10_000).filter(|client| events.is_first(failure(*client))).count();

        assert_eq!(at_once, MAX_ANONYMOUS_KINDS);
        let beyond = 10_000 - i64::try_from(MAX_ANONYMOUS_KINDS).unwrap();
        assert_eq!(events.take(), [(without_client(failure(0)), beyond)]);
        // The limit holds in later minutes too, whichever clients continue.
        for _ in 0..2 {
            (0..10_000).for_each(|client| {
                events.is_first(failure(client));
            });
        }
        assert_eq!(events.take().len(), MAX_ANONYMOUS_KINDS + 1);
    }

    #[test]
    fn other_clients_do_not_hide_an_attack_on_an_administrator() {
        let events = AccessEvents::default();
        let at_priya = |client| AccessEvent {
            subject: Some("administrator priya".to_owned()),
            ..failure(client)
        };

        for client in 0..1_000 {
            events.is_first(failure(client));
        }

        let at_once = (0..1_000).filter(|client| events.is_first(at_priya(*client))).count();
        assert_eq!(at_once, MAX_ATTRIBUTED_KINDS);
        let beyond = 1_000 - i64::try_from(MAX_ATTRIBUTED_KINDS).unwrap();
        assert!(events.take().contains(&(without_client(at_priya(0)), beyond)));
    }

    #[test]
    fn the_addresses_of_an_ipv6_network_share_an_entry() {
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
