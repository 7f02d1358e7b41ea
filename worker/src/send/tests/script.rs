//! A relay that follows a test's script.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// A point at which the script decides: after each command, after a connection was opened (`GREETING`) and
/// after the final dot (`DOT`).
#[derive(Debug)]
pub(super) struct Moment<'a> {
    /// Number of the connection, from 0.
    pub(super) connection: usize,
    /// Number of the mail on this connection, from 0; counts MAIL commands.
    pub(super) mail: usize,
    pub(super) verb: &'a str,
    pub(super) line: &'a str,
}

/// What the relay does.
#[derive(Debug, Clone)]
pub(super) enum Act {
    Line(String),
    SayLater(Duration, String),
    SayAndClose(String),
    SayAndCloseLater(Duration, String),
    /// Sends a reply, then neither reads nor writes.
    SayAndFreeze(String),
    /// Sends a reply, reads this many bytes and closes.
    SayReadAndClose(String, usize),
    Freeze,
    Close,
    /// Sends the text repeatedly without end.
    Forever(String),
}

impl Act {
    /// Whether only a deadline ends the wait after it.
    pub(super) fn is_silent(&self) -> bool {
        match self {
            Self::Freeze | Self::SayAndFreeze(_) => true,
            // An incomplete reply.
            Self::Line(text) => {
                !text.lines().any(|line| line.as_bytes().get(3) != Some(&b'-')) || !text.ends_with('\n')
            }
            _ => false,
        }
    }
}

pub(super) fn reply_line(text: &str) -> Act {
    Act::Line(format!("{text}\r\n"))
}

/// The behaviour of a healthy relay.
pub(super) fn usual(moment: &Moment<'_>) -> Act {
    match moment.verb {
        "GREETING" => reply_line("220 relay.example.net ready"),
        "EHLO" => Act::Line(
            "250-relay.example.net\r\n250-PIPELINING\r\n250-AUTH PLAIN LOGIN\r\n250 SIZE 52428800\r\n".to_owned(),
        ),
        "DATA" => reply_line("354 go on"),
        "DOT" => reply_line("250 2.0.0 queued as 4711"),
        "QUIT" => Act::SayAndClose("221 bye\r\n".to_owned()),
        "AUTH" => reply_line("235 2.7.0 welcome"),
        "STARTTLS" => reply_line("220 go"),
        _ => reply_line("250 2.1.0 ok"),
    }
}

/// The same without PIPELINING.
pub(super) fn plain(moment: &Moment<'_>) -> Act {
    match moment.verb {
        "EHLO" => reply_line("250 relay.example.net"),
        _ => usual(moment),
    }
}

type Plot = Arc<dyn Fn(&Moment<'_>) -> Act + Send + Sync>;

pub(super) struct Relay {
    pub(super) port: u16,
    state: Arc<State>,
}

struct State {
    plot: Plot,
    tls: Option<TlsAcceptor>,
    connections: AtomicUsize,
    open: AtomicUsize,
    most_open: AtomicUsize,
    received: Mutex<Vec<String>>,
    mails: Mutex<Vec<String>>,
}

impl Relay {
    pub(super) async fn following(plot: impl Fn(&Moment<'_>) -> Act + Send + Sync + 'static) -> Self {
        Self::start(plot, None, false).await
    }

    pub(super) async fn start(
        plot: impl Fn(&Moment<'_>) -> Act + Send + Sync + 'static,
        tls: Option<TlsAcceptor>,
        from_the_start: bool,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State {
            plot: Arc::new(plot),
            tls,
            connections: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            most_open: AtomicUsize::new(0),
            received: Mutex::default(),
            mails: Mutex::default(),
        });
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                tokio::spawn(connection(tcp, Arc::clone(&shared), from_the_start));
            }
        });
        Self { port, state }
    }

    pub(super) fn plain_url(&self) -> String {
        format!("smtp://127.0.0.1:{}?tls=none", self.port)
    }

    pub(super) fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    pub(super) fn open(&self) -> usize {
        self.state.open.load(Ordering::SeqCst)
    }

    pub(super) fn most_open(&self) -> usize {
        self.state.most_open.load(Ordering::SeqCst)
    }

    /// All commands, as `connection: line`.
    pub(super) fn received(&self) -> Vec<String> {
        self.state.received.lock().unwrap().clone()
    }

    pub(super) fn count(&self, verb: &str) -> usize {
        self.received()
            .iter()
            .filter(|line| line.split(' ').nth(1) == Some(verb))
            .count()
    }

    /// All mails whose final dot arrived, as transmitted.
    pub(super) fn mails(&self) -> Vec<String> {
        self.state.mails.lock().unwrap().clone()
    }
}

