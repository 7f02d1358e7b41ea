//! Who may store at length now.
//!
//! Imports store one after the other, and batches of one kind are accepted one after the other; in
//! Postgres a lock sees to that, and whoever waits for it holds a connection. So few of them wait
//! there, and the others here, without one: else a handful of imports would hold every connection
//! of the process, and sign-ins and the dispatcher would go without.

use crate::concurrency_limit::{ConcurrencyLimit, Full, Slot};
use crate::disk_budget::{DiskBudget, UPLOADS_MOST_BYTES};
use crate::problem::Problem;
use axum::http::StatusCode;
use shared::system_email::SystemEmailKind;
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
use uuid::Uuid;

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

/// Files received at once. A slow upload occupies its slot for up to ten minutes, so there are more
/// slots than files of full size fit on the disk.
const UPLOADS: usize = 8;

/// Files received at once from one key or administrator.
const UPLOADS_PER_CALLER: usize = 3;

/// Large JSON bodies in memory at once, from reading to the answer. One takes up to 60 MiB: 16 MiB of
/// text, and as much again for each form in which 400,000 addresses are kept.
const LARGE_BODIES: usize = 2;

/// Large JSON bodies at once from one key.
const LARGE_BODIES_PER_CALLER: usize = 1;

/// Large forms of the console in memory at once, of up to 2 MiB each.
const LARGE_FORMS: usize = 4;

/// Large forms at once from one administrator.
const LARGE_FORMS_PER_CALLER: usize = 2;

/// How long a request waits for one of these slots: long enough for most to get one, short enough
/// that clients still listen to the answer.
const SLOT_WAIT: Duration = Duration::from_secs(5);

/// What a request that found no slot should wait before it is sent again, in seconds.
const SLOT_RETRY_AFTER: u32 = 15;

/// Room for those who store at length; the others wait here, in their order.
#[derive(Debug)]
pub struct Room {
    imports: Semaphore,
    checks: Semaphore,
    invites: Semaphore,
    password_resets: Semaphore,
    uploads: ConcurrencyLimit,
    large_bodies: ConcurrencyLimit,
    large_forms: ConcurrencyLimit,
    /// Disk for files that are received, until they are stored.
    pub disk: DiskBudget,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            imports: Semaphore::new(IMPORTS),
            checks: Semaphore::new(CHECKS),
            invites: Semaphore::new(INTAKES),
            password_resets: Semaphore::new(INTAKES),
            uploads: ConcurrencyLimit::new(UPLOADS, UPLOADS_PER_CALLER, SLOT_WAIT),
            large_bodies: ConcurrencyLimit::new(LARGE_BODIES, LARGE_BODIES_PER_CALLER, SLOT_WAIT),
            large_forms: ConcurrencyLimit::new(LARGE_FORMS, LARGE_FORMS_PER_CALLER, SLOT_WAIT),
            disk: DiskBudget::new(UPLOADS_MOST_BYTES),
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

    /// Waits until this caller may send a file. Nothing of it is read before.
    ///
    /// # Errors
    ///
    /// 429 `too_many_at_once` when the caller is sending as many as one may, 503 `busy` when all
    /// callers together are.
    pub async fn for_upload(&self, caller: Uuid) -> Result<Slot, Problem> {
        slot(&self.uploads, caller, "files").await
    }

    /// Waits until this caller may send a large JSON body. Nothing of it is read before.
    ///
    /// # Errors
    ///
    /// As [`Room::for_upload`].
    pub async fn for_large_body(&self, caller: Uuid) -> Result<Slot, Problem> {
        slot(&self.large_bodies, caller, "large requests").await
    }

    /// Waits until this administrator may send a large form. Nothing of it is read before.
    ///
    /// # Errors
    ///
    /// As [`Room::for_upload`].
    pub async fn for_large_form(&self, administrator: Uuid) -> Result<Slot, Problem> {
        slot(&self.large_forms, administrator, "large forms").await
    }
}

async fn slot(limit: &ConcurrencyLimit, caller: Uuid, what: &str) -> Result<Slot, Problem> {
    limit.enter(caller).await.map_err(|full| no_slot(full, what))
}

fn no_slot(full: Full, what: &str) -> Problem {
    let (status, code, detail) = match full {
        Full::Caller => (
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_at_once",
            format!(
                "You are sending several {what} already. Nothing of this one was read; send it again when one of them is done."
            ),
        ),
        Full::Overall => (
            StatusCode::SERVICE_UNAVAILABLE,
            "busy",
            format!("Others are sending {what} now. Nothing of this one was read; send it again in a moment."),
        ),
    };
    Problem {
        retry_after: Some(SLOT_RETRY_AFTER),
        ..Problem::new(status, code, detail)
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

    #[tokio::test(start_paused = true)]
    async fn one_caller_sends_few_files_at_once_and_all_together_a_few_more() {
        let room = Room::default();
        let mut slots = Vec::new();
        for caller in 0..UPLOADS {
            let caller = Uuid::from_u128((caller / UPLOADS_PER_CALLER) as u128);
            slots.push(room.for_upload(caller).await.unwrap());
        }

        let own = room.for_upload(Uuid::from_u128(0)).await.unwrap_err();
        let others = room.for_upload(Uuid::from_u128(99)).await.unwrap_err();

        assert_eq!((own.status, own.kind.as_str()), (429, "/problems/too_many_at_once"));
        assert_eq!((others.status, others.kind.as_str()), (503, "/problems/busy"));
        assert!(own.retry_after.is_some() && others.retry_after.is_some());
        drop(slots.pop());
        assert!(room.for_upload(Uuid::from_u128(99)).await.is_ok());
        assert!(room.for_large_body(Uuid::from_u128(0)).await.is_ok());
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
