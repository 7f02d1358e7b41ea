//! Writes files to Postgres and reads them back, part by part.

use crate::app::problem::Problem;
use crate::app::upload_spool::disk;
use shared::store::imports::parts::{self, PART_BYTES};
use shared::store::{Db, Transaction};
use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use uuid::Uuid;

/// Stores a file from its beginning.
pub(super) async fn store(transaction: &mut Transaction, import: Uuid, mut file: File) -> Result<(), Problem> {
    for n in 0.. {
        let (read, bytes) = blocking(move || {
            let mut bytes = Vec::new();
            (&file).take(PART_BYTES as u64).read_to_end(&mut bytes)?;
            Ok((file, bytes))
        })
        .await?;
        if bytes.is_empty() {
            return Ok(());
        }
        file = read;
        parts::store(transaction, import, n, &bytes).await?;
    }
    Ok(())
}

/// Writes a stored file to an unnamed file on disk.
pub(super) async fn fetch(db: &Db, import: Uuid) -> Result<File, Problem> {
    let mut file = blocking(tempfile::tempfile).await?;
    for n in 0.. {
        let Some(bytes) = parts::read(db, import, n).await? else {
            break;
        };
        file = blocking(move || file.write_all(&bytes).map(|()| file)).await?;
    }
    blocking(move || file.rewind().map(|()| file)).await
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| Problem::internal())?
        .map_err(|fault| disk(&fault))
}
