//! How often passwords may be tried.
//!
//! A try is taken before anything is hashed, so guessing costs no hashes either, and a right password
//! gives its try back. A new password that is unfit costs a try too: it is judged before anything is proved.
//! Whether anybody has the address plays no part, so a refusal tells nothing about it.
//!
//! **Per person and client.** A guesser uses up their own tries and not the person's. A client is a
//! network at the console, and what the platform calls it in `client` at the API ([`Client`]). An IPv6
//! address counts with its /64, its /56 and its /48, and the worst of them decides, so the 65,536
//! networks of a /48 are not as many clients. A client that has signed in as the person before is *known*
//! ([`shared::store::known_clients`]; OWASP, "Slow Down Online Guessing Attacks with Device Cookies"): it
//! has tries of its own, and nothing that other clients do delays it. That knowledge is in Postgres, so
//! it survives restarts and holds for every replica.
//!
//! **On a new device.** The first three tries of an unknown client at a person come from a bucket of
//! their own (`NEWCOMERS`), further ones from another (`OTHERS`). A client gets one of its three back
//! every 20 minutes, and the bucket gets one a minute. So up to 16 clients that guess at a person, however
//! fast and long, always leave a try for that person on a new device; with more of them, the person may
//! have to wait. A client that its platform does not name cannot be told from a guesser (`UNNAMED`).
//!
//! **Mailed passwords.** What has the shape of one is checked against mailed ones before any of this
//! ([`Tries::allow_light_check`]), and as a try has buckets apart from those of other candidates. Guesses
//! keep nobody out who has a mailed password, and a password mail lets anybody in who is kept out.
//!
//! **Bound on guessing.** All unknown clients together have 100 tries at a person, then one every
//! 30 s. When a distributed attack uses these up, unknown clients wait and known ones do not. A
//! year of that is a million guesses, against passwords that withstand 10⁸ (`password/strength.rs`) or
//! 2¹¹³. NIST SP 800-63B-4 (3.2.2) wants no more than 100 failed attempts in a row on an account; here
//! the 101st is possible 30 s later, because an end to all tries would let anybody lock anybody out. ASVS
//! 5.0 (6.1.1, 6.3.1) asks for exactly that balance. Clients that platforms leave unnamed have as many
//! again, and so have candidates in the shape of a mailed password. At most ten known clients per person
//! add 360 tries an hour each.
//!
//! **Bound on load.** At the console, an address has 10 tries at once over all persons, then one each
//! 5 s. At the API, a `client` has 100, then 5 a second, since a school may be behind one address. A /56 has twice
//! as many of either, a /48 four times. A key has
//! 10 s of what the threads can hash at 40 a second each, then 40 a second for each thread. Further, the
//! fourth and later recent tries of unknown clients share half of what the threads can hash
//! (`Tries::overall`), so first tries always find the other half.
//!
//! **Order.** Those who have tried little lately go first ([`Rank`]): known clients, then unknown
//! ones by the number of tries that they have spent. When the line of the hash pool is full, the last of them
//! lose their place. So 200 addresses that try as fast as they may delay one another, and not a
//! person at another address.
//!
//! Buckets are in the memory of a process: with several API replicas, each allows as much, and a
//! restart begins anew.

mod buckets;
mod client;

use buckets::{Buckets, Limit, Taken};
pub use client::Client;
use shared::password::Rank;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Tries of one client at one person: a person who mistypes notices nothing.
const PERSON_AT_CLIENT: Limit = Limit {
    at_once: 10,
    pause: Duration::from_secs(10),
};

/// Tries with which an unknown client is a newcomer at a person.
const NEWCOMER: Limit = Limit {
    at_once: 3,
    pause: Duration::from_mins(20),
};

/// Tries of all newcomers at one person.
const NEWCOMERS: Limit = Limit {
    at_once: 50,
    pause: Duration::from_mins(1),
};

/// Tries of all other unknown clients at one person.
const OTHERS: Limit = NEWCOMERS;

/// Tries at one person of clients that the platform does not name.
const UNNAMED: Limit = Limit {
    at_once: 100,
    pause: Duration::from_secs(30),
};

/// Checks with one key of candidates against mailed passwords only, each a query and a third of a
/// millisecond: 200 a second take a tenth of a core.
const LIGHT_CHECKS: Limit = Limit {
    at_once: 1_000,
    pause: Duration::from_millis(5),
};

/// Tries of one address at the console, over all persons.
const ADDRESS: Limit = Limit {
    at_once: 10,
    pause: Duration::from_secs(5),
};

/// Tries of one client of the platform, over all persons.
const CLIENT: Limit = Limit {
    at_once: 100,
    pause: Duration::from_millis(200),
};

