//! Connections between two mails.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use prometheus::IntGauge;

use super::connection::Connection;

/// The idle connections; the one used last is at the end and goes first.
pub(super) struct IdleConnections {
    parked: Mutex<Vec<Parked>>,
    idle_limit: Duration,
    age_limit: Duration,
    is_closed: AtomicBool,
    shown: IntGauge,
}

struct Parked {
    connection: Connection,
    since: Instant,
}

impl IdleConnections {
    pub(super) fn new(idle_limit: Duration, age_limit: Duration, shown: IntGauge) -> Self {
        Self {
            parked: Mutex::new(Vec::new()),
            idle_limit,
            age_limit,
            is_closed: AtomicBool::new(false),
            shown,
        }
    }

    fn parked(&self) -> MutexGuard<'_, Vec<Parked>> {
        self.parked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection used last that is not known to be dead, and whether it may carry a mail. One
    /// that may not is past its time and is owed a goodbye.
    pub(super) fn freshest(&self) -> Option<(Connection, bool)> {
        loop {
            let parked = self.parked().pop()?;
            self.shown.dec();
            if parked.connection.is_reusable() {
                let is_fit = !self.is_stale(&parked);
                return Some((parked.connection, is_fit));
            }
        }
    }

    /// Keeps a connection for the next mail, if it can carry one. Gives it back, for a goodbye, when
    /// nothing is kept any more.
    pub(super) fn park(&self, connection: Connection) -> Option<Connection> {
        if !connection.is_reusable() {
            return None;
        }
        if self.is_closed.load(Ordering::Acquire) {
            return Some(connection);
        }
        self.shown.inc();
        self.parked().push(Parked {
            connection,
            since: Instant::now(),
        });
        None
    }

    /// Whether one is here that is not known to be dead; those that are, are let go.
    pub(super) fn any_works(&self) -> bool {
        drop(self.take(|parked| !parked.connection.is_reusable()));
        !self.parked().is_empty()
    }

    /// One that is past its time.
    pub(super) fn stale_one(&self) -> Option<Connection> {
        let mut all = self.parked();
        let place = all.iter().position(|parked| self.is_stale(parked))?;
        self.shown.dec();
        Some(all.remove(place).connection)
    }

    /// All of them.
    pub(super) fn take_all(&self) -> Vec<Connection> {
        self.take(|_| true)
    }

    /// From now on nothing is kept.
    pub(super) fn close(&self) -> Vec<Connection> {
        self.is_closed.store(true, Ordering::Release);
        self.take_all()
    }

    fn take(&self, condition: impl Fn(&Parked) -> bool) -> Vec<Connection> {
        let taken: Vec<_> = self.parked().extract_if(.., |parked| condition(parked)).collect();
        self.shown.sub(i64::try_from(taken.len()).unwrap_or(i64::MAX));
        taken.into_iter().map(|parked| parked.connection).collect()
    }

    fn is_stale(&self, parked: &Parked) -> bool {
        let Parked { connection, since } = parked;
        since.elapsed() > self.idle_limit
            || connection.opened_at.elapsed() > lifetime(self.age_limit, connection.number)
    }
}

/// How long the connection with this number may live: between two thirds of the limit and all of it.
/// Those opened together thus do not end together. Multiples of the golden ratio, modulo one, lie
/// evenly spread however many there are.
fn lifetime(limit: Duration, number: u64) -> Duration {
    let spread = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    let spread = f64::from(u32::try_from(spread).unwrap_or(u32::MAX)) / f64::from(u32::MAX);
    limit.mul_f64(1.0 - spread / 3.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_opened_together_do_not_end_together() {
        let limit = Duration::from_mins(5);
        for first in [0, 7, 1000] {
            let mut ends: Vec<_> = (first..first + 20).map(|number| lifetime(limit, number)).collect();
            ends.sort();
            assert!(ends[0] >= limit * 2 / 3 && ends[19] <= limit, "{ends:?}");
            let apart = |pair: &[Duration]| pair[1].saturating_sub(pair[0]);
            let closest = ends.windows(2).map(apart).min().unwrap();
            assert!(closest >= Duration::from_millis(1500), "{closest:?} in {ends:?}");
        }
    }
}
