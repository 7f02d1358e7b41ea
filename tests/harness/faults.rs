//! A TCP proxy that cuts, stalls and restores what passes between two processes.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::Url;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::error::{HarnessError, Result};
use crate::ports::{Port, lot};

/// Size of a chunk.
const CHUNK: usize = 16 * 1024;
/// Pause between slices, so that each is sent in a separate packet.
const SLICE_PAUSE: Duration = Duration::from_millis(1);

/// A proxy in front of one server. Dropping it ends it and all its connections.
///
/// Faults add up until [`FaultProxy::restore`] removes them.
#[derive(Debug)]
pub struct FaultProxy {
    port: Port,
    /// The target of new connections.
    upstream: Arc<Mutex<SocketAddr>>,
    rules: watch::Sender<Rules>,
    connections: Arc<AtomicUsize>,
    listening: tokio::sync::Mutex<Option<JoinHandle<()>>>,
}

/// The faults that apply to all connections.
#[derive(Debug, Clone, Default)]
struct Rules {
    requests_stall: bool,
    replies_stall: bool,
    latency: Duration,
    /// Maximum additional delay, drawn for each chunk.
    jitter: Duration,
    slice: Option<usize>,
    /// Bytes per second in each direction of each connection.
    bandwidth: Option<u32>,
    limit: Option<usize>,
    /// Incremented to end all open connections.
    era: u64,
    /// Whether they end with a reset.
    by_reset: bool,
    /// Connections up to this number, in order of acceptance, forward nothing any more.
    silent_up_to: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Requests,
    Replies,
}

impl FaultProxy {
    /// Starts a proxy in front of this address, on a free port of the loopback address.
    pub async fn start(upstream: SocketAddr) -> Result<Self> {
        let port = Port::claim()?;
        let listener = port.listen().await?;
        let proxy = Self {
            port,
            upstream: Arc::new(Mutex::new(upstream)),
            rules: watch::Sender::default(),
            connections: Arc::default(),
            listening: tokio::sync::Mutex::default(),
        };
        *proxy.listening.lock().await = Some(proxy.listen(listener));
        Ok(proxy)
    }

    /// Starts a proxy in front of the server of this URL.
    pub async fn in_front_of(url: &str) -> Result<Self> {
        let failed = |e| HarnessError::because(format!("could not find the server of {url}"), e);
        let parsed = Url::parse(url).map_err(|e| failed(io::Error::other(e)))?;
        let mut addresses = parsed.socket_addrs(|| None).map_err(failed)?;
        let upstream = addresses
            .pop()
            .ok_or_else(|| failed(io::ErrorKind::AddrNotAvailable.into()))?;
        Self::start(upstream).await
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// The URL with the address of the proxy.
    pub fn url(&self, direct: &str) -> Result<String> {
        let failed = || HarnessError::new(format!("could not lead {direct} through the proxy"));
        let mut url = Url::parse(direct).map_err(|_| failed())?;
        url.set_host(Some("127.0.0.1")).map_err(|_| failed())?;
        url.set_port(Some(self.port.number())).map_err(|()| failed())?;
        Ok(url.into())
    }

    /// Forwards new connections to another server, like a DNS name or a virtual IP that moves. Open ones stay.
    pub fn lead_to(&self, upstream: SocketAddr) {
        *locked(&self.upstream) = upstream;
    }

    /// Number of accepted connections.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Closes all connections and refuses new ones.
    pub async fn cut(&self) {
        if let Some(listening) = self.listening.lock().await.take() {
            listening.abort();
            // Only its end matters, which closes the port.
            let _ = listening.await;
        }
        self.end_connections(false);
    }

    /// Removes all faults. Stalled bytes arrive now, as after a healed network.
    ///
    /// # Errors
    ///
    /// When another process has taken the port since it was cut.
    pub async fn restore(&self) -> Result<()> {
        self.rules.send_modify(|rules| {
            *rules = Rules {
                era: rules.era,
                by_reset: rules.by_reset,
                ..Rules::default()
            };
        });
        let mut listening = self.listening.lock().await;
        if listening.is_none() {
            *listening = Some(self.listen(self.port.listen().await?));
        }
        Ok(())
    }

    /// Forwards nothing in either direction. All connections stay open, and new ones are accepted.
    pub fn stall(&self) {
        self.rules.send_modify(|rules| {
            rules.requests_stall = true;
            rules.replies_stall = true;
        });
    }

    /// Forwards requests and drops the replies: the server acts, and the client does not learn of it.
    pub fn stall_replies(&self) {
        self.rules.send_modify(|rules| rules.replies_stall = true);
    }

    /// Forwards nothing any more on open connections without closing them, like a firewall that has dropped its
    /// state; new ones work.
    pub fn silence(&self) {
        let open = self.connections();
        self.rules.send_modify(|rules| rules.silent_up_to = open);
    }

    /// Delays all traffic in each direction.
    pub fn latency(&self, latency: Duration) {
        self.latency_between(latency, latency);
    }

    /// Delays all traffic in each direction, by a random time between these two for each chunk.
    pub fn latency_between(&self, least: Duration, most: Duration) {
        self.rules.send_modify(|rules| {
            rules.latency = least;
            rules.jitter = most.saturating_sub(least);
        });
    }

    /// Limits each direction of each connection to this many bytes per second.
    pub fn bandwidth(&self, bytes_a_second: u32) {
        self.rules.send_modify(|rules| rules.bandwidth = Some(bytes_a_second));
    }

    /// Resets all connections on both sides; new ones are accepted.
    pub fn reset(&self) {
        self.end_connections(true);
    }

    /// Closes each connection once the client has sent this many bytes on it, including those before this call;
    /// exactly this many reach the server.
    pub fn limit(&self, bytes: usize) {
        self.rules.send_modify(|rules| rules.limit = Some(bytes));
    }

    /// Forwards everything in packets of this many bytes, one per millisecond.
    pub fn slice(&self, bytes: usize) {
        self.rules.send_modify(|rules| rules.slice = Some(bytes.max(1)));
    }

    fn end_connections(&self, by_reset: bool) {
        self.rules.send_modify(|rules| {
            rules.era += 1;
            rules.by_reset = by_reset;
        });
    }

    fn listen(&self, listener: TcpListener) -> JoinHandle<()> {
        let rules = self.rules.subscribe();
        let (upstream, connections) = (Arc::clone(&self.upstream), Arc::clone(&self.connections));
        tokio::spawn(async move {
            loop {
                let Ok((client, _)) = listener.accept().await else {
                    // A temporary problem of the system, such as too many open files.
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    continue;
                };
                let number = connections.fetch_add(1, Ordering::Relaxed) + 1;
                let upstream = *locked(&upstream);
                tokio::spawn(connect(client, upstream, rules.clone(), number));
            }
        })
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        // The connections end as well once the rules are dropped.
        if let Some(listening) = self.listening.get_mut().take() {
            listening.abort();
        }
    }
}

impl Rules {
    /// The delay of a chunk of this many bytes.
    fn delay_of(&self, bytes: usize) -> Duration {
        let jitter = self.jitter * u32::try_from(lot(1_000)).unwrap_or(0) / 1_000;
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let transfer = self.bandwidth.map_or(Duration::ZERO, |a_second| {
            Duration::from_secs(1) * bytes / a_second.max(1)
        });
        self.latency + jitter + transfer
    }

