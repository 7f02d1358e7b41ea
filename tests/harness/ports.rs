//! Ports that stay ours while nobody listens on them.
//!
//! The system hands out ports from the ephemeral range to every outgoing connection. A server
//! that stops and comes back may find its port taken that way, and a client that keeps knocking
//! at a closed port of that range can even connect to itself. All ports here lie below it
//! (32768 on Linux, 49152 on macOS), and are tried in an order drawn by lot.
//!
//! Between the harnesses of a machine a port is claimed by its namesake in UDP, which nobody here
//! uses: only one can hold it, it is free again when its process is gone, and the port itself is left
//! to the server, before its start and between a stop and the next start too.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::ops::Range;
use std::time::{Duration, Instant};

use crate::error::{HarnessError, Result};

/// Where ports are taken from.
const RANGE: Range<u16> = 10_000..32_000;
/// How many ports to try before concluding that something else is wrong.
const TRIES: u16 = 500;
/// How long a port that was given up may take to be free again.
const REOPEN: Duration = Duration::from_secs(5);

/// A port of the loopback address that no other harness takes until this is dropped.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _claim: UdpSocket,
}

impl Port {
    /// Claims a port on which nobody listens.
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

    /// Claims this one, unless somebody has it.
    fn take(number: u16) -> Option<Self> {
        let claim = UdpSocket::bind((Ipv4Addr::LOCALHOST, number)).ok()?;
        // Whoever is not of us knows nothing of claims.
        TcpListener::bind((Ipv4Addr::LOCALHOST, number)).ok()?;
        Some(Self { number, _claim: claim })
    }

    /// Its number.
    pub const fn number(&self) -> u16 {
        self.number
    }

    /// It and the loopback address.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.number).into()
    }

    /// Listens on it, also when that was given up a moment ago.
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

/// A number below `end` that differs from process to process and call to call.
pub(crate) fn lot(end: usize) -> usize {
    let drawn = RandomState::new().build_hasher().finish();
    usize::try_from(drawn % end.max(1) as u64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_claimed_is_nobody_elses_while_nobody_listens() {
        let port = Port::claim().unwrap();

        assert!(Port::take(port.number).is_none());
        assert!(TcpListener::bind(port.address()).is_ok());
    }

    #[tokio::test]
    async fn where_a_stranger_listens_nothing_is_claimed() {
        let port = Port::claim().unwrap();
        let number = port.number;
        let _stranger = port.listen().await.unwrap();
        drop(port);

        assert!(Port::take(number).is_none());
    }
}
