//! The bytes of one connection: buffered in both directions, with or without TLS.

use std::io;
use std::ops::Range;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Size of each read; a mail from Beckon with its commands fits into one.
const READ: usize = 16 * 1024;
/// Longest line a client may send, far above SMTP's own limit.
const LONGEST_LINE: usize = 64 * 1024;

#[derive(Debug)]
enum Transport {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    /// Placeholder while switching from plain text to TLS.
    None,
}

/// One connection's bytes.
#[derive(Debug)]
pub(super) struct Wire {
    transport: Transport,
    input: Vec<u8>,
    /// The input is consumed up to here.
    used: usize,
    /// Replies waiting for [`Wire::flush`].
    pub(super) output: Vec<u8>,
}

impl Wire {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self {
            transport: Transport::Plain(stream),
            input: Vec::with_capacity(READ),
            used: 0,
            output: Vec::new(),
        }
    }

    pub(super) fn is_encrypted(&self) -> bool {
        matches!(self.transport, Transport::Tls(_))
    }

    /// Consumes the next complete line, if it has arrived, and returns its range for [`Wire::bytes`].
    ///
    /// # Errors
    ///
    /// When a line is longer than SMTP allows.
    pub(super) fn take_line(&mut self) -> io::Result<Option<Range<usize>>> {
        let rest = self.input.get(self.used..).unwrap_or_default();
        let Some(length) = rest.iter().position(|byte| *byte == b'\n') else {
            if rest.len() > LONGEST_LINE {
                return Err(io::Error::other("the client's line has no end"));
            }
            return Ok(None);
        };
        let line = rest.get(..length).unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let range = self.used..self.used + line.len();
        self.used += length + 1;
        Ok(Some(range))
    }

    /// Consumes the message up to its final dot, if all of it has arrived.
    ///
    /// `searched` is the length of input known not to contain the end. Pass it on between calls, starting at 0.
    pub(super) fn take_message(&mut self, searched: &mut usize) -> Option<Range<usize>> {
        let rest = self.input.get(self.used..).unwrap_or_default();
        let Some(end) = end_of_message(rest, *searched) else {
            // The end may have arrived in part: CR LF dot CR.
            *searched = rest.len().saturating_sub(4);
            return None;
        };
        let range = self.used..self.used + end;
        self.used += end + b".\r\n".len();
        Some(range)
    }

    pub(super) fn bytes(&self, range: Range<usize>) -> &[u8] {
        self.input.get(range).unwrap_or_default()
    }

    /// Number of unconsumed input bytes.
    pub(super) fn waiting(&self) -> usize {
        self.input.len() - self.used
    }

    /// Waits for more input; `false` when the client has disconnected. Invalidates earlier ranges.
    pub(super) async fn fill(&mut self) -> io::Result<bool> {
        if self.used == self.input.len() {
            self.input.clear();
        } else if self.used > 0 {
            self.input.drain(..self.used);
        }
        self.used = 0;
        self.input.reserve(READ);
        let read = match &mut self.transport {
            Transport::Plain(stream) => stream.read_buf(&mut self.input).await?,
            Transport::Tls(stream) => stream.read_buf(&mut self.input).await?,
            Transport::None => 0,
        };
        Ok(read > 0)
    }

    /// Waits until the client disconnects and discards its input.
    pub(super) async fn wait_for_end(&mut self) {
        loop {
            self.used = self.input.len();
            if !matches!(self.fill().await, Ok(true)) {
                return;
            }
        }
    }

    /// Writes all waiting replies at once.
    pub(super) async fn flush(&mut self) -> io::Result<()> {
        if self.output.is_empty() {
            return Ok(());
        }
        match &mut self.transport {
            Transport::Plain(stream) => stream.write_all(&self.output).await?,
            Transport::Tls(stream) => {
                stream.write_all(&self.output).await?;
                stream.flush().await?;
            }
            Transport::None => {}
        }
        self.output.clear();
        Ok(())
    }

    /// Switches to TLS. Discards what the client sent ahead in plain text.
    pub(super) async fn encrypt(&mut self, acceptor: &TlsAcceptor) -> io::Result<()> {
        self.input.clear();
        self.used = 0;
        if let Transport::Plain(stream) = std::mem::replace(&mut self.transport, Transport::None) {
            self.transport = Transport::Tls(Box::new(acceptor.accept(stream).await?));
        }
        Ok(())
    }
}

/// Position of the final dot: at the beginning of a line, after CR LF.
fn end_of_message(message: &[u8], searched: usize) -> Option<usize> {
    if searched == 0 && message.starts_with(b".\r\n") {
        return Some(0);
    }
    let mut from = searched;
    loop {
        let rest = message.get(from..)?;
        from += rest.iter().position(|byte| *byte == b'\n')? + 1;
        let before = message.get(..from)?;
        if before.ends_with(b"\r\n") && message.get(from..)?.starts_with(b".\r\n") {
            return Some(from);
        }
    }
}

/// Removes dot-stuffing from the message.
pub(super) fn without_doubled_dots(message: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(message.len());
    for line in message.split_inclusive(|byte| *byte == b'\n') {
        plain.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_dot_alone_between_line_ends_ends_a_message() {
        assert_eq!(end_of_message(b"a\r\n.\r\nMAIL", 0), Some(3));
        assert_eq!(end_of_message(b".\r\n", 0), Some(0));
        for open in [&b"a\n.\r\n"[..], b"a\r\n.", b"a\r\n..\r\n", b"a\r\n.b\r\n"] {
            assert_eq!(end_of_message(open, 0), None);
        }
    }

    #[test]
    fn an_end_that_arrives_in_pieces_is_found() {
        let whole = b"one\r\n\r\n.x\r\n.\r\n";
        for cut in 0..whole.len() {
            let searched = cut.saturating_sub(4);
            assert_eq!(end_of_message(&whole[..cut], 0), None);
            assert_eq!(end_of_message(whole, searched), Some(11), "cut at {cut}");
        }
    }

    #[test]
    fn doubled_dots_become_single() {
        assert_eq!(without_doubled_dots(b"..a\r\nb.\r\n..\r\n"), b".a\r\nb.\r\n.\r\n");
    }
}
