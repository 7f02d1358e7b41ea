//! An upload waits on disk, not in memory.

use crate::body::unreadable;
use crate::problem::Problem;
use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use futures_util::{Stream, StreamExt as _};
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::Seek as _;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;

/// What an import may weigh: a million rows of sixty bytes.
pub const UPLOAD_MOST_BYTES: usize = 64 * 1024 * 1024;

/// A client that sends nothing for this long is gone.
pub(crate) const SILENCE_MOST: Duration = Duration::from_secs(30);

/// However steadily it drips.
pub(crate) const UPLOAD_WITHIN: Duration = Duration::from_mins(10);

/// An upload that is complete. Its file has no name and vanishes with it.
pub struct Spooled {
    /// From its start.
    pub file: File,
    /// SHA-256 of its bytes.
    pub digest: Vec<u8>,
}

/// Takes an upload in.
///
/// # Errors
///
/// 413 when it is too large, 408 when it takes too long, 400 when it breaks off, 507 when the disk
/// is full. Nothing was stored.
pub async fn spool(body: Body) -> Result<Spooled, Problem> {
    spool_stream(body.into_data_stream()).await
}

/// As [`spool`], for an upload that is only a part of its request.
///
/// # Errors
///
/// As [`spool`].
pub async fn spool_stream<E>(stream: impl Stream<Item = Result<Bytes, E>> + Unpin) -> Result<Spooled, Problem> {
    tokio::time::timeout(UPLOAD_WITHIN, take_in(stream))
        .await
        .unwrap_or_else(|_| Err(too_slow()))
}

async fn take_in<E>(mut stream: impl Stream<Item = Result<Bytes, E>> + Unpin) -> Result<Spooled, Problem> {
    let file = tokio::task::spawn_blocking(tempfile::tempfile)
        .await
        .map_err(|_| Problem::internal())?
        .map_err(|fault| disk(&fault))?;
    let mut file = tokio::fs::File::from_std(file);
    let (mut digest, mut bytes) = (Sha256::new(), 0);
    loop {
        let Ok(part) = tokio::time::timeout(SILENCE_MOST, stream.next()).await else {
            return Err(too_slow());
        };
        let Some(part) = part else { break };
        let part = part.map_err(|_| unreadable(StatusCode::BAD_REQUEST))?;
        bytes += part.len();
        if bytes > UPLOAD_MOST_BYTES {
            return Err(Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "body_too_large",
                "The file is larger than 64 MiB. Split it and import the parts one after the other.",
            ));
        }
        digest.update(&part);
        file.write_all(&part).await.map_err(|fault| disk(&fault))?;
    }
    file.flush().await.map_err(|fault| disk(&fault))?;
    let mut file = file.into_std().await;
    file.rewind().map_err(|fault| disk(&fault))?;
    Ok(Spooled {
        file,
        digest: digest.finalize().to_vec(),
    })
}

fn too_slow() -> Problem {
    Problem::new(
        StatusCode::REQUEST_TIMEOUT,
        "upload_too_slow",
        "The file did not arrive in time. Nothing was stored; send it again.",
    )
}

/// What is answered when the disk fails.
pub(crate) fn disk(fault: &std::io::Error) -> Problem {
    tracing::error!(error = %fault, "An upload could not be kept on disk");
    Problem::new(
        StatusCode::INSUFFICIENT_STORAGE,
        "disk_full",
        "The server has no room on disk for this upload. Nothing was stored; tell whoever runs Beckon.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;

    #[tokio::test(start_paused = true)]
    async fn an_upload_that_falls_silent_or_never_ends_is_told() {
        let begun = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"email\n"))]);
        let silent = begun.chain(stream::pending());
        let dripping = stream::unfold((), |()| async {
            tokio::time::sleep(SILENCE_MOST / 2).await;
            Some((Ok::<_, std::io::Error>(Bytes::from_static(b"x")), ()))
        });

        let told = [
            spool_stream(Box::pin(silent)).await.err(),
            spool_stream(Box::pin(dripping)).await.err(),
        ];

        for told in told.map(Option::unwrap) {
            assert_eq!((told.status, told.kind.as_str()), (408, "/problems/upload_too_slow"));
            assert_eq!(
                told.detail,
                "The file did not arrive in time. Nothing was stored; send it again."
            );
        }
    }
}
