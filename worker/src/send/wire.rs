//! The line to the relay, under lettre's connection.
//!
//! lettre reads through a buffer we cannot look into, has no bound on a line that never ends, and
//! cannot tell how much of a mail the socket took. This stream answers all three. It hands lettre
//! one line at a time, so that lettre's buffer is empty whenever a reply is complete; what else
//! the relay said stays here, where [`Wire::is_quiet`] sees it. Hence nothing said before STARTTLS
//! survives into the encrypted conversation, and no stray reply is taken for the next mail's. And a
//! reply of a code alone, which lettre cannot read and RFC 5321 4.2 asks us to, gets the space that
//! its sender left out, and signs of another encoding than UTF-8, which lettre takes for a broken
//! line, become question marks: neither is a reason to send a mail again that was taken.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Instant;

use lettre::transport::smtp::client::AsyncTokioStream;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use shared::failpoint::{Point, reach};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// The most a relay may say in one reply, in bytes; a long one has two thousand. lettre allows a
/// hundred thousand, and reads all lines again with each line that comes.
const REPLY_LIMIT: usize = 32 * 1024;

/// What each line counts beside its bytes, so that a reply of very many short ones ends as well.
const LINE_COUNTS: usize = 128;

/// Digits of a reply's code.
const CODE: usize = 3;

/// One end for lettre, one for us; never used by two tasks at once.
#[derive(Debug, Clone)]
pub(super) struct Wire(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    line: Line,
    peer: SocketAddr,
    unread: Box<[u8]>,
    unread_from: usize,
    unread_to: usize,
    /// How much of the present line lettre has.
    handed: usize,
    /// How much more the relay may say before we stop listening.
    allowance: usize,
    ended: bool,
    flushed_at: Option<Instant>,
}

#[derive(Debug)]
enum Line {
    Plain(Socket),
    Tls(Box<TlsStream<Socket>>),
    /// During a handshake, and after one that failed.
    Gone,
}

/// A TCP socket that counts what the kernel has taken from us.
#[derive(Debug)]
struct Socket {
    tcp: TcpStream,
    written: u64,
}

