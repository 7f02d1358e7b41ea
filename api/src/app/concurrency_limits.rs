//! Limits concurrent imports, batches and uploads.
//!
//! Imports are stored one at a time, and batches of one kind are accepted one at a time. A lock in Postgres ensures
//! that, and a task that waits for the lock holds a connection. So only a few tasks wait there and the others here,
//! without a connection. Otherwise a few imports would use all connections of the process, and sign-ins and the
//! dispatcher would get none.

use crate::app::concurrency_limit::{ConcurrencyLimit, ReachedLimit, Slot};
use crate::app::disk_budget::{DiskBudget, UPLOADS_MOST_BYTES};
use crate::app::problem::{Problem, ProblemKind};
use shared::system_email::SystemEmailKind;
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
use uuid::Uuid;

/// Concurrent imports. An import holds the lock from its first row to its commit, so a second one could only wait.
const IMPORTS: usize = 1;

/// Concurrent checks. A check has all users of its file in memory.
const CHECKS: usize = 1;

/// Concurrent batches of a kind: one is written while the next looks up its key and waits for the lock.
const INTAKES: usize = 2;

/// How long an import waits. A million rows take a minute or two, and a caller's connection may not last longer than a
/// few imports.
const IMPORTS_WAIT: Duration = Duration::from_mins(5);

/// How long a batch waits: well below the time limit of a request, so that the response can explain what to do.
const INTAKES_WAIT: Duration = Duration::from_secs(40);

/// Concurrent uploads. A slow upload occupies its slot for up to ten minutes, so there are more slots than files of
/// maximum size fit on the disk.
const UPLOADS: usize = 8;

/// Concurrent uploads per key or administrator.
const UPLOADS_PER_CALLER: usize = 3;

/// Concurrent large JSON bodies, from reading to the response. One takes up to 60 MiB: 16 MiB of text, and about as
/// much for each form in which 400,000 addresses are kept.
const LARGE_BODIES: usize = 2;

/// Concurrent large JSON bodies per key.
const LARGE_BODIES_PER_CALLER: usize = 1;

/// Concurrent large forms of the console, of up to 2 MiB each.
const LARGE_FORMS: usize = 4;

/// Concurrent large forms per administrator.
const LARGE_FORMS_PER_CALLER: usize = 2;

/// How long a request waits for one of these slots: long enough that most get one, short enough that clients still wait
/// for the response.
const SLOT_WAIT: Duration = Duration::from_secs(5);

/// Seconds after which a client should retry a request that got no slot.
const SLOT_RETRY_AFTER: u32 = 15;

/// The limits. Waiting tasks are served in order.
#[derive(Debug)]
pub struct ConcurrencyLimits {
    imports: Semaphore,
    checks: Semaphore,
    invites: Semaphore,
    password_resets: Semaphore,
    uploads: ConcurrencyLimit,
    large_bodies: ConcurrencyLimit,
    large_forms: ConcurrencyLimit,
    /// Disk space for uploaded files until they are stored.
    pub disk: DiskBudget,
}

impl Default for ConcurrencyLimits {
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

impl ConcurrencyLimits {
    /// Waits until an import may be stored.
    ///
    /// # Errors
    ///
    /// `busy` if that took too long; nothing was stored.
    pub async fn for_import(&self) -> Result<SemaphorePermit<'_>, Problem> {
        within(IMPORTS_WAIT, &self.imports)
            .await
            .ok_or_else(|| busy("Other files are being imported", 60))
    }

