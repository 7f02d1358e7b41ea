//! Reads the rows of a file in groups.

use import::{FileFault, Lines, ParsedRow};
use std::io::{Read, Seek};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Rows per statement. Larger groups are no faster.
const GROUP: usize = 2_000;

/// Maximum size of a group with long rows. Four groups are in memory at a time, in their read and their sent form.
const GROUP_BYTES: usize = 4 * 1024 * 1024;

/// The stream of groups while a file is read.
pub struct Groups<T> {
    receiver: mpsc::Receiver<Result<T, FileFault>>,
    reading: JoinHandle<()>,
}

impl<T: Send + 'static> Groups<T> {
    /// Starts to read and convert groups on a blocking thread, while the groups before are stored. Dropping the stream
    /// ends it.
    pub fn read<R: Read + Seek + Send + 'static>(
        mut lines: Lines<R>,
        mut convert: impl FnMut(Vec<ParsedRow>) -> T + Send + 'static,
    ) -> Self {
        let (sender, receiver) = mpsc::channel(2);
        let reading = tokio::task::spawn_blocking(move || {
            loop {
                let group = match lines.chunk(GROUP, GROUP_BYTES) {
                    Ok(rows) if rows.is_empty() => return,
                    Ok(rows) => Ok(convert(rows)),
                    Err(fault) => Err(fault),
                };
                let is_last = group.is_err();
                if sender.blocking_send(group).is_err() || is_last {
                    return;
                }
            }
        });
        Self { receiver, reading }
    }

    /// The next group, or `None` after the last one.
    pub async fn next(&mut self) -> Option<Result<T, FileFault>> {
        self.receiver.recv().await
    }

    /// Ends the reading and waits until the file is no longer used: it may be read again through the same file
    /// description, whose position both readings share.
    pub async fn end(mut self) {
        self.receiver.close();
        // A panic has been logged.
        let _ = self.reading.await;
    }
}
