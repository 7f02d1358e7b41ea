//! Detects that `DATABASE_URL` leads to another server than before, and keeps the previous one out of the pool.
//!
//! After a failover the address leads to the new primary, but open connections stay with the old server for as long as
//! it runs. It may be read-only by then, silent, or waiting for a standby that it no longer has. If it was not fenced,
//! it even accepts writes, which no process will ever read. So every new connection reports its server's timeline,
//! which a promotion increments: once a newer one is found, connections to older servers are closed, their statements
//! end, and no new ones are opened.

use super::server_name::server_of;
use super::{PATIENCE, StoreError};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Connection as _, Row as _};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tracing::warn;

/// How often to check where the address leads, with a connection of its own: those of the pool stay where they are.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// A connection counts as opened only some time after its server was checked, so one that was checked just before a
/// move may look newer than it. Those are closed as well, at the cost of opening some new ones twice.
const MOVE_MARGIN: Duration = Duration::from_millis(100);

/// How often to log that a server cannot be used.
const WARN_INTERVAL: Duration = Duration::from_secs(30);

/// A standby has no timeline of its own.
const ASK: &str = "select system_identifier,
        case when not pg_is_in_recovery()
             then ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::integer
        end
 from pg_control_system()";

/// Notified when an address leads to another server. Statements in progress then wait for the previous one. One for
/// all addresses, because a process uses one database.
static MOVED: Notify = Notify::const_new();

/// When [`MOVED`] was last notified.
static LAST_MOVE: Mutex<Option<Instant>> = Mutex::new(None);

/// Resolves once the address leads to another server, to end a statement in progress.
pub(super) fn next_move() -> Notified<'static> {
    MOVED.notified()
}

/// Whether the address has come to lead to another server since then.
pub(super) fn has_moved_since(then: Instant) -> bool {
    let last = LAST_MOVE.lock().unwrap_or_else(PoisonError::into_inner);
    last.is_some_and(|last| last >= then)
}

fn announce_move() {
    *LAST_MOVE.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    MOVED.notify_waiters();
}

/// The error of a statement that a move has ended. Its outcome is unknown.
pub(super) fn moved() -> StoreError {
    StoreError::Unavailable(sqlx::Error::Io(io::Error::new(
        io::ErrorKind::ConnectionAborted,
        "the address of Postgres leads to another server now",
    )))
}

/// A server's place in the history of its data.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct History {
    /// Identifies the cluster of servers that replicate from each other.
    cluster: i64,
    timeline: i32,
}

impl History {
    /// Of the server of a connection; `None` for a standby, or if the role may not ask.
    async fn of(connection: &mut PgConnection) -> sqlx::Result<Option<Self>> {
        // Without a prepared statement, which some poolers cannot forward.
        let row = match sqlx::raw_sql(ASK).fetch_one(connection).await {
            Ok(row) => row,
            Err(sqlx::Error::Database(answer)) if answer.code().is_some_and(|code| is_denied(&code)) => {
                return Ok(None);
            }
            Err(fault) => return Err(fault),
        };
        let cluster: i64 = row.try_get(0)?;
        let timeline: Option<i32> = row.try_get(1)?;
        Ok(timeline.map(|timeline| Self { cluster, timeline }))
    }
}

/// Whether an error code (appendix A of the manual) means that the server hides its history from this role, or from
/// all: insufficient privilege, undefined function, feature not supported, object not in prerequisite state.
fn is_denied(code: &str) -> bool {
    matches!(code, "42501" | "42883" | "0A000" | "55000")
}

/// What is known about the servers at an address, shared by all pools of the process.
#[derive(Clone)]
pub(super) struct Primary {
    server: Arc<str>,
    seen: Arc<Mutex<Seen>>,
}

/// What is known about an address while a pool has it.
type KnownAddress = (Arc<str>, Weak<Mutex<Seen>>);

/// The addresses of open pools.
static ADDRESSES: Mutex<Vec<KnownAddress>> = Mutex::new(Vec::new());

