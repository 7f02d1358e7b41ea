//! Limits the disk space of uploads, in total and per caller.
//!
//! Every upload reserves space before it writes, so uploads never fill the volume they are kept on (`/tmp`).

use crate::app::problem::{Problem, ProblemKind};
use crate::app::shares::Shares;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

/// Disk space for all uploads of a process: four of the largest.
///
/// Checking and storing a file uploaded in the console each need one more file of up to 64 MiB on the same volume, so
/// it needs 384 MiB. The volumes in `deploy/` are larger.
pub const UPLOADS_MOST_BYTES: usize = 256 * 1024 * 1024;

/// Space is reserved in blocks of this size.
const BLOCK_BYTES: usize = 64 * 1024;

/// The disk space left for uploads.
#[derive(Debug)]
pub struct DiskBudget {
    overall: Arc<Semaphore>,
    callers: Shares<Uuid>,
}

/// The space reserved by one upload. Dropping it releases the space.
#[derive(Debug)]
pub struct Reservation {
    own: Arc<Semaphore>,
    overall: Arc<Semaphore>,
    /// Permits of the caller's share and of the whole budget.
    blocks: Vec<(OwnedSemaphorePermit, OwnedSemaphorePermit)>,
}

impl DiskBudget {
    /// A budget of this many bytes, of which one caller may take half. Files waiting to be stored keep their
    /// reservations, and those of one caller must not block the uploads of others.
    pub fn new(bytes: usize) -> Self {
        let blocks = bytes / BLOCK_BYTES;
        Self {
            overall: Arc::new(Semaphore::new(blocks)),
            callers: Shares::new(blocks / 2),
        }
    }

    /// An empty reservation for a new upload of this caller.
    pub fn reservation(&self, caller: Uuid) -> Reservation {
        Reservation {
            own: self.callers.of(caller),
            overall: Arc::clone(&self.overall),
            blocks: Vec::new(),
        }
    }
}

impl Reservation {
    /// Reserves space until the upload may have `bytes` on disk.
    ///
    /// # Errors
    ///
    /// `too_many_at_once` if the caller's uploads have reserved half of the budget, `uploads_full` if all uploads
    /// together have reserved all of it.
    pub fn grow_to(&mut self, bytes: usize) -> Result<(), Problem> {
        while self.blocks.len() * BLOCK_BYTES < bytes {
            let own = Arc::clone(&self.own).try_acquire_owned().map_err(|_| own_full())?;
            let overall = Arc::clone(&self.overall).try_acquire_owned().map_err(|_| full())?;
            self.blocks.push((own, overall));
        }
        Ok(())
    }
}

fn own_full() -> Problem {
    Problem {
        retry_after: Some(60),
        ..Problem::new(
            ProblemKind::LimitReached,
            "too_many_at_once",
            "Your uploads use half of the disk space reserved for uploads, the maximum for one caller. Nothing of \
             this one was stored; send it again when one of them is imported.",
        )
    }
}

fn full() -> Problem {
    Problem::unavailable(
        "uploads_full",
        "Other uploads use all the disk space reserved for uploads. Nothing was stored; send the file again in a minute.",
        60,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANA: Uuid = Uuid::from_u128(1);
    const BEN: Uuid = Uuid::from_u128(2);
    const CLEO: Uuid = Uuid::from_u128(3);

    #[test]
    fn uploads_share_a_budget_and_return_it() {
        let budget = DiskBudget::new(4 * BLOCK_BYTES);
        let (mut one, mut other, mut third) = (
            budget.reservation(ANA),
            budget.reservation(BEN),
            budget.reservation(CLEO),
        );

        assert!(one.grow_to(BLOCK_BYTES + 1).is_ok(), "two blocks");
        assert!(one.grow_to(2 * BLOCK_BYTES).is_ok(), "still two");
        assert!(other.grow_to(1).is_ok(), "the third");
        assert!(third.grow_to(1).is_ok(), "the fourth");
        let problem = other.grow_to(BLOCK_BYTES + 1).unwrap_err();
        assert_eq!(
            (problem.kind, problem.retry_after),
            (ProblemKind::Unavailable, Some(60))
        );
        assert_eq!(problem.code, "uploads_full");
        drop(one);
        assert!(other.grow_to(2 * BLOCK_BYTES).is_ok());
    }

    #[test]
    fn one_caller_cannot_reserve_the_disk_of_all() {
        let budget = DiskBudget::new(4 * BLOCK_BYTES);
        let mut stored_later = [budget.reservation(ANA), budget.reservation(ANA)];
        for reservation in &mut stored_later {
            assert!(reservation.grow_to(BLOCK_BYTES).is_ok());
        }

        let problem = budget.reservation(ANA).grow_to(1).unwrap_err();

        assert_eq!(
            (problem.kind, problem.retry_after),
            (ProblemKind::LimitReached, Some(60))
        );
        assert_eq!(problem.code, "too_many_at_once");
        assert!(budget.reservation(BEN).grow_to(2 * BLOCK_BYTES).is_ok());
        drop(stored_later);
        assert!(budget.reservation(ANA).grow_to(1).is_ok());
    }
}
