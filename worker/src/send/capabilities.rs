//! The relay's capabilities from its reply to EHLO, as far as they are used.

use super::login::{Login, Mechanism};
use super::reply::Reply;

/// The keywords that affect what is sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a keyword of its own")]
pub(super) struct Capabilities {
    /// STARTTLS is offered (RFC 3207).
    pub(super) starttls: bool,
    /// Several commands may be sent in one write (RFC 2920).
    pub(super) pipelining: bool,
    /// The relay is Dovecot's submission service, the only common server with BURL (RFC 4468).
    pub(super) is_dovecot: bool,
    /// The size of a mail may be declared with MAIL (RFC 1870), up to this limit.
    pub(super) largest: Option<usize>,
    /// Mails may contain bytes above 127 (RFC 6152).
    pub(super) eight_bit: bool,
    /// Addresses may contain any script (RFC 6531).
    pub(super) any_script: bool,
    /// The mechanism for a user name and a password.
    pub(super) mechanism: Option<Mechanism>,
    /// The mechanisms for an access token.
    pub(super) for_tokens: Vec<Mechanism>,
}

impl Capabilities {
    pub(super) fn from_ehlo(reply: &Reply) -> Self {
        let mut capabilities = Self::default();
        // The first line is the relay's greeting, whatever it contains.
        for line in reply.text.lines().skip(1) {
            let mut words = line.split_ascii_whitespace();
            match words.next().map(str::to_ascii_uppercase).as_deref() {
                Some("STARTTLS") => capabilities.starttls = true,
                Some("PIPELINING") => capabilities.pipelining = true,
                Some("BURL") => capabilities.is_dovecot = true,
                Some("SIZE") => {
                    // A missing size, or zero, means no limit.
                    let named = words.next().and_then(|size| size.parse().ok()).filter(|size| *size > 0);
                    capabilities.largest = Some(named.unwrap_or(usize::MAX));
                }
                Some("8BITMIME") => capabilities.eight_bit = true,
                Some("SMTPUTF8") => capabilities.any_script = true,
                Some("AUTH") => capabilities.take_mechanisms(words),
                // An obsolete form that some relays still send in addition to the standard one.
                Some(first) if first.starts_with("AUTH=") => {
                    capabilities.take_mechanisms(first.split('=').skip(1).chain(words));
                }
                _ => {}
            }
        }
        capabilities
    }

    /// The mechanism for a login, which may name one itself.
    pub(super) fn mechanism_for(&self, login: &Login) -> Option<Mechanism> {
        match login.mechanism() {
            Some(wanted) => self.for_tokens.contains(&wanted).then_some(wanted),
            None => self.mechanism,
        }
    }

    fn take_mechanisms<'a>(&mut self, words: impl Iterator<Item = &'a str>) {
        for word in words {
            if word.eq_ignore_ascii_case("PLAIN") {
                self.mechanism = Some(Mechanism::Plain);
            } else if word.eq_ignore_ascii_case("LOGIN") && self.mechanism.is_none() {
                self.mechanism = Some(Mechanism::Login);
            }
            let for_tokens = [Mechanism::XOauth2, Mechanism::OauthBearer];
            let is_offered = |mechanism: &Mechanism| word.eq_ignore_ascii_case(mechanism.as_str());
            self.for_tokens.extend(for_tokens.into_iter().filter(is_offered));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn capabilities(lines: &[&str]) -> Capabilities {
        let text = lines.join("\n");
        Capabilities::from_ehlo(&Reply { code: 250, text })
    }

    #[test]
    fn keywords_are_read_in_any_case_and_never_from_the_first_line() {
        assert_eq!(capabilities(&["PIPELINING"]), Capabilities::default());
        let all = capabilities(&[
            "relay",
            "pipelining",
            "SIZE 1000",
            "8bitmime",
            "SMTPUTF8",
            "AUTH LOGIN PLAIN",
            "DSN",
            "STARTTLS",
        ]);
        assert_eq!(
            all,
            Capabilities {
                starttls: true,
                pipelining: true,
                is_dovecot: false,
                largest: Some(1000),
                eight_bit: true,
                any_script: true,
                mechanism: Some(Mechanism::Plain),
                for_tokens: Vec::new(),
            }
        );
        assert!(capabilities(&["relay", "BURL imap"]).is_dovecot);
        assert_eq!(capabilities(&["relay", "SIZE 0"]).largest, Some(usize::MAX));
        assert_eq!(capabilities(&["relay", "AUTH=LOGIN"]).mechanism, Some(Mechanism::Login));
        let for_tokens = capabilities(&["relay", "AUTH CRAM-MD5 xoauth2 OAUTHBEARER"]);
        assert_eq!(for_tokens.mechanism, None);
        assert_eq!(for_tokens.for_tokens, [Mechanism::XOauth2, Mechanism::OauthBearer]);
    }
}
