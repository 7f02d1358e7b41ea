//! Which connections are let in, so that one client cannot keep all others out.

use crate::client_address::{TrustedProxies, network_of};
use crate::shares::Shares;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tracing::warn;

/// Between two warnings that a client has too many connections.
const WARN_EVERY: Duration = Duration::from_mins(1);

/// Counts the connections of each client: an IPv4 address, or the /64 of an IPv6 address.
pub(super) struct Admission {
    proxies: TrustedProxies,
    shares: Shares<IpAddr>,
    warned_at: Option<Instant>,
}

/// A connection that was let in. Dropping it frees its place in the client's share.
pub(super) struct Admitted {
    /// A trusted proxy brings the connections of many clients and has no share.
    _share: Option<OwnedSemaphorePermit>,
}

impl Admission {
    /// Lets in `most_per_client` connections at once from each client that is not a trusted proxy.
    pub(super) fn new(proxies: TrustedProxies, most_per_client: usize) -> Self {
        Self {
            proxies,
            shares: Shares::new(most_per_client),
            warned_at: None,
        }
    }

    /// Lets a connection in, unless its client has as many as one client may have.
    pub(super) fn admit(&mut self, peer: SocketAddr) -> Option<Admitted> {
        let address = peer.ip().to_canonical();
        if self.proxies.contains(address) {
            return Some(Admitted { _share: None });
        }
        let client = network_of(address);
        let share = self.shares.of(client).try_acquire_owned().ok();
        if share.is_none() {
            self.warn(client);
        }
        share.map(|share| Admitted { _share: Some(share) })
    }

    fn warn(&mut self, client: IpAddr) {
        if self.warned_at.is_none_or(|at| at.elapsed() >= WARN_EVERY) {
            self.warned_at = Some(Instant::now());
            warn!(
                client = %client,
                "Closed a connection because its client has as many open as one client may have. If it is your \
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
        let mut admission = Admission::new(TrustedProxies::default(), 1);
        let _one = admission.admit(peer("2001:db8:1:2::1")).unwrap();

        assert!(admission.admit(peer("2001:db8:1:2:ffff::9")).is_none());
        assert!(admission.admit(peer("2001:db8:1:3::1")).is_some());
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

        tokio::time::advance(WARN_EVERY / 2).await;
        assert!(admission.admit(peer("192.0.2.2")).is_none());
        assert_eq!(admission.warned_at, first);

        tokio::time::advance(WARN_EVERY / 2).await;
        assert!(admission.admit(peer("192.0.2.1")).is_none());
        assert_ne!(admission.warned_at, first);
    }
}
