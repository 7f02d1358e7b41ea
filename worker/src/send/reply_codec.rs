//! Parses replies from bytes.
//!
//! Any second digit is accepted (RFC 5321, 4.2.1 lets a client act on the first alone), and so are a code
//! without text (required by 4.2) and bytes that are not UTF-8, which become question marks: none of these is
//! a reason to send an accepted mail again. A multi-line reply has the code of its last line; lines of
//! different classes are not a reply.

use std::io;

use tokio_util::bytes::{Buf as _, BytesMut};
use tokio_util::codec::Decoder;

use super::reply::Reply;

/// Maximum length of a reply in bytes. Real ones stay below two thousand.
const REPLY_LIMIT: usize = 32 * 1024;

/// Bytes added to the length of each line, so that a reply of many short lines also reaches the limit.
const LINE_COST: usize = 128;

/// A partially received reply.
#[derive(Debug, Default)]
pub(super) struct ReplyCodec {
    text: String,
    class: Option<u8>,
    seen: usize,
}

struct Line<'a> {
    code: u16,
    is_last: bool,
    text: &'a [u8],
}

impl Decoder for ReplyCodec {
    type Item = Reply;
    type Error = io::Error;

    fn decode(&mut self, bytes: &mut BytesMut) -> io::Result<Option<Reply>> {
        loop {
            let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
                return self.check_length(bytes.len()).map(|()| None);
            };
            self.check_length(end)?;
            let length = end + 1;
            let line = bytes.get(..end).unwrap_or_default();
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let found = Line::parse(line).ok_or_else(|| garbled_reply(&format!("not a reply: {}", readable(line))))?;
            self.add(&found)?;
            let (code, is_last) = (found.code, found.is_last);
            self.seen += length + LINE_COST;
            bytes.advance(length);
            if is_last {
                let Self { text, .. } = std::mem::take(self);
                return Ok(Some(Reply { code, text }));
            }
        }
    }
}

impl ReplyCodec {
    fn check_length(&self, more: usize) -> io::Result<()> {
        if self.seen + more > REPLY_LIMIT {
            return Err(garbled_reply("the relay's reply does not end"));
        }
        Ok(())
    }

    fn add(&mut self, line: &Line<'_>) -> io::Result<()> {
        let class = u8::try_from(line.code / 100).unwrap_or_default();
        if self.class.replace(class).is_some_and(|before| before != class) {
            return Err(garbled_reply("the lines of a reply contradict each other"));
        }
        if self.seen > 0 {
            self.text.push('\n');
        }
        self.text.push_str(&readable(line.text));
        Ok(())
    }
}

impl<'a> Line<'a> {
    fn parse(line: &'a [u8]) -> Option<Self> {
        let (digits, rest) = line.split_at_checked(3)?;
        let [first @ b'2'..=b'5', second @ b'0'..=b'9', third @ b'0'..=b'9'] = *digits else {
            return None;
        };
        let digit = |byte: u8| u16::from(byte - b'0');
        let (is_last, text) = match rest {
            [] => (true, rest),
            [b' ', text @ ..] => (true, text),
            [b'-', text @ ..] => (false, text),
            _ => return None,
        };
        Some(Self {
            code: digit(first) * 100 + digit(second) * 10 + digit(third),
            is_last,
            text,
        })
    }
}

/// Decodes a reply, which is at most UTF-8 (RFC 6531, 3.7.4.2).
fn readable(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).replace('\u{fffd}', "?")
}

fn garbled_reply(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(bytes: &[u8]) -> io::Result<Option<Reply>> {
        ReplyCodec::default().decode(&mut BytesMut::from(bytes))
    }

    fn reply(code: u16, text: &str) -> Reply {
        Reply {
            code,
            text: text.to_owned(),
        }
    }

    #[test]
    fn replies_are_read_as_relays_send_them() {
        for (bytes, expected) in [
            (&b"250 2.0.0 ok\r\n"[..], Some(reply(250, "2.0.0 ok"))),
            (b"250 ok\n", Some(reply(250, "ok"))),
            (b"250\r\n", Some(reply(250, ""))),
            (b"250-\r\n250\r\n", Some(reply(250, "\n"))),
            (
                b"250-one\r\n250-two\r\n250 three\r\n",
                Some(reply(250, "one\ntwo\nthree")),
            ),
            (b"571 no\r\n", Some(reply(571, "no"))),
            (b"499 no\r\n", Some(reply(499, "no"))),
            (b"554-5.7.1 a\r\n550 5.7.1 b\r\n", Some(reply(550, "5.7.1 a\n5.7.1 b"))),
            (b"550 gr\xfc\xdfe\r\n", Some(reply(550, "gr??e"))),
            (b"550 gr\xc3\xbc\xc3\x9fe\r\n", Some(reply(550, "grüße"))),
            (b"250 half a li", None),
            (b"250-first\r\n", None),
            (b"25", None),
        ] {
            assert_eq!(decode(bytes).unwrap(), expected, "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn invalid_replies_are_errors() {
        let long = format!("250 {}", "x".repeat(40_000));
        let many = "250-x\r\n".repeat(300);
        for bytes in [
            &b"good morning\r\n"[..],
            b"\r\n",
            b"25\r\n",
            b"250x\r\n",
            b"150 no\r\n",
            b"650 no\r\n",
            b"250-one\r\n550 two\r\n",
            long.as_bytes(),
            many.as_bytes(),
        ] {
            assert!(decode(bytes).is_err(), "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn a_reply_may_arrive_byte_by_byte_and_leaves_the_following_bytes() {
        let bytes = b"250-one\r\n250 two\r\n354 go\r\n";
        let (mut codec, mut buffer, mut replies) = (ReplyCodec::default(), BytesMut::new(), Vec::new());
        for byte in bytes {
            buffer.extend_from_slice(&[*byte]);
            replies.extend(codec.decode(&mut buffer).unwrap());
        }
        assert_eq!(
            replies.into_iter().map(|reply| reply.code).collect::<Vec<_>>(),
            [250, 354]
        );
    }
}
