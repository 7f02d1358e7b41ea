//! Random tokens for sessions, browsers, one-time links, forms and API keys.
//!
//! A token has 256 random bits. Postgres stores its SHA-256 digest, so a copy of the database reveals no token: so many
//! bits need no slow hash (ASVS 5.0, 6.5.2), and comparing digests by an index leaks nothing about tokens.

use crate::app::problem::Problem;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::TryRng as _;
use rand::rngs::SysError;
use sha2::{Digest as _, Sha256};

const TOKEN_BYTES: usize = 32;

/// Generates a token in base64url.
///
/// # Errors
///
/// If the operating system provides no randomness.
pub(crate) fn random_token() -> Result<String, SysError> {
    let mut bytes = [0; TOKEN_BYTES];
    shared::password::os_randomness().try_fill_bytes(&mut bytes)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// Generates a token, and its digest to store.
///
/// # Errors
///
/// If the operating system provides no randomness.
pub(crate) fn make_token() -> Result<(String, Vec<u8>), Problem> {
    let token = random_token().map_err(|_| Problem::internal())?;
    let digest = digest_of(&token);
    Ok((token, digest))
}

/// The digest of a token.
pub(crate) fn digest_of(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}