/// Recent tries of a client that count as those of a person who mistypes. Only further ones take
/// from what all unknown clients share.
const TRIES_APART: u32 = 3;

/// Time of a hash of full cost, with a little air for other work.
const HASH: Duration = Duration::from_millis(25);

/// Where a password is tried. The console's people and the platform's are never the same.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub enum Place {
    /// The console's sign-in.
    Console,
    /// The API, with this key.
    Platform {
        /// The key's id.
        key: Uuid,
    },
}

/// A password that is to be tried.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// Where.
    pub place: Place,
    /// For whom: an address as identity, or whatever was typed in its stead.
    pub person: &'a str,
    /// From where; none if the platform does not tell.
    pub client: Option<&'a Client>,
    /// Whether that client has signed in as the person before.
    pub is_known: bool,
    /// Whether the candidate has the shape of a mailed password.
    pub is_like_mailed: bool,
}

/// Which tries are used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsedUp {
    /// Those for this person.
    Person,
    /// Those of this client.
    Client,
    /// Those of this API key.
    Key,
    /// Those that all clients share.
    Everybody,
}

/// A try that was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub used_up: UsedUp,
    /// How long until there is a try.
    pub wait: Duration,
}

impl Refusal {
    /// Whole seconds to wait, rounded up so that a client that waits them is not refused again.
    pub fn seconds(self) -> u32 {
        u32::try_from(self.wait.as_millis().div_ceil(1_000)).unwrap_or(u32::MAX)
    }

    /// A sentence for the person who tried.
    pub fn sentence(self) -> String {
        let why = match self.used_up {
            UsedUp::Person => "Too many passwords were tried for this address.",
            UsedUp::Client => "Too many passwords were tried from this device or network.",
            UsedUp::Key => "Too many wrong passwords were checked with this API key.",
            UsedUp::Everybody => "Too many people are signing in at the moment.",
        };
        let seconds = self.seconds();
        let unit = if seconds == 1 { "second" } else { "seconds" };
        format!("{why} Try again in {seconds} {unit}.")
    }
}

/// A try that was taken.
#[must_use]
#[derive(Debug)]
pub struct Try {
    taken: Taken,
    /// Its place in the line for a hash.
    pub rank: Rank,
}