#[derive(Default)]
struct Seen {
    /// Connections opened before this time lead to a server that cannot be used.
    outdated_at: Option<Instant>,
    newest: Option<History>,
    warned_at: Option<Instant>,
}

impl Seen {
    /// Whether to log, at most once per [`WARN_INTERVAL`].
    fn is_to_be_logged(&mut self) -> bool {
        let now = Instant::now();
        let is_due = self.warned_at.is_none_or(|at| now.duration_since(at) > WARN_INTERVAL);
        if is_due {
            self.warned_at = Some(now);
        }
        is_due
    }
}

impl Primary {
    /// At the address of a pool. Checks where it leads for as long as a pool with this address exists.
    pub(super) fn at(options: &PgConnectOptions) -> Self {
        let (primary, is_first) = Self::of(server_of(options).into());
        if is_first && let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let seen = Arc::downgrade(&primary.seen);
            runtime.spawn(keep_checking(Arc::clone(&primary.server), seen, options.clone()));
        }
        primary
    }

    /// What is known about the address of these options.
    pub(super) fn known_at(options: &PgConnectOptions) -> Self {
        Self::of(server_of(options).into()).0
    }

    /// What is known about this address, and whether it is the first to ask.
    fn of(server: Arc<str>) -> (Self, bool) {
        let mut addresses = ADDRESSES.lock().unwrap_or_else(PoisonError::into_inner);
        addresses.retain(|(_, seen)| seen.strong_count() > 0);
        let known = addresses.iter().find(|(address, _)| *address == server);
        if let Some(seen) = known.and_then(|(_, seen)| seen.upgrade()) {
            return (Self { server, seen }, false);
        }
        let seen = Arc::default();
        addresses.push((Arc::clone(&server), Arc::downgrade(&seen)));
        (Self { server, seen }, true)
    }

    /// Records that a server is read-only. Connections opened before may lead to it.
    pub(super) fn mark_read_only(&self) {
        let mut seen = self.seen();
        seen.outdated_at = Some(Instant::now());
        if seen.is_to_be_logged() {
            warn!(
                server = &*self.server,
                "Postgres (DATABASE_URL) accepts no writes there; opening a new connection for every statement \
                 until a server does"
            );
        }
    }

    /// Whether a connection of this age may lead to a server that cannot be used.
    pub(super) fn is_outdated(&self, age: Duration) -> bool {
        let outdated_at = self.seen().outdated_at;
        let opened = Instant::now().checked_sub(age);
        outdated_at.is_some_and(|at| opened.is_none_or(|opened| opened <= at))
    }

    /// Compares the server of a new connection with those found before.
    ///
    /// # Errors
    ///
    /// The server is an old primary, or the connection broke.
    pub(super) async fn check(&self, connection: &mut PgConnection) -> sqlx::Result<()> {
        let Some(found) = History::of(connection).await? else {
            return Ok(());
        };
        if self.compare(found)? {
            // Lets the task that opened this connection end its statement before sending it, not after.
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// Returns whether the address leads to another server than before.
    fn compare(&self, found: History) -> sqlx::Result<bool> {
        let mut seen = self.seen();
        match seen.newest {
            Some(newest) if newest == found => Ok(false),
            Some(newest) if newest.cluster == found.cluster && newest.timeline > found.timeline => {
                if seen.is_to_be_logged() {
                    warn!(
                        server = &*self.server,
                        timeline = found.timeline,
                        newer = newest.timeline,
                        "Postgres (DATABASE_URL) is an old primary there: another server was promoted and was reached \
                         at this address before. Nothing is written to it; fence it, or restart this process if it was \
                         restored on purpose: see deploy/runbooks/failover.md"
                    );
                }
                Err(sqlx::Error::Io(io::Error::other(
                    "Postgres is an old primary there: another server was promoted",
                )))
            }
            Some(newest) => {
                seen.newest = Some(found);
                seen.outdated_at = Some(Instant::now() + MOVE_MARGIN);
                announce_move();
                warn!(
                    server = &*self.server,
                    timeline = found.timeline,
                    before = newest.timeline,
                    "Postgres (DATABASE_URL) was promoted or replaced; closing the connections to the previous server"
                );
                Ok(true)
            }
            None => {
                seen.newest = Some(found);
                Ok(false)
            }
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Checks where an address leads until its last pool is dropped.
async fn keep_checking(server: Arc<str>, seen: Weak<Mutex<Seen>>, options: PgConnectOptions) {
    loop {
        tokio::time::sleep(CHECK_INTERVAL).await;
        let Some(seen) = seen.upgrade() else { return };
        let server = Arc::clone(&server);
        let primary = Primary { server, seen };
        let looking = async {
            let mut connection = options.connect().await?;
            primary.check(&mut connection).await?;
            connection.close().await
        };
        // If Postgres does not answer, the statements that need it report that.
        let _ = tokio::time::timeout(PATIENCE, looking).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// At an address of its own.
    fn primary() -> Primary {
        let address = std::thread::current().name().unwrap_or_default().to_owned();
        Primary::of(address.into()).0
    }

    const fn on_timeline(timeline: i32) -> History {
        History { cluster: 7, timeline }
    }

    /// The age of a connection that was open before anything was found.
    const BEFORE: Duration = Duration::from_hours(1);

    #[test]
    fn only_connections_from_before_the_discovery_are_closed() {
        let primary = primary();
        assert!(!primary.is_outdated(BEFORE));

        primary.mark_read_only();

        assert!(primary.is_outdated(BEFORE));
        std::thread::sleep(Duration::from_millis(2));
        assert!(!primary.is_outdated(Duration::ZERO));
    }

    #[test]
    fn a_promotion_outdates_older_connections_and_the_old_primary_is_refused() {
        let primary = primary();
        primary.compare(on_timeline(1)).unwrap();
        primary.compare(on_timeline(1)).unwrap();
        assert!(!primary.is_outdated(BEFORE));

        primary.compare(on_timeline(2)).unwrap();

        assert!(primary.is_outdated(BEFORE));
        primary.compare(on_timeline(1)).unwrap_err();
        primary.compare(on_timeline(2)).unwrap();
    }

    #[test]
    fn pools_with_one_address_learn_from_each_other() {
        let (one, is_first) = Primary::of("shared.example:5432".into());
        let (other, is_second) = Primary::of("shared.example:5432".into());
        assert!(is_first && !is_second);
        one.compare(on_timeline(1)).unwrap();

        other.compare(on_timeline(2)).unwrap();

        assert!(one.is_outdated(BEFORE));
        drop((one, other));
        assert!(Primary::of("shared.example:5432".into()).1, "a later pool starts anew");
    }

    #[test]
    fn another_cluster_replaces_the_previous_one_whatever_its_timeline() {
        let primary = primary();
        primary.compare(on_timeline(3)).unwrap();
        let restored = History {
            cluster: 8,
            timeline: 1,
        };

        primary.compare(restored).unwrap();

        assert!(primary.is_outdated(BEFORE));
    }

    #[tokio::test]
    async fn statements_in_progress_end_when_the_address_leads_elsewhere() {
        let primary = primary();
        primary.compare(on_timeline(1)).unwrap();
        let mut waiting = std::pin::pin!(next_move());
        waiting.as_mut().enable();
        let began = Instant::now();

        primary.compare(on_timeline(2)).unwrap();

        waiting.await;
        assert!(has_moved_since(began));
        assert!(moved().is_transient());
    }

    #[test]
    fn only_a_refusal_to_tell_the_history_admits_a_server_unchecked() {
        assert!(is_denied("42501"));
        for passing in ["57014", "58030", "XX000", "57P03"] {
            assert!(!is_denied(passing), "{passing}");
        }
    }
}
