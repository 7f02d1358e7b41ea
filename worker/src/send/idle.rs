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

    /// The connection used last that is fit for a mail.
    pub(super) fn freshest(&self) -> Option<Connection> {
        loop {
            let parked = self.parked().pop()?;
            self.shown.dec();
            if self.is_stale(&parked) {
                tokio::spawn(parked.connection.quit());
            } else if parked.connection.is_reusable() {
                return Some(parked.connection);
            }
        }
    }

    /// Keeps a connection for the next mail, if it can carry one.
    pub(super) fn park(&self, connection: Connection) {
        if !connection.is_reusable() {
            return;
        }
        if self.is_closed.load(Ordering::Acquire) || connection.opened_at.elapsed() > self.age_limit {
            tokio::spawn(connection.quit());
            return;
        }
        self.shown.inc();
        self.parked().push(Parked {
            connection,
            since: Instant::now(),
        });
    }

    /// Whether one is here that is not known to be dead; those that are, are let go.
    pub(super) fn any_works(&self) -> bool {
        drop(self.take(|parked| !parked.connection.is_reusable()));
        !self.parked().is_empty()
    }

    /// Those past their time.
    pub(super) fn take_stale(&self) -> Vec<Connection> {
        self.take(|parked| self.is_stale(parked))
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
        parked.since.elapsed() > self.idle_limit || parked.connection.opened_at.elapsed() > self.age_limit
    }
}