/// What a bucket is for. Variants, and not texts, keep those of the console and of the platform apart.
#[derive(Clone, Copy, Debug, Hash)]
enum Bucket<'a> {
    Known(Site, &'a str, &'a str),
    PersonAtClient(Target<'a>, &'a str),
    Newcomer(Target<'a>, &'a str),
    Newcomers(Target<'a>),
    Others(Target<'a>),
    Unnamed(Target<'a>),
    Client(Site, &'a str),
    Key(Uuid),
    LightChecks(Uuid),
    Overall(Site),
}

/// What is guessed at: a person's chosen password or their mailed ones.
#[derive(Clone, Copy, Debug, Hash)]
struct Target<'a> {
    site: Site,
    person: &'a str,
    is_like_mailed: bool,
}

#[derive(Clone, Copy, Debug, Hash)]
enum Site {
    Console,
    Platform,
}

/// A bucket to take from, and what its emptiness means.
type Wanted<'a> = (UsedUp, Bucket<'a>, Limit);

/// The tries that are left.
#[derive(Debug)]
pub struct Tries {
    buckets: Buckets,
    /// Threads that hash for the platform; the console has one.
    threads: u32,
}

impl Tries {
    /// All tries are there, for a process whose platform pool has so many threads.
    pub fn for_threads(threads: usize) -> Self {
        Self {
            buckets: Buckets::default(),
            threads: u32::try_from(threads).unwrap_or(u32::MAX).max(1),
        }
    }

    /// Takes a try.
    ///
    /// # Errors
    ///
    /// None is left; why and for how long.
    pub fn take(&self, attempt: Attempt<'_>, now: Instant) -> Result<Try, Refusal> {
        let site = match attempt.place {
            Place::Console => Site::Console,
            Place::Platform { .. } => Site::Platform,
        };
        if let (true, Some(client)) = (attempt.is_known, attempt.client) {
            let bucket = Bucket::Known(site, attempt.person, client.name());
            return self.take_from(&[(UsedUp::Person, bucket, PERSON_AT_CLIENT)], Rank::FIRST, now);
        }
        let target = Target {
            site,
            person: attempt.person,
            is_like_mailed: attempt.is_like_mailed,
        };
        let spenders = spenders(target, attempt.client);
        let spent = self.spent(&spenders, now);
        let rank = Rank(spent.saturating_add(1));
        let mut shared: Vec<Wanted<'_>> = Vec::new();
        if let Place::Platform { key } = attempt.place {
            shared.push((UsedUp::Key, Bucket::Key(key), self.per_key()));
        }
        if spent >= TRIES_APART {
            shared.push((UsedUp::Everybody, Bucket::Overall(site), self.overall(site)));
        }
        let Some(client) = attempt.client else {
            shared.insert(0, (UsedUp::Person, Bucket::Unnamed(target), UNNAMED));
            return self.take_from(&shared, rank, now);
        };
        shared.splice(..0, spenders);
        let as_newcomer = self.take_from(&at_person(target, client, true, &shared), rank, now);
        let Err(refused) = as_newcomer else {
            return as_newcomer;
        };
        if refused.used_up != UsedUp::Person {
            return Err(refused);
        }
        let as_other = self.take_from(&at_person(target, client, false, &shared), rank, now);
        as_other.map_err(|other| if other.wait < refused.wait { other } else { refused })
    }

    /// Whether a candidate may be compared with mailed passwords beside all tries.
    pub fn allow_light_check(&self, key: Uuid, now: Instant) -> bool {
        self.buckets
            .take(&[(Bucket::LightChecks(key), LIGHT_CHECKS)], now)
            .is_ok()
    }

    /// Recent tries of the client, or without one at the person. Of several networks, the worst counts, each measured
    /// by what it may have.
    fn spent(&self, spenders: &[Wanted<'_>], now: Instant) -> u32 {
        let spent = spenders.iter().zip(0..).map(|((_, bucket, limit), wider)| {
            let missing = self.buckets.missing(bucket, *limit, now);
            missing.checked_shr(wider).unwrap_or_default()
        });
        spent.max().unwrap_or_default()
    }

    /// Gives a try back that was not spent on a wrong password.
    pub fn give_back(&self, spent: Try) {
        self.buckets.give_back(spent.taken);
    }

    fn take_from(&self, wanted: &[Wanted<'_>], rank: Rank, now: Instant) -> Result<Try, Refusal> {
        let buckets: Vec<(Bucket<'_>, Limit)> = wanted.iter().map(|(_, bucket, limit)| (*bucket, *limit)).collect();
        match self.buckets.take(&buckets, now) {
            Ok(taken) => Ok(Try { taken, rank }),
            Err((place, wait)) => Err(Refusal {
                used_up: wanted.get(place).map_or(UsedUp::Everybody, |(used_up, ..)| *used_up),
                wait,
            }),
        }
    }

    /// What one key may try: all that the threads can hash, for 10 s at once.
    fn per_key(&self) -> Limit {
        Limit {
            at_once: self.threads.saturating_mul(400),
            pause: HASH / self.threads,
        }
    }

    /// What the fourth and later tries of all unknown clients share: half of what the threads can
    /// hash, for 10 s at once.
    fn overall(&self, site: Site) -> Limit {
        let threads = match site {
            Site::Console => 1,
            Site::Platform => self.threads,
        };
        Limit {
            at_once: threads.saturating_mul(200),
            pause: HASH * 2 / threads,
        }
    }
}

/// Who tries: the client with the networks around it, or without one the person that is tried.
fn spenders<'a>(target: Target<'a>, client: Option<&'a Client>) -> Vec<Wanted<'a>> {
    let Some(client) = client else {
        return vec![(UsedUp::Person, Bucket::Unnamed(target), UNNAMED)];
    };
    let limit = match target.site {
        Site::Console => ADDRESS,
        Site::Platform => CLIENT,
    };
    let widening = client.names().zip([1, 2, 4]);
    widening
        .map(|(name, times)| {
            let limit = Limit {
                at_once: limit.at_once * times,
                pause: limit.pause / times,
            };
            (UsedUp::Client, Bucket::Client(target.site, name), limit)
        })
        .collect()
}

/// What a try of a client at a person takes from, beside what it shares with tries at others.
fn at_person<'a>(target: Target<'a>, client: &'a Client, is_newcomer: bool, shared: &[Wanted<'a>]) -> Vec<Wanted<'a>> {
    let mut wanted: Vec<Wanted<'a>> = client
        .names()
        .map(|name| (UsedUp::Person, Bucket::PersonAtClient(target, name), PERSON_AT_CLIENT))
        .collect();
    if is_newcomer {
        let own = client.names().map(|name| Bucket::Newcomer(target, name));
        wanted.extend(own.map(|bucket| (UsedUp::Person, bucket, NEWCOMER)));
        wanted.push((UsedUp::Person, Bucket::Newcomers(target), NEWCOMERS));
    } else {
        wanted.push((UsedUp::Person, Bucket::Others(target), OTHERS));
    }
    wanted.extend_from_slice(shared);
    wanted
}

#[cfg(test)]
mod tests;
