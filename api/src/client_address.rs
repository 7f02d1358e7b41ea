//! The client's address: the socket's peer, or what a trusted reverse proxy reports.
//!
//! Sign-in limits and the audit log need the address of the client, not of the proxy in front of us.
//! `Forwarded` (RFC 7239) and `X-Forwarded-For` are believed only as far as every hop that wrote them is
//! listed in `BECKON_TRUSTED_PROXIES`: the entries are read from the right, and the first address that
//! is not a trusted proxy is the client.
//!
//! A proxy usually maintains one of the two headers and passes the other through as the client sent it.
//! When both are present and disagree, neither is believed and the proxy's own address counts, so a client cannot
//! choose its address by adding the header its proxy ignores.

use crate::problem::Problem;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, header};
use ipnet::IpNet;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tracing::warn;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Hops that are read. More proxies than this in a row do not exist, and the headers come from strangers.
const MAX_HOPS: usize = 32;

/// The address of the client that sent a request, IPv4 addresses always in their four-byte form.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct ClientAddress(pub IpAddr);

impl<S: Send + Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // The server puts it on every request it accepts.
        parts.extensions.get::<Self>().copied().ok_or_else(Problem::internal)
    }
}

/// The network that counts as one client: an IPv4 address, or the /64 of an IPv6 one, of which a single
/// customer usually has all addresses. As an address, with zeros after the /64.
pub fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

/// The reverse proxies whose forwarding headers are believed.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies {
    networks: Arc<[IpNet]>,
    has_warned: Arc<AtomicBool>,
}

impl TrustedProxies {
    /// Reads addresses and networks (`10.0.0.0/8`) separated by commas; an empty text trusts no proxy.
    ///
    /// # Errors
    ///
    /// A phrase that names the first entry that is neither an address nor a network.
    pub fn parse(text: &str) -> Result<Self, String> {
        let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let networks = entries.map(|entry| {
            let network = entry.parse::<IpNet>();
            network
                .or_else(|_| entry.parse::<IpAddr>().map(IpNet::from))
                .map_err(|_| {
                    format!("has {entry:?}; write addresses or networks such as 10.0.0.0/8, separated by commas")
                })
        });
        Ok(Self {
            networks: networks.collect::<Result<_, _>>()?,
            has_warned: Arc::default(),
        })
    }

    /// The address of the client behind a connection from `peer`.
    pub fn client_of(&self, peer: SocketAddr, headers: &HeaderMap) -> ClientAddress {
        let peer = peer.ip().to_canonical();
        if !self.contains(peer) {
            self.warn_once(peer, headers);
            return ClientAddress(peer);
        }
        let forwarded = self.nearest_stranger(peer, &list_of(headers, &header::FORWARDED), forwarded_for);
        let x_forwarded_for = self.nearest_stranger(peer, &list_of(headers, &X_FORWARDED_FOR), address_of);
        let client = match (forwarded, x_forwarded_for) {
            (Some(one), Some(other)) if one != other => peer,
            (Some(one), _) | (None, Some(one)) => one,
            (None, None) => peer,
        };
        ClientAddress(client)
    }

    /// Whether this is the address of a trusted proxy, in its canonical form.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&address))
    }

    /// The first address from the right that is no trusted proxy. An entry that names no address ends the
    /// search at the hop that wrote it. `None` when the header is absent.
    fn nearest_stranger(&self, peer: IpAddr, entries: &[&str], read: fn(&str) -> Option<IpAddr>) -> Option<IpAddr> {
        if entries.is_empty() {
            return None;
        }
        let mut nearest = peer;
        for entry in entries.iter().rev().take(MAX_HOPS) {
            let Some(address) = read(entry) else { break };
            nearest = address;
            if !self.contains(address) {
                break;
            }
        }
        Some(nearest)
    }

    /// All clients of an unlisted proxy share its limits, which its operator should know.
    fn warn_once(&self, peer: IpAddr, headers: &HeaderMap) {
        let is_forwarded = headers.contains_key(header::FORWARDED) || headers.contains_key(X_FORWARDED_FOR);
        if is_forwarded && !self.has_warned.swap(true, Ordering::Relaxed) {
            warn!(
                peer = %peer,
                "A request carries a forwarding header but its sender is not in BECKON_TRUSTED_PROXIES, so the sender's \
                 address counts as the client's. If it is your reverse proxy, list it"
            );
        }
    }
}

