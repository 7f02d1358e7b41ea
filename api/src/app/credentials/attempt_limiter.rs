//! Rate limits for password checks.
//!
//! An attempt is taken before hashing, so guesses over the limit cost no hashes. A right password gives its attempt
//! back. A new password that is unfit also costs an attempt, because it is judged before anything is proved. Limits do
//! not depend on whether the address exists, so a refusal reveals nothing about it.
//!
//! **Per person and client.** An attacker uses up their own attempts, not the person's. A client is a network at the
//! console, and what the platform sends as `client` at the API ([`Client`]). An IPv6 address counts with its /64, /56
//! and /48, and the most restrictive one decides, so the 65,536 networks of a /48 do not count as that many clients. A
//! client that has signed in as the person before is *known* ([`shared::store::known_clients`]; OWASP, "Slow Down
//! Online Guessing Attacks with Device Cookies"): it has its own attempts, and other clients cannot delay it. Postgres
//! stores known clients, so they survive restarts and apply to all replicas.
//!
//! **New devices.** The first three attempts of an unknown client at a person come from a separate bucket
//! (`NEWCOMERS`), further ones from another (`OTHERS`). A client regains one of its three every 20 minutes, and the
//! bucket regains one a minute. So up to 16 clients that guess at a person, however fast and long, always leave an
//! attempt for that person on a new device; with more of them, the person may have to wait. A client that its platform
//! does not name cannot be distinguished from an attacker (`UNNAMED`).
//!
//! **Mailed passwords.** Input in the form of a mailed password is checked against mailed ones before any of this
//! ([`AttemptLimiter::allow_light_check`]), and its attempts have separate buckets. So guessing cannot lock out a
//! person who has a mailed password, and a password email lets a locked-out person in.
//!
//! **Bound on guessing.** All unknown clients together have 100 attempts at a person, then one every 30 s. When a
//! distributed attack uses these up, unknown clients wait and known ones do not. A year of that is a million guesses,
//! against passwords that withstand 10⁸ (`password/strength.rs`) or 2¹¹³. NIST SP 800-63B-4 (3.2.2) allows at most
//! 100 consecutive failed attempts on an account; here the 101st is possible 30 s later, because a hard stop would let
//! an attacker lock out any account. ASVS 5.0 (6.1.1, 6.3.1) asks for exactly that balance. Clients that platforms
//! leave unnamed have a separate limit of the same size, and so has input in the form of a mailed password. At most ten
//! known clients per person add 360 attempts an hour each.
//!
//! **Bound on load.** At the console, an address has a burst of 10 attempts over all persons, then one every 5 s. At
//! the API, a `client` has 100, then 5 a second, since a school may share one address. A /56 has twice as much of
//! either, a /48 four times. A key has 10 s of the threads' capacity of 40 hashes a second each, then 40 a second per
//! thread. The fourth and later recent attempts of unknown clients also share half of the threads' capacity
//! (`AttemptLimiter::overall`), so first attempts always find the other half.
//!
//! **Priority.** Clients with few recent attempts go first ([`Rank`]): known clients, then unknown ones by the number
//! of attempts they have spent. When the queue of the hash pool is full, the last in it lose their place. So 200
//! addresses that guess at full rate delay one another, but not a person at another address.
//!
//! Buckets are in the memory of a process: each API replica allows this much, and a restart resets them.

mod buckets;
mod client;

use buckets::{Buckets, Limit, Taken};
pub use client::Client;
use shared::password::Rank;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Attempts of one client at one person. A person who mistypes does not reach this limit.
const PERSON_AT_CLIENT: Limit = Limit {
    at_once: 10,
    pause: Duration::from_secs(10),
};

/// Attempts with which an unknown client counts as a newcomer at a person.
const NEWCOMER: Limit = Limit {
    at_once: 3,
    pause: Duration::from_mins(20),
};

/// Attempts of all newcomers together at one person.
const NEWCOMERS: Limit = Limit {
    at_once: 50,
    pause: Duration::from_mins(1),
};

/// Attempts of all other unknown clients together at one person.
const OTHERS: Limit = NEWCOMERS;

/// Attempts at one person of clients that the platform does not name.
const UNNAMED: Limit = Limit {
    at_once: 100,
    pause: Duration::from_secs(30),
};

/// Comparisons with mailed passwords only, per key. Each costs a query and a third of a millisecond: 200 a second take
/// a tenth of a core.
const LIGHT_CHECKS: Limit = Limit {
    at_once: 1_000,
    pause: Duration::from_millis(5),
};

/// Attempts of one address at the console, over all persons.
const ADDRESS: Limit = Limit {
    at_once: 10,
    pause: Duration::from_secs(5),
};

/// Attempts of one client of the platform, over all persons.
const CLIENT: Limit = Limit {
    at_once: 100,
    pause: Duration::from_millis(200),
};

/// Recent attempts of a client that look like mistyping. Only further ones count against the limit that all unknown
/// clients share.
const ATTEMPTS_APART: u32 = 3;

