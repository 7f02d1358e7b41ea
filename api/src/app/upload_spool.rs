//! Receives uploads to disk instead of memory.
//!
//! Slots limit how many are received at once, and a budget limits the disk space they take.

use crate::app::concurrency_limits::ConcurrencyLimits;
use crate::app::disk_budget::Reservation;
use crate::app::problem::{Problem, ProblemKind};
use futures_util::{Stream, StreamExt as _};
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::Seek as _;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use uuid::Uuid;

/// Maximum size of an import: a million rows of sixty bytes.
pub const UPLOAD_MOST_BYTES: usize = 64 * 1024 * 1024;

/// A client that sends nothing for this long is disconnected.
pub(crate) const MAX_SILENCE: Duration = Duration::from_secs(30);

/// Time limit for an upload, even if it arrives steadily.
pub(crate) const UPLOAD_TIMEOUT: Duration = Duration::from_mins(10);

/// A complete upload. Its file has no name and is deleted when this is dropped.
pub struct Spooled {
    /// The file, positioned at its start.
    pub file: File,
    /// SHA-256 of its bytes.
    pub digest: Vec<u8>,
    /// Its reserved disk space, to be held as long as the file.
    pub reservation: Reservation,
}

/// Receives an upload once the caller has a slot for it.
///
/// # Errors
///
/// If too many uploads are in progress or they use up their disk space, the upload is too large, takes too long or ends
/// early, or the disk is full. Nothing was stored.
pub async fn spool<B: AsRef<[u8]>, E>(
    concurrency_limits: &ConcurrencyLimits,
    caller: Uuid,
    body: impl Stream<Item = Result<B, E>> + Unpin,
) -> Result<Spooled, Problem> {
    let _slot = concurrency_limits.for_upload(caller).await?;
    spool_stream(concurrency_limits.disk.reservation(caller), body).await
}

/// Like [`spool`], for an upload that is only part of its request. Its caller already has a slot.
///
/// # Errors
///
/// As for [`spool`].
pub async fn spool_stream<B: AsRef<[u8]>, E>(
    reservation: Reservation,
    stream: impl Stream<Item = Result<B, E>> + Unpin,
) -> Result<Spooled, Problem> {
    tokio::time::timeout(UPLOAD_TIMEOUT, receive_upload(reservation, stream))
        .await
        .unwrap_or_else(|_| Err(too_slow()))
}

async fn receive_upload<B: AsRef<[u8]>, E>(
    mut reservation: Reservation,
    mut stream: impl Stream<Item = Result<B, E>> + Unpin,
) -> Result<Spooled, Problem> {
    let file = tokio::task::spawn_blocking(tempfile::tempfile)
        .await
        .map_err(|_| Problem::internal())?
        .map_err(|fault| disk(&fault))?;
    let mut file = tokio::fs::File::from_std(file);
    let (mut digest, mut bytes) = (Sha256::new(), 0);
    loop {
        let Ok(part) = tokio::time::timeout(MAX_SILENCE, stream.next()).await else {
            return Err(too_slow());
        };
        let Some(part) = part else { break };
        let part = part.map_err(|_| Problem::incomplete())?;
        let part = part.as_ref();
        bytes += part.len();
        if bytes > UPLOAD_MOST_BYTES {
            return Err(Problem::new(
                ProblemKind::TooLarge,
                "body_too_large",
                "The file is larger than 64 MiB. Split it and upload the parts one after the other.",
            ));
        }
        reservation.grow_to(bytes)?;
        digest.update(part);
        file.write_all(part).await.map_err(|fault| disk(&fault))?;
    }
    file.flush().await.map_err(|fault| disk(&fault))?;
    let mut file = file.into_std().await;
    file.rewind().map_err(|fault| disk(&fault))?;
    Ok(Spooled {
        file,
        digest: digest.finalize().to_vec(),
        reservation,
    })
}

fn too_slow() -> Problem {
    Problem::new(
        ProblemKind::TimedOut,
        "upload_too_slow",
        "The upload took too long. Nothing was stored; send the file again.",
    )
}

/// The response if the disk fails.
pub(crate) fn disk(fault: &std::io::Error) -> Problem {
    tracing::error!(error = %fault, "An upload could not be written to disk");
    Problem::new(
        ProblemKind::StorageFull,
        "disk_full",
        "The server has no disk space for this upload. Nothing was stored; contact the team that runs Beckon.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::disk_budget::DiskBudget;
    use futures_util::stream;

    const MIB: usize = 1024 * 1024;

    #[tokio::test(start_paused = true)]
    async fn a_stalled_or_endless_upload_is_rejected() {
        let begun = stream::iter([Ok::<_, std::io::Error>("email\n")]);
        let silent = begun.chain(stream::pending());
        let dripping = stream::unfold((), |()| async {
            tokio::time::sleep(MAX_SILENCE / 2).await;
            Some((Ok::<_, std::io::Error>("x"), ()))
        });

        let budget = DiskBudget::new(2 * MIB);
        let answer = [
            spool_stream(budget.reservation(Uuid::nil()), Box::pin(silent))
                .await
                .err(),
            spool_stream(budget.reservation(Uuid::nil()), Box::pin(dripping))
                .await
                .err(),
        ];

        for answer in answer.map(Option::unwrap) {
            assert_eq!(
                (answer.kind, answer.code.as_str()),
                (ProblemKind::TimedOut, "upload_too_slow")
            );
            assert_eq!(
                answer.detail,
                "The upload took too long. Nothing was stored; send the file again."
            );
        }
    }

    #[tokio::test]
    async fn an_upload_over_the_disk_budget_is_refused_until_another_ends() {
        let budget = DiskBudget::new(2 * MIB);
        let upload = || stream::iter([Ok::<_, std::io::Error>(vec![b'x'; MIB])]);
        let first = spool_stream(budget.reservation(Uuid::from_u128(0)), upload())
            .await
            .unwrap();
        let _second = spool_stream(budget.reservation(Uuid::from_u128(1)), upload())
            .await
            .unwrap();

        let refused = spool_stream(budget.reservation(Uuid::from_u128(2)), upload())
            .await
            .err()
            .unwrap();

        assert_eq!(
            (refused.kind, refused.code.as_str()),
            (ProblemKind::Unavailable, "uploads_full")
        );
        drop(first);
        assert!(
            spool_stream(budget.reservation(Uuid::from_u128(3)), upload())
                .await
                .is_ok()
        );
    }
}
