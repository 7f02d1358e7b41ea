//! Email addresses: parsed once, canonical, and masked when printed.
//!
//! An [`EmailAddress`] exists only if mail to it can be handed to any relay: an unquoted ASCII local part, an
//! `@`, and a public domain name. An internationalised domain is kept as typed for display and as A-labels
//! (`xn--…`) for SMTP and for comparison.
//!
//! The limits are those of RFC 5321, section 4.5.3.1 (local part 64 octets, path 256 with its angle
//! brackets), and of the DNS (name 253 octets, label 63). Domains follow UTS 46. Local parts are never
//! changed, because their case may matter to the receiving system; only [`EmailAddress::key`] folds it, and
//! only within ASCII.
//!
//! Logs must not contain addresses, so `Display` and `Debug` print `a***@example.org`. Getting the full
//! address takes an explicit call, and there is no `Serialize`.

mod fault;
mod suggest;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

pub use fault::AddressFault;
pub(crate) use suggest::edit_distance;
pub use suggest::{suggest_domain, suggest_ending};

/// Maximum length of a local part in octets (RFC 5321, 4.5.3.1.1).
const LOCAL_PART_OCTETS: usize = 64;
/// Maximum length of a domain in octets: 255 on the DNS wire are 253 as text.
const DOMAIN_OCTETS: usize = 253;
/// Maximum length of a domain label in octets (RFC 1035, 2.3.4).
const LABEL_OCTETS: usize = 63;
/// Maximum length of an address in octets: a path of 256 (RFC 5321, 4.5.3.1.3) without its `<` and `>`.
const ADDRESS_OCTETS: usize = 254;

/// An email address that mail can be sent to.
///
/// There is no `Eq`: use [`EmailAddress::key`] to find out whether two addresses are the same.
#[derive(Clone)]
pub struct EmailAddress {
    /// As typed, without surrounding white space.
    typed: String,
    /// Local part as typed, `@`, domain in lower-case A-labels.
    wire: String,
    /// Position of the `@` in `wire`.
    at: usize,
}

impl EmailAddress {
    /// Parses an address from a cell, a form field or a JSON string.
    ///
    /// White space and invisible characters around the address are dropped: they are copied from web pages
    /// and spreadsheets, and users cannot see them to remove them. To report that, compare
    /// [`EmailAddress::as_typed`] with the input.
    ///
    /// # Errors
    ///
    /// The first fault found. Its text is a sentence for the user who typed the address and does not repeat
    /// the address.
    pub fn parse(input: &str) -> Result<Self, AddressFault> {
        let typed = input.trim_matches(|c: char| c.is_whitespace() || is_invisible(c));
        refuse_what_is_no_single_address(typed)?;
        let (local, domain) = typed.rsplit_once('@').ok_or(AddressFault::AtSignMissing)?;
        if local.is_empty() {
            return Err(AddressFault::LocalPartMissing);
        }
        if domain.is_empty() {
            return Err(AddressFault::DomainMissing);
        }
        check_local_part(local)?;
        let domain = public_domain(domain)?;
        let mut wire = String::with_capacity(local.len() + 1 + domain.len());
        wire.extend([local, "@", &domain]);
        if wire.len() > ADDRESS_OCTETS {
            return Err(AddressFault::TooLong);
        }
        Ok(Self {
            typed: typed.to_owned(),
            at: local.len(),
            wire,
        })
    }

    /// The full address as sent over SMTP, for the envelope and the `To` field.
    pub fn as_wire(&self) -> &str {
        &self.wire
    }

    /// The full address as sent over SMTP, without a copy.
    pub fn into_wire(self) -> String {
        self.wire
    }

    /// The full address as typed, for pages and mails.
    pub fn as_typed(&self) -> &str {
        &self.typed
    }

    /// The part before the `@`, as typed.
    pub fn local_part(&self) -> &str {
        self.wire.get(..self.at).unwrap_or_default()
    }

    /// The part after the `@`, in lower-case A-labels.
    pub fn domain(&self) -> &str {
        self.wire.get(self.at + 1..).unwrap_or_default()
    }

    /// The identity of the address: addresses with the same key are the same.
    ///
    /// Folds ASCII letters only. Folding by Unicode's rules would merge addresses that mail systems keep
    /// apart, and Postgres's `lower` differs from Rust's.
    pub fn key(&self) -> String {
        self.wire.to_ascii_lowercase()
    }

    /// The domain that was probably meant, if this one looks mistyped.
    ///
    /// For "Did you mean gmail.com?". Only a hint: the address itself is valid.
    pub fn suggestion(&self) -> Option<String> {
        suggest_domain(self.domain())
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Always three stars, so that the length of the local part is hidden too.
        let first = self.wire.chars().next().unwrap_or('*');
        write!(f, "{first}***@{}", self.domain())
    }
}

impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EmailAddress({self})")
    }
}

