//! A connection that is closed if the peer reads nothing for too long.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// A stream whose writes fail if the peer accepts no data for a while.
///
/// A client that sends requests but reads no responses would otherwise hold its connection forever, with the response
/// stuck in buffers. Only a blocked write counts: a connection with nothing to write, or with a slow reader, stays
/// open.
pub(super) struct Patient<S> {
    stream: S,
    patience: Duration,
    /// Runs while a write is blocked.
    losing_patience: Option<Pin<Box<Sleep>>>,
}

impl<S> Patient<S> {
    pub(super) fn new(stream: S, patience: Duration) -> Self {
        Self {
            stream,
            patience,
            losing_patience: None,
        }
    }
}

impl<S: Unpin> Patient<S> {
    /// Writes, flushes or shuts down. Fails if no such step has succeeded for too long.
    fn step<T>(
        &mut self,
        cx: &mut Context<'_>,
        step: impl FnOnce(Pin<&mut S>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if let Poll::Ready(done) = step(Pin::new(&mut self.stream), cx) {
            self.losing_patience = None;
            return Poll::Ready(done);
        }
        let patience = self.patience;
        let over = self
            .losing_patience
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        ready!(over.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the client read nothing of its response for too long",
        )))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.step(cx, |stream, cx| stream.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.step(cx, |stream, cx| stream.poll_write_vectored(cx, parts))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.step(cx, AsyncWrite::poll_flush)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.step(cx, AsyncWrite::poll_shutdown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    const PATIENCE: Duration = Duration::from_millis(200);

    #[tokio::test]
    async fn a_client_that_reads_nothing_is_disconnected() {
        let (ours, theirs) = duplex(64);
        let mut ours = Patient::new(ours, PATIENCE);

        let fault = ours.write_all(&[7; 65]).await.unwrap_err();

        assert_eq!(fault.kind(), io::ErrorKind::TimedOut);
        drop(theirs);
    }

    #[tokio::test]
    async fn a_slow_reader_gets_the_whole_response() {
        let (ours, mut theirs) = duplex(64);
        let mut ours = Patient::new(ours, PATIENCE);
        let began = Instant::now();
        let reading = async {
            let (mut got, mut piece) = (0, [0; 64]);
            while got < 640 {
                // Exceeds the limit in total, but stays under it each time.
                tokio::time::sleep(PATIENCE / 4).await;
                got += theirs.read(&mut piece).await.unwrap();
            }
            got
        };

        let (written, got) = tokio::join!(ours.write_all(&[7; 640]), reading);

        assert!(written.is_ok(), "{written:?}");
        assert_eq!(got, 640);
        assert!(began.elapsed() > PATIENCE);
    }

    #[tokio::test]
    async fn a_connection_with_nothing_to_write_may_be_silent() {
        let (ours, mut theirs) = duplex(64);
        let mut ours = Patient::new(ours, Duration::from_millis(10));
        let silence = async {
            tokio::time::sleep(PATIENCE).await;
            theirs.write_all(&[7]).await
        };

        let (read, ended) = tokio::join!(ours.read_u8(), silence);

        assert_eq!((read.unwrap(), ended.is_ok()), (7, true));
        assert!(ours.write_all(&[7]).await.is_ok());
    }
}
