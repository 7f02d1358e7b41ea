//! Ports that stay reserved while no process listens on them.
//!
//! The system assigns ports of the ephemeral range to outgoing connections. A server that stops and restarts may find
//! its port taken that way, and a client that keeps connecting to a closed port of that range can even connect to
//! itself. All ports here are below that range (32768 on Linux, 49152 on macOS) and are tried in random order.
//!
//! Harnesses on the same machine reserve a TCP port by binding the UDP port of the same number, which is otherwise
//! unused. Only one process can hold it, it is released when that process ends, and the TCP port itself stays free for
//! the server, before its start and between a stop and the next start.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::ops::Range;
use std::time::{Duration, Instant};

use crate::error::{HarnessError, Result};

/// The range that ports are taken from.
const RANGE: Range<u16> = 10_000..32_000;
/// How many ports to try before concluding that something else is wrong.
const TRIES: u16 = 500;
/// How long a released port may take to become free.
const REOPEN: Duration = Duration::from_secs(5);

/// A port of the loopback address that no other harness takes until this is dropped.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _claim: UdpSocket,
}

impl Port {
    /// Claims a port that no process listens on.
    ///
    /// # Errors
    ///
    /// When hundreds in a row are taken.
    pub fn claim() -> Result<Self> {
        let start = lot(RANGE.len());
        for step in 0..TRIES {
            let place = (start + usize::from(step)) % RANGE.len();
            let number = RANGE.start + u16::try_from(place).unwrap_or(0);
            if let Some(port) = Self::take(number) {
                return Ok(port);
            }
        }
        Err(HarnessError::new(format!("could not find a free port in {RANGE:?}")))
    }

    /// Claims this port unless it is in use.
    fn take(number: u16) -> Option<Self> {
        let claim = UdpSocket::bind((Ipv4Addr::LOCALHOST, number)).ok()?;
        // Processes outside the harness do not know about claims.
        TcpListener::bind((Ipv4Addr::LOCALHOST, number)).ok()?;
        Some(Self { number, _claim: claim })
    }

    /// Its number.
    pub const fn number(&self) -> u16 {
        self.number
    }

    /// Its loopback socket address.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.number).into()
    }

    /// Listens on it, even if it was released a moment ago.
    pub(crate) async fn listen(&self) -> Result<tokio::net::TcpListener> {
        let deadline = Instant::now() + REOPEN;
        loop {
            match tokio::net::TcpListener::bind(self.address()).await {
                Ok(listener) => return Ok(listener),
                Err(_) if Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Err(e) => {
                    let sentence = format!("could not listen on {}", self.address());
                    return Err(HarnessError::because(sentence, e));
                }
            }
        }
    }
}

/// A random number below `end`; differs between processes and calls.
pub(crate) fn lot(end: usize) -> usize {
    let drawn = RandomState::new().build_hasher().finish();
    usize::try_from(drawn % end.max(1) as u64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claimed_port_is_exclusive_before_anything_listens() {
        let port = Port::claim().unwrap();

        assert!(Port::take(port.number).is_none());
        assert!(TcpListener::bind(port.address()).is_ok());
    }

    #[tokio::test]
    async fn a_port_in_use_is_not_claimed() {
        let port = Port::claim().unwrap();
        let number = port.number;
        let _stranger = port.listen().await.unwrap();
        drop(port);

        assert!(Port::take(number).is_none());
    }
}