/// Zero-width characters that are copied along with an address from a page or a spreadsheet.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{00AD}' // soft hyphen: line breaking on web pages
        | '\u{180E}' // Mongolian vowel separator: once a space, without width since Unicode 6.3
        | '\u{200B}' // zero-width space: web pages put it where long words may break
        | '\u{200C}' | '\u{200D}' // zero-width (non-)joiner: word processors
        | '\u{2060}' // word joiner: word processors
        | '\u{FEFF}' // byte order mark: the start of a file
    )
}

/// Marks that change the direction of the text after them, and so what a reader sees.
fn is_direction_mark(c: char) -> bool {
    matches!(c, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Rejects input whose fault would be misnamed if the two parts were checked separately.
fn refuse_what_is_no_single_address(typed: &str) -> Result<(), AddressFault> {
    if typed.is_empty() {
        return Err(AddressFault::Missing);
    }
    // Joiners inside a domain are left to UTS 46, which knows the scripts that need them.
    let is_joiner = |c| matches!(c, '\u{200C}' | '\u{200D}');
    if typed
        .chars()
        .any(|c| c.is_control() || is_direction_mark(c) || (is_invisible(c) && !is_joiner(c)))
    {
        return Err(AddressFault::ControlCharacter);
    }
    if typed
        .get(..7)
        .is_some_and(|start| start.eq_ignore_ascii_case("mailto:"))
    {
        return Err(AddressFault::MailtoPrefix);
    }
    let at_signs = typed.matches('@').count();
    let separates = |c: char| c.is_whitespace() || matches!(c, ',' | ';' | '/' | '|');
    if at_signs > 1 && typed.contains(separates) && !typed.starts_with('"') {
        return Err(AddressFault::SeveralAddresses);
    }
    if typed.contains(['<', '>']) {
        return Err(AddressFault::AngleBrackets);
    }
    if typed.starts_with('"') && at_signs > 0 {
        return Err(AddressFault::QuotedLocalPart);
    }
    match at_signs {
        0 => Err(AddressFault::AtSignMissing),
        1 if typed.contains(char::is_whitespace) => Err(AddressFault::Space),
        1 => Ok(()),
        _ => Err(AddressFault::SeveralAtSigns),
    }
}

/// Accepts the `Dot-string` of RFC 5321, section 4.1.2.
fn check_local_part(local: &str) -> Result<(), AddressFault> {
    if !local.is_ascii() {
        return Err(AddressFault::NonAsciiLocalPart);
    }
    if local.contains('"') {
        return Err(AddressFault::QuotedLocalPart);
    }
    if local.starts_with('.') || local.ends_with('.') || local.contains("..") {
        return Err(AddressFault::LocalPartDot);
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
    if let Some(c) = local.chars().find(|c| !allowed(*c)) {
        return Err(AddressFault::LocalPartCharacter(c));
    }
    if local.len() > LOCAL_PART_OCTETS {
        return Err(AddressFault::LocalPartTooLong);
    }
    Ok(())
}

/// Converts a typed domain to the lower-case A-labels used by DNS and SMTP.
fn public_domain(typed: &str) -> Result<Cow<'_, str>, AddressFault> {
    if typed.starts_with('[') {
        return Err(AddressFault::DomainNotPublic);
    }
    // Far over any limit, even for scripts that take four octets per letter and shrink.
    if typed.len() > 4 * DOMAIN_OCTETS {
        return Err(AddressFault::DomainTooLong);
    }
    let domain = to_a_labels(typed)?;
    if domain.ends_with('.') {
        return Err(AddressFault::DomainTrailingDot);
    }
    let mut labels = domain.split('.');
    if labels.clone().any(str::is_empty) {
        return Err(AddressFault::DomainDot);
    }
    if domain.len() > DOMAIN_OCTETS || labels.clone().any(|label| label.len() > LABEL_OCTETS) {
        return Err(AddressFault::DomainTooLong);
    }
    if labels
        .clone()
        .any(|label| label.starts_with('-') || label.ends_with('-'))
    {
        return Err(AddressFault::DomainHyphen);
    }
    if labels.clone().count() < 2 {
        return Err(AddressFault::DomainWithoutDot);
    }
    // No top-level domain is a number, so this is an IP address without its brackets.
    match labels.next_back() {
        Some("localhost" | "localdomain") => Err(AddressFault::DomainNotPublic),
        Some(top) if top.bytes().all(|b| b.is_ascii_digit()) => Err(AddressFault::DomainNotPublic),
        _ => Ok(domain),
    }
}

/// Applies UTS 46. Lengths, dots and hyphens are left to the caller, which reports them more precisely.
fn to_a_labels(typed: &str) -> Result<Cow<'_, str>, AddressFault> {
    Uts46::new()
        .to_ascii(typed.as_bytes(), AsciiDenyList::STD3, Hyphens::Allow, DnsLength::Ignore)
        .map_err(|_| {
            let mut labels = typed.split('.');
            if labels.any(|l| l.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("xn--"))) {
                AddressFault::DomainPunycode
            } else {
                AddressFault::DomainCharacter
            }
        })
}
