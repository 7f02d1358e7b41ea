//! The byte stream to the relay, plain or encrypted.
//!
//! It answers two questions that decide about duplicate mails: how many bytes the kernel has accepted, and
//! whether the relay has sent anything unsolicited.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::bytes::BytesMut;
use tokio_util::codec::Decoder as _;

use super::reply::{ReplyError, ReplyResult};
use super::reply_codec::ReplyCodec;

/// Room for the replies to one mail.
const READ_BUFFER: usize = 2048;

/// A stream with its unread bytes.
#[derive(Debug)]
pub(super) struct RelayStream {
    transport: Transport,
    unread: BytesMut,
    codec: ReplyCodec,
    has_ended: bool,
}

#[derive(Debug)]
enum Transport {
    Plain(Socket),
    Tls(Box<TlsStream<Socket>>),
}

/// A TCP socket that counts the bytes accepted by the kernel.
#[derive(Debug)]
struct Socket {
    tcp: TcpStream,
    written: u64,
}

impl RelayStream {
    pub(super) fn new(tcp: TcpStream) -> io::Result<Self> {
        // A command must not wait for the acknowledgement of the previous one (Nagle).
        tcp.set_nodelay(true)?;
        Ok(Self::over(Transport::Plain(Socket { tcp, written: 0 })))
    }

    fn over(transport: Transport) -> Self {
        Self {
            transport,
            unread: BytesMut::with_capacity(READ_BUFFER),
            codec: ReplyCodec::default(),
            has_ended: false,
        }
    }

    /// Starts TLS. Fails if plain text is unread, so that none is taken for encrypted (RFC 3207, 4.2).
    pub(super) async fn encrypt(self, config: Arc<ClientConfig>, name: ServerName<'static>) -> io::Result<Self> {
        if !self.unread.is_empty() {
            return Err(io::Error::other(
                "the relay continued in plain text after agreeing to STARTTLS",
            ));
        }
        match self.transport {
            Transport::Plain(socket) => {
                let encrypted = TlsConnector::from(config).connect(name, socket).await?;
                Ok(Self::over(Transport::Tls(Box::new(encrypted))))
            }
            Transport::Tls(_) => Err(io::Error::other("the connection is encrypted already")),
        }
    }

    pub(super) fn is_encrypted(&self) -> bool {
        matches!(self.transport, Transport::Tls(_))
    }

    /// Bytes accepted by the kernel, including TLS overhead.
    pub(super) fn written(&self) -> u64 {
        match &self.transport {
            Transport::Plain(socket) => socket.written,
            Transport::Tls(stream) => stream.get_ref().0.written,
        }
    }

    /// Writes as much as possible of two parts in one system call and returns the number of bytes written.
    /// `done` bytes have been written before.
    pub(super) async fn write_some(&mut self, parts: [&[u8]; 2], done: usize) -> io::Result<usize> {
        let [first, second] = parts;
        let skipped = done.saturating_sub(first.len());
        let rest = [
            IoSlice::new(first.get(done..).unwrap_or_default()),
            IoSlice::new(second.get(skipped..).unwrap_or_default()),
        ];
        match self.transport.write_vectored(&rest).await? {
            0 => Err(io::ErrorKind::WriteZero.into()),
            count => Ok(count),
        }
    }

    /// Flushes all buffers to the kernel.
    pub(super) async fn flush(&mut self) -> io::Result<()> {
        self.transport.flush().await
    }

    /// Writes a command.
    pub(super) async fn write_command(&mut self, command: &[u8]) -> io::Result<()> {
        self.transport.write_all(command).await?;
        self.transport.flush().await
    }

    /// Reads one reply. Cancel safe: bytes that were read are kept.
    pub(super) async fn read_reply(&mut self) -> ReplyResult {
        loop {
            match self.codec.decode(&mut self.unread) {
                Ok(Some(reply)) => return Ok(reply),
                Ok(None) => {}
                Err(fault) => return Err(ReplyError::Garbled(fault.to_string())),
            }
            match self.transport.read_buf(&mut self.unread).await {
                Ok(0) => {
                    self.has_ended = true;
                    return Err(ReplyError::Broken("the relay closed the connection".to_owned()));
                }
                Ok(_) => {}
                Err(fault) => return Err(ReplyError::Broken(fault.to_string())),
            }
        }
    }

    /// Whether the relay has closed the connection.
    pub(super) fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Whether the relay has neither closed the connection nor sent anything unsolicited.
    pub(super) fn is_quiet(&mut self) -> bool {
        self.poll_unasked(&mut Context::from_waker(Waker::noop())).is_pending()
    }

    /// Resolves once the relay closes the connection or sends something unsolicited.
    pub(super) async fn unasked(&mut self) {
        std::future::poll_fn(|context| self.poll_unasked(context)).await;
    }

    fn poll_unasked(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.has_ended || !self.unread.is_empty() {
            return Poll::Ready(());
        }
        let mut bytes = [0; 512];
        let mut buffer = ReadBuf::new(&mut bytes);
        let read = ready!(Pin::new(&mut self.transport).poll_read(context, &mut buffer));
        self.has_ended = read.is_err() || buffer.filled().is_empty();
        self.unread.extend_from_slice(buffer.filled());
        Poll::Ready(())
    }
}

impl AsyncRead for Transport {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_read(cx, out),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, out),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_write_vectored(cx, parts),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, parts),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
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

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let taken = ready!(Pin::new(&mut self.tcp).poll_write_vectored(cx, parts))?;
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