/// Time of a hash of full cost, with some slack.
const HASH: Duration = Duration::from_millis(25);

/// Where a password is tried. Console administrators and platform users are always separate.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub enum Realm {
    /// The console's sign-in.
    Console,
    /// The API, with this key.
    Platform {
        /// The key's id.
        key: Uuid,
    },
}

/// A password check that asks for an attempt.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// Where the password is tried.
    pub realm: Realm,
    /// The person: a normalised address, or the typed text if it is not an address.
    pub person: &'a str,
    /// The client; `None` if the platform does not name it.
    pub client: Option<&'a Client>,
    /// Whether that client has signed in as the person before.
    pub is_known: bool,
    /// Whether the candidate has the form of a mailed password.
    pub is_like_mailed: bool,
}

/// Which limit is exhausted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExhaustedLimit {
    /// The limit for this person.
    Person,
    /// The limit of this client.
    Client,
    /// The limit of this API key.
    Key,
    /// The limit that all clients share.
    Overall,
}

/// A refused attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Which limit is exhausted.
    pub used_up: ExhaustedLimit,
    /// How long until the next attempt is possible.
    pub wait: Duration,
}

impl Refusal {
    /// Seconds to wait, rounded up so that a client that waits that long is not refused again.
    pub fn seconds(self) -> u32 {
        u32::try_from(self.wait.as_millis().div_ceil(1_000)).unwrap_or(u32::MAX)
    }

    /// A sentence for the person who tried.
    pub fn sentence(self) -> String {
        let why = match self.used_up {
            ExhaustedLimit::Person => "Too many sign-in attempts for this address.",
            ExhaustedLimit::Client => "Too many sign-in attempts from this device or network.",
            ExhaustedLimit::Key => "Too many failed password checks with this API key.",
            ExhaustedLimit::Overall => "Too many sign-ins at the moment.",
        };
        let seconds = self.seconds();
        let unit = if seconds == 1 { "second" } else { "seconds" };
        format!("{why} Try again in {seconds} {unit}.")
    }
}

/// An admitted attempt.
#[must_use]
#[derive(Debug)]
pub struct AttemptToken {
    taken: Taken,
    /// Its priority in the queue for a hash.
    pub rank: Rank,
}

