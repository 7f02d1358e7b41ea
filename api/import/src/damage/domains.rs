//! Valid addresses that cannot receive mail, or that several people read.

use shared::address::EmailAddress;

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

/// Top-level domains that are not delegated and never will be: typos, and names reserved for networks without external
/// mail (RFC 2606, RFC 6762).
const IMPOSSIBLE: [&str; 24] = [
    "con",
    "cmo",
    "ocm",
    "comm",
    "coom",
    "vom",
    "xom",
    "cpm",
    "clm",
    "c0m",
    "nte",
    "nett",
    "ogr",
    "orgg",
    "couk",
    "invalid",
    "local",
    "localhost",
    "lan",
    "corp",
    "internal",
    "intranet",
    "home",
    "onion",
];

/// Whether this domain cannot have a mailbox.
pub(crate) fn is_impossible(domain: &str) -> bool {
    let ending = domain.rsplit('.').next().unwrap_or(domain);
    // No top-level domain has one character (RFC 3696, section 2).
    IMPOSSIBLE.contains(&ending) || ending.chars().count() == 1
}

/// Finds what is wrong with an address.
pub(crate) fn find(address: &EmailAddress) -> Option<Damage> {
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
