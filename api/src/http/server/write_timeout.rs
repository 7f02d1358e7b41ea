//! A connection that is closed if the peer reads nothing for too long.

use std::pin::Pin;
use std::time::Duration;
use tokio::io::AsyncWrite;
use tokio_io_timeout::TimeoutWriter;

/// Wraps a stream so that its writes fail if the peer accepts no data for a while.
///
/// A client that sends requests but reads no responses would otherwise hold its connection forever, with the response
/// stuck in buffers. Only a blocked write counts: a connection with nothing to write, or with a slow reader, stays
/// open.
pub(super) fn with_write_timeout<S: AsyncWrite>(stream: S, limit: Duration) -> Pin<Box<TimeoutWriter<S>>> {
    let mut stream = TimeoutWriter::new(stream);
    stream.set_timeout(Some(limit));
    Box::pin(stream)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use std::time::Instant;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    const LIMIT: Duration = Duration::from_millis(200);

    #[tokio::test]
    async fn a_client_that_reads_nothing_is_disconnected() {
        let (ours, theirs) = duplex(64);
        let mut ours = with_write_timeout(ours, LIMIT);

        let fault = ours.write_all(&[7; 65]).await.unwrap_err();

        assert_eq!(fault.kind(), io::ErrorKind::TimedOut);
        drop(theirs);
    }

    #[tokio::test]
    async fn a_slow_reader_gets_the_whole_response() {
        let (ours, mut theirs) = duplex(64);
        let mut ours = with_write_timeout(ours, LIMIT);
        let began = Instant::now();
        let reading = async {
            let (mut got, mut piece) = (0, [0; 64]);
            while got < 640 {
                // Exceeds the limit in total, but stays under it each time.
                tokio::time::sleep(LIMIT / 4).await;
                got += theirs.read(&mut piece).await.unwrap();
            }
            got
        };

        let (written, got) = tokio::join!(ours.write_all(&[7; 640]), reading);

        assert!(written.is_ok(), "{written:?}");
        assert_eq!(got, 640);
        assert!(began.elapsed() > LIMIT);
    }

    #[tokio::test]
    async fn a_connection_with_nothing_to_write_may_be_silent() {
        let (ours, mut theirs) = duplex(64);
        let mut ours = with_write_timeout(ours, Duration::from_millis(10));
        let silence = async {
            tokio::time::sleep(LIMIT).await;
            theirs.write_all(&[7]).await
        };

        let (read, ended) = tokio::join!(ours.read_u8(), silence);

        assert_eq!((read.unwrap(), ended.is_ok()), (7, true));
        assert!(ours.write_all(&[7]).await.is_ok());
    }
}
