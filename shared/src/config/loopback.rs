//! Detection of loopback hosts.

use std::net::IpAddr;

/// Whether a host is this machine, so that traffic to it crosses no network. An IPv6 address may be in brackets.
pub fn is_loopback(host: &str) -> bool {
    let host = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(host);
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_recognised_by_address_and_name() {
        for here in ["localhost", "LOCALHOST", "127.0.0.1", "127.8.0.3", "::1", "[::1]"] {
            assert!(is_loopback(here), "{here}");
        }
        for elsewhere in [
            "db",
            "localhost.example.org",
            "10.0.0.1",
            "0.0.0.0",
            "::",
            "[fe80::1]",
            "",
        ] {
            assert!(!is_loopback(elsewhere), "{elsewhere}");
        }
    }
}
