//! API keys.
//!
//! A key is `beckon_` and 32 random bytes in base64url. Its SHA-256 digest is looked up: 256 random bits need no slow
//! hash (ASVS 5.0, 6.5.2), and comparing digests by an index leaks nothing about keys.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::TryRng as _;
use sha2::{Digest as _, Sha256};
use shared::store::api_keys::NewKey;

/// How every key begins.
pub const PREFIX: &str = "beckon_";
const RANDOM_BYTES: usize = 32;

/// Generates a key, and its digest to store.
///
/// # Errors
///
/// If the operating system provides no randomness.
pub fn make_key() -> Result<(String, Vec<u8>), rand::rngs::SysError> {
    let mut bytes = [0; RANDOM_BYTES];
    shared::password::os_randomness().try_fill_bytes(&mut bytes)?;
    let key = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes));
    let digest = digest(&key);
    Ok((key, digest))
}

/// Details of a new key for the audit log: its name and properties that differ from the default.
pub fn noted(new: &NewKey) -> serde_json::Value {
    let mut noted = serde_json::json!({ "name": new.name });
    if let Some(noted) = noted.as_object_mut() {
        let marks = [
            ("never_expires", new.expires_after.is_none()),
            ("reads_audit_log", new.may_read_audit_log),
        ];
        let marks = marks.into_iter().filter(|(_, holds)| *holds);
        noted.extend(marks.map(|(mark, holds)| (mark.to_owned(), holds.into())));
    }
    noted
}

/// The digest under which a key is stored.
pub fn digest(key: &str) -> Vec<u8> {
    Sha256::digest(key.as_bytes()).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_differ_and_their_digests_are_not_the_keys() {
        let (one, its_digest) = make_key().unwrap();
        let (other, _) = make_key().unwrap();
        assert_ne!(one, other);
        assert_eq!(one.len(), PREFIX.len() + 43);
        assert_eq!(its_digest, digest(&one));
    }
}
