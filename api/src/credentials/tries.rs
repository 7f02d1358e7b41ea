//! How often passwords may be tried for one address.
//!
//! Ten tries at once, then one every ten seconds: a person who mistypes notices nothing, and a
//! year of guessing is three million guesses. A try is taken before anything is hashed, so that
//! guessing costs us nothing either, and a right password gives its try back. Nobody is locked out:
//! while somebody guesses at an address its owner has to take turns with them, and ten seconds
//! after they stop, the owner's next try counts.
//!
//! Whether anybody has the address plays no part, so the refusal tells nothing about it. Addresses
//! are kept as hashes under a key of this process, which nobody outside can aim at.
//!
//! Each process counts for itself and forgets when it stops: with several API replicas, an address
//! has that many times the tries. Clients are for the platform to throttle, which can tell them
//! apart; what is here holds when it does not.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Tries that may come at once.
const AT_ONCE: u32 = 10;

/// After these, one more try each.
const PAUSE: Duration = Duration::from_secs(10);

/// Addresses remembered. Each stays for 100 s at most and was hashed for, so a process would need
/// a thousand passwords checked each second to come here; then the calmest is forgotten.
const ADDRESSES_MOST: usize = 100_000;

/// The tries taken for each address.
#[derive(Debug, Default)]
pub struct Tries {
    state: RandomState,
    /// By address, when all its tries are there again.
    restored_at: Mutex<HashMap<u64, Instant>>,
}

/// A try that was taken.
#[must_use]
#[derive(Debug)]
pub struct Try(u64);

impl Tries {
    /// Takes a try for an address.
    ///
    /// # Errors
    ///
    /// None is left; how long until one is.
    pub fn take(&self, address: &str, now: Instant) -> Result<Try, Duration> {
        let address = self.state.hash_one(address);
        let mut restored_at = self.restored_at.lock().unwrap_or_else(PoisonError::into_inner);
        let restored = restored_at.get(&address).map_or(now, |at| (*at).max(now));
        let after = restored + PAUSE;
        let missing = after.duration_since(now).saturating_sub(PAUSE * AT_ONCE);
        if missing > Duration::ZERO {
            return Err(missing);
        }
        if restored_at.len() >= ADDRESSES_MOST && !restored_at.contains_key(&address) {
            make_room(&mut restored_at, now);
        }
        restored_at.insert(address, after);
        Ok(Try(address))
    }

    /// Gives a try back that was spent on no wrong password.
    #[expect(clippy::needless_pass_by_value, reason = "a try comes back once")]
    pub fn give_back(&self, spent: Try) {
        let mut restored_at = self.restored_at.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = restored_at.get_mut(&spent.0) {
            *at = at.checked_sub(PAUSE).unwrap_or(*at);
        }
    }
}

/// Forgets those who have all their tries again, or else the one who will first.
fn make_room(restored_at: &mut HashMap<u64, Instant>, now: Instant) {
    restored_at.retain(|_, at| *at > now);
    if restored_at.len() < ADDRESSES_MOST {
        return;
    }
    let calmest = restored_at
        .iter()
        .min_by_key(|(_, at)| **at)
        .map(|(address, _)| *address);
    if let Some(address) = calmest {
        restored_at.remove(&address);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(tries: &Tries, address: &str, now: Instant) -> usize {
        (0..100).take_while(|_| tries.take(address, now).is_ok()).count()
    }

    #[test]
    fn ten_tries_at_once_and_then_one_every_ten_seconds() {
        let (tries, start) = (Tries::default(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);

        assert_eq!(taken(&tries, "ada@example.org", start), 10);
        assert_eq!(taken(&tries, "bob@example.org", start), 10);

        let wait = tries.take("ada@example.org", after(4)).unwrap_err();
        assert_eq!(wait, Duration::from_secs(6));
        assert_eq!(taken(&tries, "ada@example.org", after(10)), 1);
        assert_eq!(taken(&tries, "ada@example.org", after(19)), 0);
        assert_eq!(taken(&tries, "ada@example.org", after(45)), 3);
        assert_eq!(taken(&tries, "ada@example.org", after(500)), 10);
    }

    #[test]
    fn a_right_password_costs_no_try() {
        let (tries, now) = (Tries::default(), Instant::now());

        for _ in 0..1_000 {
            let spent = tries.take("ada@example.org", now).unwrap();
            tries.give_back(spent);
        }

        assert_eq!(taken(&tries, "ada@example.org", now), 10);
    }

    #[test]
    fn who_is_refused_waits_no_longer_for_asking_again() {
        let (tries, now) = (Tries::default(), Instant::now());
        assert_eq!(taken(&tries, "ada@example.org", now), 10);

        for _ in 0..1_000 {
            assert_eq!(tries.take("ada@example.org", now).unwrap_err(), PAUSE);
        }
    }

    #[test]
    fn memory_has_a_bound_and_the_calmest_is_forgotten() {
        let (tries, now) = (Tries::default(), Instant::now());
        assert_eq!(taken(&tries, "guessed at", now), 10);

        for n in 0..ADDRESSES_MOST + 10 {
            assert!(tries.take(&n.to_string(), now).is_ok());
        }

        assert_eq!(tries.restored_at.lock().unwrap().len(), ADDRESSES_MOST);
        assert_eq!(taken(&tries, "guessed at", now), 0);
        assert!(tries.take("later", now + Duration::from_mins(1)).is_ok());
        assert_eq!(tries.restored_at.lock().unwrap().len(), 2);
    }
}
