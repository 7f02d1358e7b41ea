//! How much disk all uploads together may take.
//!
//! Every upload reserves what it writes before it writes it, so the volume that uploads are kept on
//! (`/tmp`) is never filled by them.

use crate::problem::Problem;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What all uploads of a process may take together: four of the largest.
///
/// Checking and storing a file that was uploaded in the console each put one more file of up to 64
/// MiB on the same volume, so it needs 384 MiB. The volumes in `deploy/` are larger.
pub const UPLOADS_MOST_BYTES: usize = 256 * 1024 * 1024;

/// Reservations are made in blocks of this size.
const BLOCK_BYTES: usize = 64 * 1024;

/// The disk that is left for uploads.
#[derive(Debug)]
pub struct DiskBudget(Arc<Semaphore>);

/// What one upload has reserved. Dropping it gives it back.
#[derive(Debug)]
pub struct Reservation {
    budget: Arc<Semaphore>,
    blocks: Vec<OwnedSemaphorePermit>,
}

impl DiskBudget {
    /// A budget of so many bytes.
    pub fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes / BLOCK_BYTES)))
    }

    /// An empty reservation for a new upload.
    pub fn reservation(&self) -> Reservation {
        Reservation {
            budget: Arc::clone(&self.0),
            blocks: Vec::new(),
        }
    }
}

impl Reservation {
    /// Reserves until the upload may have `bytes` on disk.
    ///
    /// # Errors
    ///
    /// 503 `uploads_full` when other uploads have reserved the rest.
    pub fn grow_to(&mut self, bytes: usize) -> Result<(), Problem> {
        while self.blocks.len() * BLOCK_BYTES < bytes {
            let block = Arc::clone(&self.budget).try_acquire_owned().map_err(|_| full())?;
            self.blocks.push(block);
        }
        Ok(())
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

    #[test]
    fn uploads_share_a_budget_and_give_it_back() {
        let budget = DiskBudget::new(3 * BLOCK_BYTES);
        let (mut one, mut other) = (budget.reservation(), budget.reservation());

        assert!(one.grow_to(BLOCK_BYTES + 1).is_ok(), "two blocks");
        assert!(one.grow_to(2 * BLOCK_BYTES).is_ok(), "still two");
        assert!(other.grow_to(1).is_ok(), "the third");
        let problem = other.grow_to(BLOCK_BYTES + 1).unwrap_err();
        assert_eq!((problem.status, problem.retry_after), (503, Some(60)));
        assert_eq!(problem.kind, "/problems/uploads_full");
        drop(one);
        assert!(other.grow_to(3 * BLOCK_BYTES).is_ok());
    }
}
