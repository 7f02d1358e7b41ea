//! Replies of a relay.

use std::time::Duration;

use prometheus::Registry;
use shared::batch::Lane;
use shared::lifecycle::Lifecycle;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use worker::send::{Answer, Envelope, Mailer, Permit, RelayUrl, Settings, Shipment, Verdict};

use crate::engine::Target;

const TARGET: Target = Target {
    name: "smtp_reply",
    words: &[
        b"250",
        b"250 ",
        b"250-",
        b"354 ",
        b"421 4.3.2 bye",
        b"550 5.1.1 ",
        b"451 4.7.1 ",
        b"5.1.1",
        b"\r\n",
        b"\n",
        b"\r",
        b"-",
        b" ",
        b"\0",
        b"\xff",
        b"999 ",
        b"25",
        b"250 2.0.0 ok\r\n",
        b"250 ok\r\n250 ok\r\n",
    ],
};

/// Longer than a reply over the loopback address takes, and short enough to try many.
const DEADLINE: Duration = Duration::from_millis(150);

const WIRE: &[u8] = b"Subject: Welcome\r\n\r\nHello Ada\r\n.\r\n";

#[test]
fn a_mail_counts_as_sent_only_after_a_positive_last_reply() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    TARGET.run(|bytes| {
        let answer = runtime.block_on(sent_to_a_relay_that_ends_with(bytes.to_vec()));
        assert!(
            answer.reply.chars().count() <= 500 && !answer.reply.contains(char::is_control),
            "{answer:?}"
        );
        assert_eq!(answer.verdict == Verdict::Accepted, is_completion(bytes), "{answer:?}");
    });
}

/// A mail that waits for its reply.
struct OneMail {
    envelope: Envelope,
    answer: oneshot::Sender<Answer>,
}

impl Shipment for OneMail {
    fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    fn wire(&self) -> &[u8] {
        WIRE
    }

    fn size(&self) -> usize {
        WIRE.len() - 3
    }

    fn lane(&self) -> Lane {
        Lane::Interactive
    }

    fn batch(&self) -> uuid::Uuid {
        uuid::Uuid::nil()
    }

    fn is_first_attempt(&self) -> bool {
        true
    }

    fn take_permit(&mut self) -> Option<Permit> {
        None
    }

    fn may_start_body(&self) -> bool {
        true
    }

    fn finish(self, answer: Answer) {
        self.answer.send(answer).unwrap();
    }
}

/// Sends one mail to a relay that behaves normally up to the final dot, replies to it with these bytes, and
/// disconnects.
async fn sent_to_a_relay_that_ends_with(reply: Vec<u8>) -> Answer {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("smtp://{}?tls=none", listener.local_addr().unwrap());
    let relay = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        // Whether the client is still connected does not matter here.
        let _ = converse(stream, &reply).await;
    });
    let lifecycle = Lifecycle::new();
    let url = RelayUrl::parse(&url, false).unwrap();
    let mut settings = Settings::for_connections(1, "beckon.example.org");
    settings.deadlines.dot = DEADLINE;
    settings.hold_alone = std::time::Duration::ZERO;
    let mailer = Mailer::new(url, settings, &Registry::new(), lifecycle.clone()).unwrap();
    let (answer, answered) = oneshot::channel();
    let envelope = Envelope::new(
        "beckon@example.org".parse().unwrap(),
        "ada@example.org".parse().unwrap(),
    );
    mailer.send(vec![OneMail { envelope, answer }]);
    let answer = answered.await.unwrap();
    relay.abort();
    lifecycle.stopping().cancel();
    answer
}

async fn converse(mut stream: TcpStream, reply: &[u8]) -> std::io::Result<()> {
    stream.write_all(b"220 relay\r\n").await?;
    for answer in ["250 relay\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n"] {
        read_until(&mut stream, b"\r\n").await?;
        stream.write_all(answer.as_bytes()).await?;
    }
    read_until(&mut stream, b"\r\n.\r\n").await?;
    stream.write_all(reply).await?;
    stream.shutdown().await?;
    // Closing a socket with unread data resets the connection and discards the reply.
    stream.read_to_end(&mut Vec::new()).await.map(drop)
}

async fn read_until(stream: &mut TcpStream, end: &[u8]) -> std::io::Result<()> {
    let mut received = Vec::new();
    while !received.ends_with(end) {
        received.push(stream.read_u8().await?);
    }
    Ok(())
}

/// Whether the bytes start with a complete reply whose lines all start with 2 (RFC 5321 4.2; any second digit, and bare
/// LF line ends allowed), parsed without the worker's code.
fn is_completion(mut bytes: &[u8]) -> bool {
    while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
        let line = bytes[..end].strip_suffix(b"\r").unwrap_or(&bytes[..end]);
        let (code, rest) = line.split_at(line.len().min(3));
        if !matches!(code, [b'2', b'0'..=b'9', b'0'..=b'9']) {
            return false;
        }
        match rest.first() {
            Some(b'-') => bytes = &bytes[end + 1..],
            after => return matches!(after, Some(b' ') | None),
        }
    }
    false
}
