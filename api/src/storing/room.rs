//! Who may store at length now.
//!
//! Imports store one after the other, and batches of one kind are accepted one after the other; in
//! Postgres a lock sees to that, and whoever waits for it holds a connection. So few of them wait
//! there, and the others here, without one: else a handful of imports would hold every connection
//! of the process, and sign-ins and the dispatcher would go without.

use crate::problem::Problem;
use shared::system_email::SystemEmailKind;
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};

/// An import stores from its first row to its commit, so a second could only wait.
const IMPORTS: usize = 1;

/// A check has everybody of its file in memory.
const CHECKS: usize = 1;

/// One batch is written while the next asks for its key and for the lock.
const INTAKES: usize = 2;

/// A million rows take a minute or two. Waiting longer than a few imports is no use to a caller
/// whose connection may not last.
const IMPORTS_WAIT: Duration = Duration::from_mins(5);

/// Well within the minute that a request may take, so that the answer says what to do.
const INTAKES_WAIT: Duration = Duration::from_secs(40);

/// Room for those who store at length; the others wait here, in their order.
#[derive(Debug)]
pub struct Room {
    imports: Semaphore,
    checks: Semaphore,
    invites: Semaphore,
    password_resets: Semaphore,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            imports: Semaphore::new(IMPORTS),
            checks: Semaphore::new(CHECKS),
            invites: Semaphore::new(INTAKES),
            password_resets: Semaphore::new(INTAKES),
        }
    }
}

impl Room {
    /// Waits until an import may begin to store.
    ///
    /// # Errors
    ///
    /// 503 `busy`; nothing was stored.
    pub async fn for_import(&self) -> Result<SemaphorePermit<'_>, Problem> {
        within(IMPORTS_WAIT, &self.imports)
            .await
            .ok_or_else(|| busy("Other files are being imported", 60))
    }

    /// Waits until a file may be checked.
    ///
    /// # Errors
    ///
    /// As [`Room::for_import`].
    pub async fn for_check(&self) -> Result<SemaphorePermit<'_>, Problem> {
        within(IMPORTS_WAIT, &self.checks)
            .await
            .ok_or_else(|| busy("Other files are being checked", 60))
    }

    /// Waits until a batch of this kind may be written.
    ///
    /// # Errors
    ///
    /// As [`Room::for_import`].
    pub async fn for_batch(&self, kind: SystemEmailKind) -> Result<SemaphorePermit<'_>, Problem> {
        let places = match kind {
            SystemEmailKind::Invite => &self.invites,
            SystemEmailKind::PasswordReset => &self.password_resets,
        };
        within(INTAKES_WAIT, places)
            .await
            .ok_or_else(|| busy("Other batches are being accepted", 10))
    }
}

async fn within(patience: Duration, places: &Semaphore) -> Option<SemaphorePermit<'_>> {
    tokio::time::timeout(patience, places.acquire()).await.ok()?.ok()
}

fn busy(why: &str, retry_after: u32) -> Problem {
    let detail = format!("{why}, and this one has waited long enough. Nothing of it was stored; ask again in a while.");
    Problem::unavailable("busy", detail, retry_after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_finds_no_room_waits_and_is_told_to_come_back() {
        let places = Semaphore::new(1);
        let one = within(Duration::from_millis(20), &places).await;

        assert!(one.is_some());
        assert!(within(Duration::from_millis(20), &places).await.is_none());
        drop(one);
        assert!(within(Duration::from_millis(20), &places).await.is_some());
        let problem = busy("Other files are being imported", 60);
        assert_eq!((problem.status, problem.retry_after), (503, Some(60)));
    }

    #[tokio::test]
    async fn kinds_do_not_wait_for_each_other() {
        let room = Room::default();
        let invites = [(); INTAKES].map(|()| room.invites.try_acquire().unwrap());

        assert!(room.invites.try_acquire().is_err());
        assert!(room.for_batch(SystemEmailKind::PasswordReset).await.is_ok());
        assert!(room.for_import().await.is_ok());
        drop(invites);
        assert!(room.for_batch(SystemEmailKind::Invite).await.is_ok());
    }
}
