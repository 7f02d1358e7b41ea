//! The client's address: the socket's peer, or what a trusted reverse proxy reports.
//!
//! Rate limits and the audit log need the client's address, not that of the proxy. The forwarding header is trusted
//! only as far as the hops that wrote it are listed in `BECKON_TRUSTED_PROXIES`: its entries are read from the right,
//! and the first address that is not a trusted proxy is the client.
//!
//! A proxy maintains either `X-Forwarded-For` or `Forwarded` (RFC 7239) and passes the other through as the client sent
//! it. So only the header named by `BECKON_FORWARDED_HEADER` is read. Otherwise a client could choose or hide its
//! address with the header that its proxy ignores.

use crate::app::problem::Problem;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, header};
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tracing::warn;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Number of hops read. Real chains of proxies are shorter, and clients can send headers of any length.
const MAX_HOPS: usize = 32;

/// The address of the client that sent a request. IPv4 addresses are always in their four-byte form.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct ClientAddress(pub IpAddr);

impl<S: Send + Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // The server attaches it to every request.
        parts.extensions.get::<Self>().copied().ok_or_else(Problem::internal)
    }
}

/// The header in which trusted proxies report the client.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`, which most proxies send.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

impl ForwardedHeader {
    /// Parses the header's name, ignoring case.
    ///
    /// # Errors
    ///
    /// An explanation that lists the two headers.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.trim().to_ascii_lowercase().as_str() {
            "x-forwarded-for" => Ok(Self::XForwardedFor),
            "forwarded" => Ok(Self::Forwarded),
            _ => Err(format!("is {text:?}; write x-forwarded-for or forwarded")),
        }
    }

    fn name(self) -> HeaderName {
        match self {
            Self::XForwardedFor => X_FORWARDED_FOR,
            Self::Forwarded => header::FORWARDED,
        }
    }

    fn other(self) -> Self {
        match self {
            Self::XForwardedFor => Self::Forwarded,
            Self::Forwarded => Self::XForwardedFor,
        }
    }

    /// The address in an entry of the header.
    fn address_of(self, entry: &str) -> Option<IpAddr> {
        match self {
            Self::XForwardedFor => address_of(entry),
            Self::Forwarded => forwarded_for(entry),
        }
    }
}

/// The reverse proxies whose forwarding header is trusted.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies {
    networks: Arc<[IpNet]>,
    header: ForwardedHeader,
    has_warned: Arc<AtomicBool>,
}

impl TrustedProxies {
    /// Parses addresses and networks (`10.0.0.0/8`) separated by commas. An empty text trusts no proxy.
    ///
    /// # Errors
    ///
    /// An explanation that quotes the first entry that is neither an address nor a network.
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
            header: ForwardedHeader::default(),
            has_warned: Arc::default(),
        })
    }

    /// Sets the header in which these proxies report the client.
    #[must_use]
    pub fn naming_clients_in(self, header: ForwardedHeader) -> Self {
        Self { header, ..self }
    }

    /// The address of the client behind a connection from `peer`.
    pub fn client_of(&self, peer: SocketAddr, headers: &HeaderMap) -> ClientAddress {
        let peer = peer.ip().to_canonical();
        if !self.contains(peer) {
            self.warn_of_an_unlisted_proxy(peer, headers);
            return ClientAddress(peer);
        }
        let entries = list_of(headers, &self.header.name());
        if entries.is_empty() {
            self.warn_of_the_other_header(peer, headers);
        }
        ClientAddress(self.nearest_untrusted(peer, &entries))
    }

    /// Whether this is the address of a trusted proxy, in its canonical form.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&address))
    }

    /// The first address from the right that is not a trusted proxy. An entry without an address ends the search at the
    /// hop that wrote it.
    fn nearest_untrusted(&self, peer: IpAddr, entries: &[&str]) -> IpAddr {
        let mut nearest = peer;
        for entry in entries.iter().rev().take(MAX_HOPS) {
            let Some(address) = self.header.address_of(entry) else {
                break;
            };
            nearest = address;
            if !self.contains(address) {
                break;
            }
        }
        nearest
    }

    /// Warns once about an unlisted proxy, because all its clients share one rate limit.
    fn warn_of_an_unlisted_proxy(&self, peer: IpAddr, headers: &HeaderMap) {
        let is_forwarded = headers.contains_key(header::FORWARDED) || headers.contains_key(X_FORWARDED_FOR);
        if is_forwarded && !self.has_warned.swap(true, Ordering::Relaxed) {
            warn!(
                peer = %peer,
                "A request carries a forwarding header but its sender is not in BECKON_TRUSTED_PROXIES, so the sender's \
                 address counts as the client's. If it is your reverse proxy, list it"
            );
        }
    }

    /// Warns once about a trusted proxy that sends only the header that is not read, for the same reason.
    fn warn_of_the_other_header(&self, peer: IpAddr, headers: &HeaderMap) {
        let other = self.header.other().name();
        if headers.contains_key(&other) && !self.has_warned.swap(true, Ordering::Relaxed) {
            warn!(
                peer = %peer,
                sent = %other,
                read = %self.header.name(),
                "A trusted proxy sent only the forwarding header that is not read, so the proxy's address counts as the \
                 client's. If that is the header it maintains, name it in BECKON_FORWARDED_HEADER"
            );
        }
    }
}

