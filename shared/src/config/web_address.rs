//! Web addresses that appear in emails.
//!
//! These links lead to pages where passwords are typed, so they must be https, except on this machine.

use super::is_loopback;
use url::Url;

/// Maximum length, that of a merge field's value (see `system_email/values.rs`). A longer address would be cut.
const CHARACTERS: usize = 1_000;

/// Reads the base of every link: `https://host/path`. A slash at the end is removed.
///
/// # Errors
///
/// What to write instead.
pub(super) fn base(text: &str) -> Result<String, String> {
    let url = secure(text, "https://invite.example.org")?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(invalid_url(text, "leave out what follows ? or #"));
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// Reads a full address and keeps it exactly as written, with its query and fragment.
///
/// # Errors
///
/// What to write instead.
pub(super) fn whole(text: &str) -> Result<String, String> {
    secure(text, "https://example.org/sign-in")?;
    Ok(text.to_owned())
}

fn secure(text: &str, example: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|_| invalid_url(text, &format!("write an address like {example}")))?;
    let is_secure = match url.scheme() {
        "https" => true,
        "http" => url.host_str().is_some_and(is_loopback),
        _ => false,
    };
    if !is_secure {
        return Err(invalid_url(text, "it must start with https://"));
    }
    // A URL parser would drop or encode these; in an email they end the link.
    if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(invalid_url(text, "write %20 for a space"));
    }
    if text.chars().count() > CHARACTERS {
        return Err(format!("has more than {CHARACTERS} characters"));
    }
    Ok(url)
}

fn invalid_url(text: &str, why: &str) -> String {
    format!("is {text:?}; {why}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_https_except_on_this_machine() {
        assert_eq!(base("https://lerna.example/"), Ok("https://lerna.example".to_owned()));
        for here in ["http://localhost:8080", "http://127.0.0.1", "http://[::1]:80/in"] {
            assert!(base(here).is_ok() && whole(here).is_ok(), "{here}");
        }
        for plain in ["http://lerna.example", "http://10.0.0.1/in", "http://localhost.example"] {
            let fault = format!("is {plain:?}; it must start with https://");
            assert_eq!((base(plain), whole(plain)), (Err(fault.clone()), Err(fault)), "{plain}");
        }
    }

    #[test]
    fn a_full_address_is_kept_as_written() {
        for text in ["https://lerna.example/in/?next=%2Fa&l=de#top", "https://lerna.example/"] {
            assert_eq!(whole(text), Ok(text.to_owned()));
        }
        assert!(base("https://lerna.example/?a=b").is_err());
        assert!(whole("https://lerna.example/a b").is_err());
        assert!(whole(&format!("https://lerna.example/{}", "a".repeat(1_000))).is_err());
    }
}