async fn connection(tcp: TcpStream, state: Arc<State>, from_the_start: bool) {
    tcp.set_nodelay(true).unwrap();
    let number = state.connections.fetch_add(1, Ordering::SeqCst);
    let open = state.open.fetch_add(1, Ordering::SeqCst) + 1;
    state.most_open.fetch_max(open, Ordering::SeqCst);
    let session = Session {
        state: Arc::clone(&state),
        number,
        mail: 0,
    };
    match (&state.tls, from_the_start) {
        (Some(acceptor), true) => {
            if let Ok(stream) = acceptor.accept(tcp).await {
                Box::pin(session.run(Box::new(stream), true)).await;
            }
        }
        _ => Box::pin(session.run(Box::new(tcp), true)).await,
    }
    state.open.fetch_sub(1, Ordering::SeqCst);
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

struct Session {
    state: Arc<State>,
    number: usize,
    mail: usize,
}

enum Next {
    Command,
    Body,
    End,
}

impl Session {
    async fn run(mut self, stream: Box<dyn Stream>, greets: bool) {
        let mut stream = BufReader::new(stream);
        if greets && matches!(self.act(&mut stream, "GREETING", "").await, Next::End) {
            return;
        }
        loop {
            let mut line = Vec::new();
            if stream.read_until(b'\n', &mut line).await.unwrap_or(0) == 0 {
                return;
            }
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            self.state
                .received
                .lock()
                .unwrap()
                .push(format!("{}: {line}", self.number));
            let verb = line.split([' ', ':']).next().unwrap_or("").to_ascii_uppercase();
            let next = self.act(&mut stream, &verb, &line).await;
            self.mail += usize::from(verb == "MAIL");
            match next {
                Next::End => return,
                Next::Command if verb == "STARTTLS" && self.state.tls.is_some() => {
                    let acceptor = self.state.tls.clone().unwrap();
                    let Ok(stream) = acceptor.accept(stream.into_inner()).await else {
                        return;
                    };
                    return Box::pin(self.run(Box::new(stream), false)).await;
                }
                Next::Command => {}
                Next::Body => {
                    let mut mail = Vec::new();
                    loop {
                        let from = mail.len();
                        if stream.read_until(b'\n', &mut mail).await.unwrap_or(0) == 0 {
                            return;
                        }
                        if &mail[from..] == b".\r\n" {
                            break;
                        }
                    }
                    self.state.mails.lock().unwrap().push(String::from_utf8(mail).unwrap());
                    if matches!(self.act(&mut stream, "DOT", "").await, Next::End) {
                        return;
                    }
                }
            }
        }
    }

    async fn act(&self, stream: &mut BufReader<Box<dyn Stream>>, verb: &str, line: &str) -> Next {
        let mail = self
            .mail
            .saturating_sub(usize::from(matches!(verb, "RCPT" | "DATA" | "DOT")));
        let act = (self.state.plot)(&Moment {
            connection: self.number,
            mail,
            verb,
            line,
        });
        match act {
            Act::Line(text) => self.send_reply(stream, verb, &text).await,
            Act::SayLater(pause, text) => {
                tokio::time::sleep(pause).await;
                self.send_reply(stream, verb, &text).await
            }
            Act::SayAndCloseLater(pause, text) => {
                tokio::time::sleep(pause).await;
                self.send_reply(stream, verb, &text).await;
                let _ = stream.shutdown().await;
                Next::End
            }
            Act::SayAndClose(text) => {
                self.send_reply(stream, verb, &text).await;
                let _ = stream.shutdown().await;
                Next::End
            }
            Act::SayAndFreeze(text) => {
                self.send_reply(stream, verb, &text).await;
                std::future::pending().await
            }
            Act::SayReadAndClose(text, length) => {
                self.send_reply(stream, verb, &text).await;
                let mut bytes = vec![0; length];
                let _ = stream.read_exact(&mut bytes).await;
                Next::End
            }
            Act::Freeze => std::future::pending().await,
            Act::Close => Next::End,
            Act::Forever(text) => {
                while stream.write_all(text.as_bytes()).await.is_ok() {}
                Next::End
            }
        }
    }

    async fn send_reply(&self, stream: &mut BufReader<Box<dyn Stream>>, verb: &str, text: &str) -> Next {
        if stream.write_all(text.as_bytes()).await.is_err() || stream.flush().await.is_err() {
            return Next::End;
        }
        if verb == "DATA" && text.starts_with("354") {
            Next::Body
        } else {
            Next::Command
        }
    }
}
