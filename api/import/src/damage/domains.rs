//! Valid addresses that cannot receive mail, or that several people read.

use shared::address::{EmailAddress, suggest_ending};

use super::Damage;
use crate::template::EXAMPLE_ADDRESS;

/// Local parts of shared mailboxes.
const SHARED: [&str; 12] = [
    "info",
    "office",
    "contact",
    "kontakt",
    "contacto",
    "contatto",
    "sekretariat",
    "secretariat",
    "reception",
    "enquiries",
    "webmaster",
    "postmaster",
];

/// Local parts of unread mailboxes.
const UNREAD: [&str; 7] = [
    "noreply",
    "no-reply",
    "no_reply",
    "donotreply",
    "do-not-reply",
    "mailer-daemon",
    "bounce",
];

/// Top-level domains without mailboxes: names reserved for networks without external mail (RFC 2606, RFC 6761,
/// RFC 6762), and the one for the infrastructure of the internet (RFC 3172).
///
/// `.example` and `.test` are missing, because they are what a trial of an import is written with.
const IMPOSSIBLE: [&str; 10] = [
    "invalid",
    "local",
    "localhost",
    "lan",
    "corp",
    "internal",
    "intranet",
    "home",
    "onion",
    "arpa",
];

/// End of the local part of a guest's sign-in name in Entra: `ada_example.org#EXT#@contoso.onmicrosoft.com`.
const GUEST: &str = "#ext#";

/// Whether this domain cannot have a mailbox.
pub(crate) fn is_impossible(domain: &str) -> bool {
    let ending = domain.rsplit('.').next().unwrap_or(domain);
    // No top-level domain has one character (RFC 3696, section 2).
    IMPOSSIBLE.contains(&ending) || suggest_ending(ending).is_some() || ending.chars().count() == 1
}

/// Finds the sign-in name of a guest, with the address that the guest was invited by.
fn guest(address: &EmailAddress) -> Option<Damage> {
    let local = address.local_part();
    let (invited, mark) = local.split_at_checked(local.len().checked_sub(GUEST.len())?)?;
    if !mark.eq_ignore_ascii_case(GUEST) {
        return None;
    }
    let damage = Damage::new(
        "guest_sign_in_name",
        "Is the sign-in name of a guest, not an email address",
    );
    // No domain contains `_`, so the last one took the place of the @.
    let meant = invited
        .rsplit_once('_')
        .map(|(local, domain)| format!("{local}@{domain}"));
    let meant = meant.filter(|meant| EmailAddress::parse(meant).is_ok_and(|meant| !is_impossible(meant.domain())));
    Some(match meant {
        Some(meant) => damage.meaning(meant),
        None => damage,
    })
}

/// Finds what is wrong with an address.
pub(crate) fn find(address: &EmailAddress) -> Option<Damage> {
    if let Some(damage) = guest(address) {
        return Some(damage);
    }
    if let Some(domain) = address.suggestion() {
        let damage = Damage::new("mistyped_domain", "The part after @ looks mistyped");
        return Some(damage.meaning(format!("{}@{domain}", address.local_part())));
    }
    if address.as_typed().eq_ignore_ascii_case(EXAMPLE_ADDRESS) {
        return Some(Damage::new(
            "example_row",
            "This is the example row of the template – delete it",
        ));
    }
    let local = address.local_part().to_ascii_lowercase();
    if UNREAD.contains(&local.as_str()) {
        return Some(Damage::new(
            "unread_address",
            "Mail to this address is not read – use the person's own address",
        ));
    }
    SHARED.contains(&local.as_str()).then(|| {
        Damage::new(
            "shared_address",
            "Several people may read mail to this address – write the person's own address",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(address: &str) -> Option<(&'static str, Option<String>)> {
        find(&EmailAddress::parse(address).unwrap()).map(|damage| (damage.code, damage.suggestion))
    }

    #[test]
    fn domains_without_mailboxes_are_impossible() {
        for domain in [
            "10.in-addr.arpa",
            "server.local",
            "example.con",
            "mit.eduu",
            "uni-hamburg.dee",
            "a.b",
        ] {
            assert!(is_impossible(domain), "{domain}");
        }
        for domain in [
            "example.org",
            "lerna.example",
            "arpa.com",
            "example.bee",
            "example.cc",
            "example.ee",
            "gmx.net",
        ] {
            assert!(!is_impossible(domain), "{domain}");
        }
    }

    #[test]
    fn sign_in_names_of_guests_are_detected_with_their_address() {
        for (typed, meant) in [
            ("ada_example.org#EXT#@contoso.onmicrosoft.com", Some("ada@example.org")),
            ("ada_b_example.org#ext#@contoso.com", Some("ada_b@example.org")),
            ("ada#EXT#@contoso.onmicrosoft.com", None),
            ("ada_example#EXT#@contoso.onmicrosoft.com", None),
            ("ada_server.local#EXT#@contoso.onmicrosoft.com", None),
        ] {
            let expected = Some(("guest_sign_in_name", meant.map(str::to_owned)));
            assert_eq!(found(typed), expected, "{typed}");
        }
        for address in [
            "ada_example.org@contoso.onmicrosoft.com",
            "ext@example.org",
            "#ext@example.org",
            "ada#ext#b@example.org",
        ] {
            assert_eq!(found(address), None, "{address}");
        }
    }
}