    fn let_pass(&self, direction: Direction, connection: usize) -> bool {
        let stalls = match direction {
            Direction::Requests => self.requests_stall,
            Direction::Replies => self.replies_stall,
        };
        !stalls && connection > self.silent_up_to
    }
}

/// Forwards the connection with this number until one side, a fault or the proxy ends it.
async fn connect(mut client: TcpStream, upstream: SocketAddr, rules: watch::Receiver<Rules>, number: usize) {
    let era = rules.borrow().era;
    let (mut passing, mut watched) = (rules.clone(), rules.clone());
    // A server behind a black hole is not reached at all.
    let is_open = tokio::select! {
        open = passing.wait_for(|rules| rules.let_pass(Direction::Requests, number)) => open.is_ok(),
        _ = watched.wait_for(|rules| rules.era != era) => false,
    };
    if !is_open {
        return;
    }
    let Ok(mut server) = TcpStream::connect(upstream).await else {
        return;
    };
    // Otherwise Nagle's algorithm would delay slices further.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let is_reset = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let requests = carry(from_client, to_server, rules.clone(), (Direction::Requests, number));
        let replies = carry(from_server, to_client, rules, (Direction::Replies, number));
        tokio::select! {
            ended = watched.wait_for(|rules| rules.era != era) => {
                ended.is_ok_and(|rules| rules.by_reset)
            }
            _ = async { tokio::try_join!(requests, replies) } => false,
        }
    };
    if is_reset {
        let _ = (client.set_zero_linger(), server.set_zero_linger());
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Forwards one direction of the connection with this number to its end.
///
/// # Errors
///
/// When the other direction must end too.
async fn carry(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    mut rules: watch::Receiver<Rules>,
    (direction, number): (Direction, usize),
) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK];
    let mut carried = 0;
    loop {
        pass(&mut rules, direction, number).await?;
        let read = from.read(&mut chunk).await?;
        // Bytes received when a stall begins stay here until it ends.
        let present = pass(&mut rules, direction, number).await?;
        if read == 0 {
            return to.shutdown().await;
        }
        tokio::time::sleep(present.delay_of(read)).await;
        let limit = match direction {
            Direction::Requests => present.limit.unwrap_or(usize::MAX),
            Direction::Replies => usize::MAX,
        };
        let allowed = read.min(limit.saturating_sub(carried));
        let bytes = chunk.get(..allowed).unwrap_or_default();
        match present.slice {
            None => to.write_all(bytes).await?,
            Some(slice) => {
                for slice in bytes.chunks(slice) {
                    to.write_all(slice).await?;
                    tokio::time::sleep(SLICE_PAUSE).await;
                }
            }
        }
        carried += allowed;
        if carried >= limit {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
    }
}

/// Waits until this direction of a connection is not stalled, and returns the current faults.
async fn pass(rules: &mut watch::Receiver<Rules>, direction: Direction, number: usize) -> io::Result<Rules> {
    rules
        .wait_for(|rules| rules.let_pass(direction, number))
        .await
        .map(|rules| rules.clone())
        .map_err(io::Error::other)
}

#[cfg(test)]
mod tests;
