//! Limits connections per client, so that one client cannot block all others.

use crate::app::client_network::networks_of;
use crate::app::shares::Shares;
use crate::http::client_address::TrustedProxies;
use ipnet::IpNet;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tracing::warn;

/// Interval between warnings that a client has too many connections.
const WARN_INTERVAL: Duration = Duration::from_mins(1);

/// Counts the connections of each client: an IPv4 address, or the /64 of an IPv6 address. The /56 and the /48 around it
/// have limits too, so that one holder of many /64s cannot take all connections.
pub(super) struct Admission {
    proxies: TrustedProxies,
    /// Limits by width of network, narrowest first.
    shares: [Shares<IpNet>; 3],
    warned_at: Option<Instant>,
}

/// An admitted connection. Dropping it frees its place.
pub(super) struct Admitted {
    /// Empty for a trusted proxy, which forwards many clients and has no limit.
    _shares: Vec<OwnedSemaphorePermit>,
}

impl Admission {
    /// Allows `most_per_client` connections at once from each client that is not a trusted proxy, half as many again
    /// from an IPv6 /56, and twice as many from a /48.
    pub(super) fn new(proxies: TrustedProxies, most_per_client: usize) -> Self {
        let shares = [2, 3, 4].map(|halves| Shares::new(most_per_client * halves / 2));
        Self {
            proxies,
            shares,
            warned_at: None,
        }
    }

    /// Admits a connection, unless its client or a network around it has reached its limit.
    pub(super) fn admit(&mut self, peer: SocketAddr) -> Option<Admitted> {
        let address = peer.ip().to_canonical();
        if self.proxies.contains(address) {
            return Some(Admitted { _shares: Vec::new() });
        }
        let mut taken = Vec::new();
        for (shares, network) in self.shares.iter().zip(networks_of(address)) {
            let Ok(share) = shares.of(network).try_acquire_owned() else {
                self.warn(network);
                return None;
            };
            taken.push(share);
        }
        Some(Admitted { _shares: taken })
    }

    fn warn(&mut self, client: IpNet) {
        if self.warned_at.is_none_or(|at| at.elapsed() >= WARN_INTERVAL) {
            self.warned_at = Some(Instant::now());
            warn!(
                client = %client,
                "Closed a connection because its client has reached the limit of open connections. If it is your \
                 reverse proxy, list it in BECKON_TRUSTED_PROXIES"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(address: &str) -> SocketAddr {
        SocketAddr::new(address.parse().unwrap(), 4711)
    }

    #[test]
    fn one_client_cannot_take_the_places_of_others() {
        let mut admission = Admission::new(TrustedProxies::default(), 2);
        let first = admission.admit(peer("192.0.2.1")).unwrap();
        let _second = admission.admit(peer("::ffff:192.0.2.1")).unwrap();

        assert!(admission.admit(peer("192.0.2.1")).is_none());
        assert!(admission.admit(peer("192.0.2.2")).is_some());
        drop(first);
        assert!(admission.admit(peer("192.0.2.1")).is_some());
    }

    #[test]
    fn the_addresses_of_an_ipv6_network_are_one_client() {
        let mut admission = Admission::new(TrustedProxies::default(), 2);
        let _two = ["2001:db8:1:2::1", "2001:db8:1:2::2"].map(|address| admission.admit(peer(address)).unwrap());

        assert!(admission.admit(peer("2001:db8:1:2:ffff::9")).is_none());
        assert!(admission.admit(peer("2001:db8:1:3::1")).is_some());
    }

    #[test]
    fn many_networks_of_one_holder_cannot_take_the_places_of_others() {
        let admitted = |addresses: &dyn Fn(usize) -> String| {
            let mut admission = Admission::new(TrustedProxies::default(), 10);
            let admitted = (0..100).map_while(|n| admission.admit(peer(&addresses(n))));
            let admitted: Vec<_> = admitted.collect();
            assert!(admission.admit(peer("2001:db8:ffff::1")).is_some());
            admitted.len()
        };

        assert_eq!(admitted(&|n| format!("2001:db8:1:2::{n:x}")), 10);
        assert_eq!(admitted(&|n| format!("2001:db8:1:{n:x}::1")), 15);
        assert_eq!(admitted(&|n| format!("2001:db8:1:{n:x}00::1")), 20);
    }

    #[test]
    fn a_trusted_proxy_may_have_any_number() {
        let mut admission = Admission::new(TrustedProxies::parse("10.0.0.0/8").unwrap(), 1);
        let admitted: Vec<_> = (0..5).map(|_| admission.admit(peer("::ffff:10.1.2.3"))).collect();

        assert!(admitted.iter().all(Option::is_some));
    }

    #[tokio::test(start_paused = true)]
    async fn refusals_are_logged_once_a_minute() {
        let mut admission = Admission::new(TrustedProxies::default(), 0);
        assert!(admission.admit(peer("192.0.2.1")).is_none());
        let first = admission.warned_at;
        assert!(first.is_some());

        tokio::time::advance(WARN_INTERVAL / 2).await;
        assert!(admission.admit(peer("192.0.2.2")).is_none());
        assert_eq!(admission.warned_at, first);

        tokio::time::advance(WARN_INTERVAL / 2).await;
        assert!(admission.admit(peer("192.0.2.1")).is_none());
        assert_ne!(admission.warned_at, first);
    }
}
