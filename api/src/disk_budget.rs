//! How much disk all uploads together may take, and those of one caller.
//!
//! Every upload reserves what it writes before it writes it, so the volume that uploads are kept on
//! (`/tmp`) is never filled by them.

use crate::problem::Problem;
use crate::shares::Shares;
use axum::http::StatusCode;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

/// What all uploads of a process may take together: four of the largest.
///
/// Checking and storing a file that was uploaded in the console each put one more file of up to 64
/// MiB on the same volume, so it needs 384 MiB. The volumes in `deploy/` are larger.
pub const UPLOADS_MOST_BYTES: usize = 256 * 1024 * 1024;

/// Reservations are made in blocks of this size.
const BLOCK_BYTES: usize = 64 * 1024;

/// The disk that is left for uploads.
#[derive(Debug)]
pub struct DiskBudget {
    overall: Arc<Semaphore>,
    callers: Shares<Uuid>,
}

/// What one upload has reserved. Dropping it gives it back.
#[derive(Debug)]
pub struct Reservation {
    own: Arc<Semaphore>,
    overall: Arc<Semaphore>,
    /// Of the caller's share and of the whole budget.
    blocks: Vec<(OwnedSemaphorePermit, OwnedSemaphorePermit)>,
}

impl DiskBudget {
    /// A budget of so many bytes, of which one caller may take half: files that wait to be stored keep their
    /// reservations, and those of one caller must not keep all others from uploading.
    pub fn new(bytes: usize) -> Self {
        let blocks = bytes / BLOCK_BYTES;
        Self {
            overall: Arc::new(Semaphore::new(blocks)),
            callers: Shares::new(blocks / 2),
        }
    }

    /// An empty reservation for a new upload of this key or administrator.
    pub fn reservation(&self, caller: Uuid) -> Reservation {
        Reservation {
            own: self.callers.of(caller),
            overall: Arc::clone(&self.overall),
            blocks: Vec::new(),
        }
    }
}

impl Reservation {
    /// Reserves until the upload may have `bytes` on disk.
    ///
    /// # Errors
    ///
    /// 429 `too_many_at_once` when the caller's uploads have reserved half of the budget, 503 `uploads_full` when
    /// all uploads together have reserved all of it.
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
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_at_once",
            "Your uploads take half of the disk that is set aside for them, which is as much as one caller may take. \
             Nothing of this one was stored; send it again when one of them is imported.",
        )
    }
}

fn full() -> Problem {
    Problem::unavailable(
        "uploads_full",
        "Other uploads take all the disk that is set aside for them. Nothing was stored; send the file again in a minute.",
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
    fn uploads_share_a_budget_and_give_it_back() {
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
        assert_eq!((problem.status, problem.retry_after), (503, Some(60)));
        assert_eq!(problem.kind, "/problems/uploads_full");
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

        assert_eq!((problem.status, problem.retry_after), (429, Some(60)));
        assert_eq!(problem.kind, "/problems/too_many_at_once");
        assert!(budget.reservation(BEN).grow_to(2 * BLOCK_BYTES).is_ok());
        drop(stored_later);
        assert!(budget.reservation(ANA).grow_to(1).is_ok());
    }
}