    /// Waits until a file may be checked.
    ///
    /// # Errors
    ///
    /// As [`ConcurrencyLimits::for_import`].
    pub async fn for_check(&self) -> Result<SemaphorePermit<'_>, Problem> {
        within(IMPORTS_WAIT, &self.checks)
            .await
            .ok_or_else(|| busy("Other files are being checked", 60))
    }

    /// Waits until a batch of this kind may be written.
    ///
    /// # Errors
    ///
    /// As [`ConcurrencyLimits::for_import`].
    pub async fn for_batch(&self, kind: SystemEmailKind) -> Result<SemaphorePermit<'_>, Problem> {
        let places = match kind {
            SystemEmailKind::Invite => &self.invites,
            SystemEmailKind::PasswordReset => &self.password_resets,
        };
        within(INTAKES_WAIT, places)
            .await
            .ok_or_else(|| busy("Other batches are being accepted", 10))
    }

    /// Waits until this caller may upload a file, before any of it is read.
    ///
    /// # Errors
    ///
    /// `too_many_at_once` at the limit per caller, `busy` at the limit for all callers together.
    pub async fn for_upload(&self, caller: Uuid) -> Result<Slot, Problem> {
        slot(&self.uploads, caller, "files").await
    }

    /// Waits until this caller may send a large JSON body, before any of it is read.
    ///
    /// # Errors
    ///
    /// As [`ConcurrencyLimits::for_upload`].
    pub async fn for_large_body(&self, caller: Uuid) -> Result<Slot, Problem> {
        slot(&self.large_bodies, caller, "large requests").await
    }

    /// Waits until this administrator may send a large form, before any of it is read.
    ///
    /// # Errors
    ///
    /// As [`ConcurrencyLimits::for_upload`].
    pub async fn for_large_form(&self, administrator: Uuid) -> Result<Slot, Problem> {
        slot(&self.large_forms, administrator, "large forms").await
    }
}

async fn slot(limit: &ConcurrencyLimit, caller: Uuid, what: &str) -> Result<Slot, Problem> {
    limit.enter(caller).await.map_err(|full| no_slot(full, what))
}

fn no_slot(full: ReachedLimit, what: &str) -> Problem {
    let (kind, code, detail) = match full {
        ReachedLimit::Caller => (
            ProblemKind::LimitReached,
            "too_many_at_once",
            format!(
                "You are already sending several {what}. This one was not read; send it again when one of them is finished."
            ),
        ),
        ReachedLimit::Overall => (
            ProblemKind::Unavailable,
            "busy",
            format!("Other callers are sending {what} now. This one was not read; send it again in a moment."),
        ),
    };
    Problem {
        retry_after: Some(SLOT_RETRY_AFTER),
        ..Problem::new(kind, code, detail)
    }
}

async fn within(patience: Duration, places: &Semaphore) -> Option<SemaphorePermit<'_>> {
    tokio::time::timeout(patience, places.acquire()).await.ok()?.ok()
}

fn busy(why: &str, retry_after: u32) -> Problem {
    let detail = format!("{why}, and this one waited too long. Nothing was stored; try again later.");
    Problem::unavailable("busy", detail, retry_after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_caller_without_a_slot_waits_and_then_gets_retry_after() {
        let places = Semaphore::new(1);
        let one = within(Duration::from_millis(20), &places).await;

        assert!(one.is_some());
        assert!(within(Duration::from_millis(20), &places).await.is_none());
        drop(one);
        assert!(within(Duration::from_millis(20), &places).await.is_some());
        let problem = busy("Other files are being imported", 60);
        assert_eq!(
            (problem.kind, problem.retry_after),
            (ProblemKind::Unavailable, Some(60))
        );
    }

    #[tokio::test(start_paused = true)]
    async fn concurrent_uploads_are_limited_per_caller_and_overall() {
        let limits = ConcurrencyLimits::default();
        let mut slots = Vec::new();
        for caller in 0..UPLOADS {
            let caller = Uuid::from_u128((caller / UPLOADS_PER_CALLER) as u128);
            slots.push(limits.for_upload(caller).await.unwrap());
        }

        let own = limits.for_upload(Uuid::from_u128(0)).await.unwrap_err();
        let others = limits.for_upload(Uuid::from_u128(99)).await.unwrap_err();

        assert_eq!(
            (own.kind, own.code.as_str()),
            (ProblemKind::LimitReached, "too_many_at_once")
        );
        assert_eq!((others.kind, others.code.as_str()), (ProblemKind::Unavailable, "busy"));
        assert!(own.retry_after.is_some() && others.retry_after.is_some());
        drop(slots.pop());
        assert!(limits.for_upload(Uuid::from_u128(99)).await.is_ok());
        assert!(limits.for_large_body(Uuid::from_u128(0)).await.is_ok());
    }

    #[tokio::test]
    async fn kinds_do_not_wait_for_each_other() {
        let limits = ConcurrencyLimits::default();
        let invites = [(); INTAKES].map(|()| limits.invites.try_acquire().unwrap());

        assert!(limits.invites.try_acquire().is_err());
        assert!(limits.for_batch(SystemEmailKind::PasswordReset).await.is_ok());
        assert!(limits.for_import().await.is_ok());
        drop(invites);
        assert!(limits.for_batch(SystemEmailKind::Invite).await.is_ok());
    }
}