/// The purpose of a bucket. Variants instead of strings keep the console's and the platform's buckets apart.
#[derive(Clone, Copy, Debug, Hash)]
enum Bucket<'a> {
    Known(RealmKind, &'a str, &'a str),
    PersonAtClient(Target<'a>, &'a str),
    Newcomer(Target<'a>, &'a str),
    Newcomers(Target<'a>),
    Others(Target<'a>),
    Unnamed(Target<'a>),
    Client(RealmKind, &'a str),
    Key(Uuid),
    LightChecks(Uuid),
    Overall(RealmKind),
}

/// The target of guesses: a person's chosen password or their mailed ones.
#[derive(Clone, Copy, Debug, Hash)]
struct Target<'a> {
    realm: RealmKind,
    person: &'a str,
    is_like_mailed: bool,
}

#[derive(Clone, Copy, Debug, Hash)]
enum RealmKind {
    Console,
    Platform,
}

/// A bucket to take from, and the limit that is exhausted if it is empty.
type Wanted<'a> = (ExhaustedLimit, Bucket<'a>, Limit);

/// The rate limiter.
#[derive(Debug)]
pub struct AttemptLimiter {
    buckets: Buckets,
    /// Threads that hash for the platform; the console has one.
    threads: u32,
}

impl AttemptLimiter {
    /// Full buckets, for a process whose platform pool has this many threads.
    pub fn for_threads(threads: usize) -> Self {
        Self {
            buckets: Buckets::default(),
            threads: u32::try_from(threads).unwrap_or(u32::MAX).max(1),
        }
    }

    /// Takes an attempt.
    ///
    /// # Errors
    ///
    /// If no attempt is left; the refusal names the limit and the wait.
    pub fn take(&self, attempt: Attempt<'_>, now: Instant) -> Result<AttemptToken, Refusal> {
        let realm = match attempt.realm {
            Realm::Console => RealmKind::Console,
            Realm::Platform { .. } => RealmKind::Platform,
        };
        if let (true, Some(client)) = (attempt.is_known, attempt.client) {
            let bucket = Bucket::Known(realm, attempt.person, client.name());
            return self.take_from(&[(ExhaustedLimit::Person, bucket, PERSON_AT_CLIENT)], Rank::FIRST, now);
        }
        let target = Target {
            realm,
            person: attempt.person,
            is_like_mailed: attempt.is_like_mailed,
        };
        let buckets_across_people = buckets_across_people(target, attempt.client);
        let spent = self.recent_attempts(&buckets_across_people, now);
        let rank = Rank(spent.saturating_add(1));
        let mut shared: Vec<Wanted<'_>> = Vec::new();
        if let Realm::Platform { key } = attempt.realm {
            shared.push((ExhaustedLimit::Key, Bucket::Key(key), self.per_key()));
        }
        if spent >= ATTEMPTS_APART {
            shared.push((ExhaustedLimit::Overall, Bucket::Overall(realm), self.overall(realm)));
        }
        let Some(client) = attempt.client else {
            shared.insert(0, (ExhaustedLimit::Person, Bucket::Unnamed(target), UNNAMED));
            return self.take_from(&shared, rank, now);
        };
        shared.splice(..0, buckets_across_people);
        let as_newcomer = self.take_from(&buckets_at_person(target, client, true, &shared), rank, now);
        let Err(refused) = as_newcomer else {
            return as_newcomer;
        };
        if refused.used_up != ExhaustedLimit::Person {
            return Err(refused);
        }
        let as_other = self.take_from(&buckets_at_person(target, client, false, &shared), rank, now);
        as_other.map_err(|other| if other.wait < refused.wait { other } else { refused })
    }

    /// Whether a candidate may be compared with mailed passwords without an attempt.
    pub fn allow_light_check(&self, key: Uuid, now: Instant) -> bool {
        self.buckets
            .take(&[(Bucket::LightChecks(key), LIGHT_CHECKS)], now)
            .is_ok()
    }

    /// Recent attempts of the client, or of the person if there is no client. Of several networks, the highest count
    /// decides, each relative to its limit.
    fn recent_attempts(&self, buckets_across_people: &[Wanted<'_>], now: Instant) -> u32 {
        let spent = buckets_across_people
            .iter()
            .zip(0..)
            .map(|((_, bucket, limit), wider)| {
                let missing = self.buckets.missing(bucket, *limit, now);
                missing.checked_shr(wider).unwrap_or_default()
            });
        spent.max().unwrap_or_default()
    }

    /// Returns the tokens of an attempt that was not spent on a wrong password.
    pub fn refund(&self, spent: AttemptToken) {
        self.buckets.refund(spent.taken);
    }

    fn take_from(&self, wanted: &[Wanted<'_>], rank: Rank, now: Instant) -> Result<AttemptToken, Refusal> {
        let buckets: Vec<(Bucket<'_>, Limit)> = wanted.iter().map(|(_, bucket, limit)| (*bucket, *limit)).collect();
        match self.buckets.take(&buckets, now) {
            Ok(taken) => Ok(AttemptToken { taken, rank }),
            Err((place, wait)) => Err(Refusal {
                used_up: wanted
                    .get(place)
                    .map_or(ExhaustedLimit::Overall, |(used_up, ..)| *used_up),
                wait,
            }),
        }
    }

    /// The limit per key: the threads' full capacity, with a burst of 10 s.
    fn per_key(&self) -> Limit {
        Limit {
            at_once: self.threads.saturating_mul(400),
            pause: HASH / self.threads,
        }
    }

    /// The limit that the fourth and later attempts of all unknown clients share: half of the threads' capacity, with a
    /// burst of 10 s.
    fn overall(&self, realm: RealmKind) -> Limit {
        let threads = match realm {
            RealmKind::Console => 1,
            RealmKind::Platform => self.threads,
        };
        Limit {
            at_once: threads.saturating_mul(200),
            pause: HASH * 2 / threads,
        }
    }
}

/// The limits over all persons: of the client and its wider networks. Without a client, the limit of the person.
fn buckets_across_people<'a>(target: Target<'a>, client: Option<&'a Client>) -> Vec<Wanted<'a>> {
    let Some(client) = client else {
        return vec![(ExhaustedLimit::Person, Bucket::Unnamed(target), UNNAMED)];
    };
    let limit = match target.realm {
        RealmKind::Console => ADDRESS,
        RealmKind::Platform => CLIENT,
    };
    let widening = client.names().zip([1, 2, 4]);
    widening
        .map(|(name, times)| {
            let limit = Limit {
                at_once: limit.at_once * times,
                pause: limit.pause / times,
            };
            (ExhaustedLimit::Client, Bucket::Client(target.realm, name), limit)
        })
        .collect()
}

/// All buckets that an attempt of a client at a person takes from; `shared` are those that it shares with attempts at
/// others.
fn buckets_at_person<'a>(
    target: Target<'a>,
    client: &'a Client,
    is_newcomer: bool,
    shared: &[Wanted<'a>],
) -> Vec<Wanted<'a>> {
    let mut wanted: Vec<Wanted<'a>> = client
        .names()
        .map(|name| {
            (
                ExhaustedLimit::Person,
                Bucket::PersonAtClient(target, name),
                PERSON_AT_CLIENT,
            )
        })
        .collect();
    if is_newcomer {
        let own = client.names().map(|name| Bucket::Newcomer(target, name));
        wanted.extend(own.map(|bucket| (ExhaustedLimit::Person, bucket, NEWCOMER)));
        wanted.push((ExhaustedLimit::Person, Bucket::Newcomers(target), NEWCOMERS));
    } else {
        wanted.push((ExhaustedLimit::Person, Bucket::Others(target), OTHERS));
    }
    wanted.extend_from_slice(shared);
    wanted
}

#[cfg(test)]
mod tests;