impl Wire {
    pub(super) fn new(tcp: TcpStream) -> io::Result<Self> {
        // A reply of the relay must not wait for our acknowledgement of the one before (Nagle).
        tcp.set_nodelay(true)?;
        Ok(Self(Arc::new(Mutex::new(Inner {
            peer: tcp.peer_addr()?,
            line: Line::Plain(Socket { tcp, written: 0 }),
            unread: vec![0; 4096].into_boxed_slice(),
            unread_from: 0,
            unread_to: 0,
            handed: 0,
            allowance: REPLY_LIMIT,
            ended: false,
            flushed_at: Some(Instant::now()),
        }))))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins TLS on this line; lettre goes on above it and does not notice.
    pub(super) async fn encrypt(&self, config: Arc<ClientConfig>, name: ServerName<'static>) -> io::Result<()> {
        let socket = {
            let mut inner = self.inner();
            if inner.unread_from < inner.unread_to {
                return Err(io::Error::other(
                    "the relay went on talking in clear after agreeing to STARTTLS",
                ));
            }
            match std::mem::replace(&mut inner.line, Line::Gone) {
                Line::Plain(socket) => socket,
                other => {
                    inner.line = other;
                    return Err(io::Error::other("the line is encrypted already"));
                }
            }
        };
        let encrypted = TlsConnector::from(config).connect(name, socket).await?;
        self.inner().line = Line::Tls(Box::new(encrypted));
        Ok(())
    }

    pub(super) fn is_encrypted(&self) -> bool {
        matches!(self.inner().line, Line::Tls(_))
    }

    /// Bytes the kernel has taken from us, TLS included.
    pub(super) fn written(&self) -> u64 {
        match &self.inner().line {
            Line::Plain(socket) => socket.written,
            Line::Tls(stream) => stream.get_ref().0.written,
            Line::Gone => 0,
        }
    }

    /// Forgets when the last write was complete, before a body is written.
    pub(super) fn begin_write(&self) {
        self.inner().flushed_at = None;
    }

    /// When everything given to this line had been handed to the kernel.
    pub(super) fn flushed_at(&self) -> Option<Instant> {
        self.inner().flushed_at
    }

    /// Gives the relay room for one more reply.
    pub(super) fn expect_reply(&self) {
        self.inner().allowance = REPLY_LIMIT;
    }

    /// Whether the relay has closed the line.
    pub(super) fn has_ended(&self) -> bool {
        self.inner().ended
    }

    /// Whether the relay has neither closed the line nor said anything we did not ask for. What it
    /// said is lost by asking, so a line that is not quiet must not be used again.
    pub(super) fn is_quiet(&self) -> bool {
        let mut inner = self.inner();
        let Inner {
            line,
            unread,
            unread_from,
            unread_to,
            ended,
            ..
        } = &mut *inner;
        if *ended || unread_from < unread_to {
            return false;
        }
        let mut buffer = ReadBuf::new(unread);
        let mut context = Context::from_waker(Waker::noop());
        let polled = line.poll_read(&mut context, &mut buffer);
        *ended = polled.is_ready() && buffer.filled().is_empty();
        polled.is_pending()
    }
}

impl Line {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(socket) => Pin::new(socket).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

impl AsyncTokioStream for Wire {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.inner().peer)
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut inner = self.inner();
        let Inner {
            line,
            unread,
            unread_from,
            unread_to,
            handed,
            allowance,
            ended,
            ..
        } = &mut *inner;
        if *allowance == 0 {
            let text = "the relay's reply does not end";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, text)));
        }
        if unread_from == unread_to {
            let mut buffer = ReadBuf::new(unread);
            ready!(line.poll_read(cx, &mut buffer))?;
            *unread_from = 0;
            *unread_to = buffer.filled().len();
            make_utf8(buffer.filled_mut());
            if *unread_to == 0 {
                *ended = true;
                return Poll::Ready(Ok(()));
            }
        }
        let waiting = unread.get(*unread_from..*unread_to).unwrap_or_default();
        if *handed == CODE && waiting.starts_with(b"\r\n") {
            out.put_slice(b" ");
            *handed += 1;
            return Poll::Ready(Ok(()));
        }
        let end = waiting.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
        let most = if *handed < CODE {
            CODE - *handed
        } else {
            out.remaining()
        };
        let length = end.unwrap_or(waiting.len()).min(most).min(out.remaining());
        out.put_slice(waiting.get(..length).unwrap_or_default());
        *unread_from += length;
        let is_whole = end == Some(length);
        *handed = if is_whole { 0 } else { *handed + length };
        *allowance = allowance.saturating_sub(length + if is_whole { LINE_COUNTS } else { 0 });
        Poll::Ready(Ok(()))
    }
}

/// Puts question marks where bytes are no UTF-8 (RFC 6531 3.7.4.2 knows nothing else in a reply), nor
/// ASCII.
fn make_utf8(mut bytes: &mut [u8]) {
    while let Err(fault) = std::str::from_utf8(bytes) {
        let (_, rest) = bytes.split_at_mut(fault.valid_up_to());
        let (wrong, after) = rest.split_at_mut(fault.error_len().unwrap_or(rest.len()));
        wrong.fill(b'?');
        bytes = after;
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.inner().line {
            Line::Plain(socket) => Pin::new(socket).poll_write(cx, bytes),
            Line::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
            Line::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut inner = self.inner();
        match &mut inner.line {
            Line::Plain(socket) => ready!(Pin::new(socket).poll_flush(cx))?,
            Line::Tls(stream) => ready!(Pin::new(stream).poll_flush(cx))?,
            Line::Gone => return Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
        if inner.flushed_at.is_none() {
            reach(Point::DotWritten);
        }
        inner.flushed_at = Some(Instant::now());
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.inner().line {
            Line::Plain(socket) => Pin::new(socket).poll_shutdown(cx),
            Line::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
            Line::Gone => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_read(cx, out)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let taken = ready!(Pin::new(&mut self.tcp).poll_write(cx, bytes))?;
        self.written += taken as u64;
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}
