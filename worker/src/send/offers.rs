//! What the relay offers in its reply to EHLO, as far as we use it.

use lettre::transport::smtp::authentication::Mechanism;

use super::reply::Reply;

/// The keywords that change what we say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Offers {
    /// Several commands may go out in one write (RFC 2920).
    pub(super) pipelining: bool,
    /// The size of a mail may be announced with MAIL (RFC 1870), and this one is the largest.
    pub(super) largest: Option<usize>,
    /// Bytes above 127 may stand in a mail (RFC 6152).
    pub(super) eight_bit: bool,
    /// Addresses may be written in any script (RFC 6531).
    pub(super) any_script: bool,
    /// The way of signing in that we take.
    pub(super) mechanism: Option<Mechanism>,
}

impl Offers {
    pub(super) fn from_ehlo(reply: &Reply) -> Self {
        let mut offers = Self::default();
        // The first line is the relay's name, whatever it looks like.
        for line in reply.lines.iter().skip(1) {
            let mut words = line.split_ascii_whitespace();
            match words.next().map(str::to_ascii_uppercase).as_deref() {
                Some("PIPELINING") => offers.pipelining = true,
                Some("SIZE") => {
                    // None or zero means that no size is too large.
                    let named = words.next().and_then(|size| size.parse().ok()).filter(|size| *size > 0);
                    offers.largest = Some(named.unwrap_or(usize::MAX));
                }
                Some("8BITMIME") => offers.eight_bit = true,
                Some("SMTPUTF8") => offers.any_script = true,
                Some("AUTH") => offers.take_mechanisms(words),
                // An old form that some relays still send beside the right one.
                Some(first) if first.starts_with("AUTH=") => {
                    offers.take_mechanisms(first.split('=').skip(1).chain(words));
                }
                _ => {}
            }
        }
        offers
    }

    fn take_mechanisms<'a>(&mut self, words: impl Iterator<Item = &'a str>) {
        for word in words {
            if word.eq_ignore_ascii_case("PLAIN") {
                self.mechanism = Some(Mechanism::Plain);
            } else if word.eq_ignore_ascii_case("LOGIN") && self.mechanism.is_none() {
                self.mechanism = Some(Mechanism::Login);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offers(lines: &[&str]) -> Offers {
        let lines: Vec<_> = lines.iter().map(|line| (*line).to_owned()).collect();
        Offers::from_ehlo(&Reply { code: 250, lines })
    }

    #[test]
    fn keywords_are_read_in_any_case_and_never_from_the_first_line() {
        assert_eq!(offers(&["PIPELINING"]), Offers::default());
        let all = offers(&[
            "relay",
            "pipelining",
            "SIZE 1000",
            "8bitmime",
            "SMTPUTF8",
            "AUTH LOGIN PLAIN",
            "DSN",
        ]);
        assert_eq!(
            all,
            Offers {
                pipelining: true,
                largest: Some(1000),
                eight_bit: true,
                any_script: true,
                mechanism: Some(Mechanism::Plain),
            }
        );
        assert_eq!(offers(&["relay", "SIZE 0"]).largest, Some(usize::MAX));
        assert_eq!(offers(&["relay", "AUTH=LOGIN"]).mechanism, Some(Mechanism::Login));
        assert_eq!(offers(&["relay", "AUTH CRAM-MD5 XOAUTH2"]).mechanism, None);
    }
}
