//! The addresses of a list as a file.

use crate::app::state::AppState;
use futures_util::{Stream, stream};
use import::SafeCsv;
use shared::store::do_not_mail;
use std::io;
use uuid::Uuid;

/// Addresses read from Postgres at a time.
const GROUP: i64 = 5_000;

/// Progress of writing the file.
enum Progress {
    Begins,
    After(String),
    Ends,
}

/// The addresses of a list as a CSV file, in pieces.
pub(crate) fn csv(api: AppState, list: Uuid) -> impl Stream<Item = io::Result<Vec<u8>>> + Send + 'static {
    stream::try_unfold((api, Progress::Begins), move |(api, progress)| async move {
        let after = match &progress {
            Progress::Begins => None,
            Progress::After(address) => Some(address.as_str()),
            Progress::Ends => return Ok(None),
        };
        let found = do_not_mail::addresses(&api.db, list, None, after, GROUP)
            .await
            .map_err(io::Error::other)?;
        let mut part = if after.is_none() {
            let mut part = SafeCsv::new(Vec::new(), b',')?;
            part.write(["email"])?;
            part
        } else {
            SafeCsv::continued(Vec::new(), b',')
        };
        for address in &found {
            part.write([address])?;
        }
        let part = part.finish()?;
        let next = found.into_iter().next_back().map_or(Progress::Ends, Progress::After);
        Ok::<_, io::Error>(Some((part, (api, next))))
    })
}
