//! Clients as the rate limiter identifies them.

use crate::app::client_network::networks_of;
use std::net::IpAddr;

/// A client: a network or a named device.
#[derive(Clone, Debug)]
pub struct Client {
    /// The name; for a network, `around` has those of the wider networks.
    name: String,
    around: Vec<String>,
}

impl Client {
    /// A client with a name, such as a device or a session.
    pub const fn named(name: String) -> Self {
        Self {
            name,
            around: Vec::new(),
        }
    }

    /// The client at an address, with its wider networks.
    pub fn at(address: IpAddr) -> Self {
        let mut networks = networks_of(address).into_iter().map(|network| network.to_string());
        Self {
            name: networks.next().unwrap_or_default(),
            around: networks.collect(),
        }
    }

    /// A client as a platform names it, which may be by an IP address.
    pub fn of_platform(name: &str) -> Self {
        name.parse().map_or_else(|_| Self::named(name.to_owned()), Self::at)
    }

    /// The name; for a network, that of the narrowest.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The name and those of the wider networks, narrowest first.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.name.as_str()).chain(self.around.iter().map(String::as_str))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ip_address_that_a_platform_sends_is_a_network() {
        let names = |client: &Client| client.names().map(str::to_owned).collect::<Vec<_>>();

        let one = Client::of_platform("2001:db8:1:2::3");
        assert_eq!(names(&one), ["2001:db8:1:2::/64", "2001:db8:1::/56", "2001:db8:1::/48"]);
        assert_eq!(names(&Client::of_platform("2001:DB8:1:2:ffff::9")), names(&one));
        assert_eq!(names(&Client::of_platform("192.0.2.1")), ["192.0.2.1/32"]);
        assert_eq!(names(&Client::of_platform("ada's phone")), ["ada's phone"]);
    }
}
