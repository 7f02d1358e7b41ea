//! Ports that stay ours while nobody listens on them.
//!
//! The system hands out ports from the ephemeral range to every outgoing connection. A server
//! that stops and comes back may find its port taken that way, and a client that keeps knocking
//! at a closed port of that range can even connect to itself. All ports here lie below it
//! (32768 on Linux, 49152 on macOS), and are tried in an order drawn by lot.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::Range;
use std::time::{Duration, Instant};

use crate::error::{HarnessError, Result};

/// Where stacks take their blocks from.
const BLOCKS: Range<u16> = 10_000..20_000;
/// Ports of one stack: the claim itself and up to seven servers.
const BLOCK: u16 = 8;
/// Where single listeners (relays, proxies) take their ports from.
const SINGLES: Range<u16> = 20_000..32_000;
/// How many ports to try before concluding that something else is wrong.
const TRIES: u16 = 500;
/// How long a port that was given up may take to be free again.
const REOPEN: Duration = Duration::from_secs(5);

/// Neighbouring ports that belong to one stack until this value is dropped.
///
/// The first of them is held by a listener, which is what keeps other harnesses on this machine
/// away from the rest, also while the stack's servers are down.
#[derive(Debug)]
pub(crate) struct PortBlock {
    _claim: TcpListener,
    first: u16,
}

impl PortBlock {
    /// Claims a block in which nobody listens.
    pub(crate) fn claim() -> Result<Self> {
        let blocks = BLOCKS.len() / usize::from(BLOCK);
        let start = lot(blocks);
        for step in 0..TRIES {
            let number = (start + usize::from(step)) % blocks;
            let first = BLOCKS.start + u16::try_from(number).unwrap_or(0) * BLOCK;
            let Ok(claim) = listen(first) else { continue };
            if (first + 1..first + BLOCK).all(|port| listen(port).is_ok()) {
                return Ok(Self { _claim: claim, first });
            }
        }
        Err(HarnessError::new(format!(
            "could not find {BLOCK} free neighbouring ports in {BLOCKS:?}"
        )))
    }

    /// The port at this place in the block, from 1 to 7.
    pub(crate) fn port(&self, place: u16) -> u16 {
        self.first + place.clamp(1, BLOCK - 1)
    }
}

/// Listens on some free port of the loopback address.
pub(crate) async fn listen_somewhere() -> Result<tokio::net::TcpListener> {
    let start = lot(SINGLES.len());
    for step in 0..TRIES {
        let place = (start + usize::from(step)) % SINGLES.len();
        let port = SINGLES.start + u16::try_from(place).unwrap_or(0);
        if let Ok(listener) = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
            return Ok(listener);
        }
    }
    Err(HarnessError::new(format!("could not find a free port in {SINGLES:?}")))
}

/// Listens again on a port that was given up a moment ago.
pub(crate) async fn listen_again(address: SocketAddr) -> Result<tokio::net::TcpListener> {
    let deadline = Instant::now() + REOPEN;
    loop {
        match tokio::net::TcpListener::bind(address).await {
            Ok(listener) => return Ok(listener),
            Err(_) if Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(e) => {
                let sentence = format!("could not listen on {address} again");
                return Err(HarnessError::because(sentence, e));
            }
        }
    }
}

fn listen(port: u16) -> std::io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
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
    fn two_blocks_share_no_port() {
        let one = PortBlock::claim().unwrap();
        let other = PortBlock::claim().unwrap();

        assert!(one.first.abs_diff(other.first) >= BLOCK);
    }
}
