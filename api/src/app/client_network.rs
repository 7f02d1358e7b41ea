//! The networks of a client: limits and counts apply to them, not only to the address.

use ipnet::{IpNet, Ipv6Net};
use std::net::IpAddr;

/// IPv6 prefix lengths that have limits: a customer owns all addresses of a /64, often of a /56, and a company or a
/// rented server those of a /48.
const IPV6_PREFIXES: [u8; 3] = [64, 56, 48];

/// The networks whose limits apply to an address, narrowest first: an IPv4 address itself, or an IPv6 address's /64,
/// /56 and /48.
pub fn networks_of(address: IpAddr) -> Vec<IpNet> {
    match address.to_canonical() {
        IpAddr::V4(address) => vec![IpNet::from(IpAddr::V4(address))],
        IpAddr::V6(address) => IPV6_PREFIXES
            .iter()
            .filter_map(|prefix| Ipv6Net::new(address, *prefix).ok())
            .map(|network| IpNet::from(network.trunc()))
            .collect(),
    }
}

/// The narrowest network of an address, as an address: the IPv4 address, or the IPv6 address with zeros after the /64.
pub fn network_of(address: IpAddr) -> IpAddr {
    networks_of(address).first().map_or(address, IpNet::addr)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_address_counts_with_the_networks_around_it() {
        let networks = |address: &str| {
            let networks = networks_of(address.parse().unwrap());
            networks.iter().map(IpNet::to_string).collect::<Vec<_>>()
        };

        assert_eq!(
            networks("2001:db8:1:234:3:4:5:6"),
            ["2001:db8:1:234::/64", "2001:db8:1:200::/56", "2001:db8:1::/48"]
        );
        assert_eq!(networks("::ffff:192.0.2.1"), ["192.0.2.1/32"]);
        let narrowest = |address: &str| network_of(address.parse().unwrap()).to_string();
        assert_eq!(narrowest("2001:db8:1:234:3:4:5:6"), "2001:db8:1:234::");
        assert_eq!(narrowest("::ffff:192.0.2.1"), "192.0.2.1");
    }
}