/// The entries of a list header from all its lines, in the order in which the hops appended them.
fn list_of<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Vec<&'h str> {
    let lines = headers.get_all(name).into_iter();
    // A line that is not text counts as an entry without an address.
    lines
        .flat_map(|line| line.to_str().unwrap_or("?").split(','))
        .map(str::trim)
        .collect()
}

/// The address in an element of `Forwarded`: its `for` parameter (RFC 7239, section 4).
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let mut pairs = element.split(';').filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = pairs.find(|(name, _)| name.eq_ignore_ascii_case("for"))?;
    address_of(value.trim_matches('"'))
}

/// Parses an address with or without a port; IPv6 with or without brackets.
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
        // The tables below have one header per row.
        let is_forwarded = lines.first().is_some_and(|(name, _)| *name == "forwarded");
        let header = if is_forwarded { "forwarded" } else { "x-forwarded-for" };
        client_in(header, trusted, peer, lines)
    }

    fn client_in(header: &str, trusted: &str, peer: &str, lines: &[(&'static str, &'static str)]) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        let header = ForwardedHeader::parse(header).unwrap();
        let proxies = TrustedProxies::parse(trusted).unwrap().naming_clients_in(header);
        let peer = SocketAddr::new(peer.parse().unwrap(), 4711);
        proxies.client_of(peer, &headers).0.to_string()
    }

    #[test]
    fn without_a_trusted_proxy_the_peer_is_the_client() {
        let claims = [("x-forwarded-for", "203.0.113.9"), ("forwarded", "for=203.0.113.9")];
        assert_eq!(client("", "127.0.0.1", &claims), "127.0.0.1");
        assert_eq!(client("10.0.0.0/8", "198.51.100.7", &claims), "198.51.100.7");
        assert_eq!(client("", "::ffff:192.0.2.1", &[]), "192.0.2.1");
    }

    #[test]
    fn the_nearest_untrusted_address_is_the_client() {
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
    fn a_client_can_neither_choose_nor_hide_its_address_with_the_header_its_proxy_ignores() {
        let both = [("x-forwarded-for", "203.0.113.9"), ("forwarded", "for=198.51.100.1")];
        for (header, expected) in [("x-forwarded-for", "203.0.113.9"), ("Forwarded", "198.51.100.1")] {
            assert_eq!(client_in(header, "127.0.0.1", "127.0.0.1", &both), expected);
        }
        for (header, sent) in [("x-forwarded-for", both[1]), ("forwarded", both[0])] {
            assert_eq!(client_in(header, "127.0.0.1", "127.0.0.1", &[sent]), "127.0.0.1");
        }
    }

    #[test]
    fn only_the_two_forwarding_headers_can_be_named() {
        for wrong in ["", "x-real-ip", "forwarded,x-forwarded-for"] {
            let message = ForwardedHeader::parse(wrong).unwrap_err();
            assert_eq!(message, format!("is {wrong:?}; write x-forwarded-for or forwarded"));
        }
    }

    #[test]
    fn an_invalid_network_is_named() {
        for wrong in ["proxy.internal", "10.0.0.0/33", "10.0.0.1, x"] {
            assert!(TrustedProxies::parse(wrong).is_err(), "{wrong}");
        }
    }
}