/// The entries of a list header, over all its lines, in the order the hops appended them.
fn list_of<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Vec<&'h str> {
    let lines = headers.get_all(name).into_iter();
    // A line that is not text is an entry nothing can be read from.
    lines
        .flat_map(|line| line.to_str().unwrap_or("?").split(','))
        .map(str::trim)
        .collect()
}

/// The address of an element of `Forwarded`: its `for` parameter (RFC 7239, section 4).
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let mut pairs = element.split(';').filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = pairs.find(|(name, _)| name.eq_ignore_ascii_case("for"))?;
    address_of(value.trim_matches('"'))
}

/// An address, with or without a port, IPv6 with or without brackets.
fn address_of(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let address = match bare {
        Some((address, _port)) => address.parse().ok(),
        None => text
            .parse()
            .ok()
            .or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip())),
    };
    address.map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn client(trusted: &str, peer: &str, lines: &[(&'static str, &'static str)]) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        let proxies = TrustedProxies::parse(trusted).unwrap();
        let peer = SocketAddr::new(peer.parse().unwrap(), 4711);
        proxies.client_of(peer, &headers).0.to_string()
    }

    #[test]
    fn without_a_trusted_proxy_the_socket_decides() {
        let claims = [("x-forwarded-for", "203.0.113.9"), ("forwarded", "for=203.0.113.9")];
        assert_eq!(client("", "127.0.0.1", &claims), "127.0.0.1");
        assert_eq!(client("10.0.0.0/8", "198.51.100.7", &claims), "198.51.100.7");
        assert_eq!(client("", "::ffff:192.0.2.1", &[]), "192.0.2.1");
    }

    #[test]
    fn the_nearest_address_that_is_no_proxy_is_the_client() {
        let trusted = "10.0.0.0/8, 2001:db8:1::/48, 127.0.0.1";
        for (lines, expected) in [
            (&[("x-forwarded-for", "203.0.113.9")][..], "203.0.113.9"),
            (&[("x-forwarded-for", "1.1.1.1, 203.0.113.9, 10.2.3.4")], "203.0.113.9"),
            (
                &[("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "203.0.113.9:5000")],
                "203.0.113.9",
            ),
            (&[("x-forwarded-for", "10.0.0.8, 10.0.0.9")], "10.0.0.8"),
            (&[("x-forwarded-for", "1.1.1.1, nonsense, 10.0.0.9")], "10.0.0.9"),
            (&[("x-forwarded-for", "")], "127.0.0.1"),
            (
                &[("forwarded", "for=1.1.1.1, For=\"[2001:db8::7]:4711\";proto=https")],
                "2001:db8::7",
            ),
            (
                &[("forwarded", "for=\"[2001:db8:1::1]\"; by=x, proto=https;for=10.1.1.1")],
                "2001:db8:1::1",
            ),
            (&[("forwarded", "for=1.1.1.1, for=_hidden")], "127.0.0.1"),
            (&[("x-forwarded-for", "::ffff:203.0.113.9")], "203.0.113.9"),
            (&[], "127.0.0.1"),
        ] {
            assert_eq!(client(trusted, "127.0.0.1", lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn a_client_cannot_choose_its_address_with_the_header_its_proxy_ignores() {
        let both = [("x-forwarded-for", "203.0.113.9"), ("forwarded", "for=1.1.1.1")];
        assert_eq!(client("127.0.0.1", "127.0.0.1", &both), "127.0.0.1");
        let agreeing = [("x-forwarded-for", "203.0.113.9"), ("forwarded", "for=203.0.113.9")];
        assert_eq!(client("127.0.0.1", "127.0.0.1", &agreeing), "203.0.113.9");
    }

    #[test]
    fn an_ipv6_client_is_its_network() {
        let network = |address: &str| network_of(address.parse().unwrap()).to_string();

        assert_eq!(network("2001:db8:1:2:3:4:5:6"), network("2001:db8:1:2:ffff::1"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_eq!(network("::ffff:192.0.2.1"), "192.0.2.1");
    }

    #[test]
    fn an_entry_that_is_no_network_is_named() {
        for wrong in ["proxy.internal", "10.0.0.0/33", "10.0.0.1, x"] {
            assert!(TrustedProxies::parse(wrong).is_err(), "{wrong}");
        }
    }
}
