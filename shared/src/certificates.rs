//! Files with the certificates of authorities to trust beside those of the machine.

use std::path::Path;

/// How a certificate begins in PEM (RFC 7468, section 5).
const BEGINNING: &str = "-----BEGIN CERTIFICATE-----";

/// Reads a file of certificates in PEM.
///
/// # Errors
///
/// Why it cannot be used; continues the sentence "NAME …".
pub(crate) fn read(path: &Path) -> Result<String, String> {
    let text = std::fs::read_to_string(path).map_err(|fault| {
        format!(
            "names the authority's file {}, which cannot be read: {fault}",
            path.display()
        )
    })?;
    if text.contains(BEGINNING) {
        Ok(text)
    } else {
        Err(format!(
            "names the authority's file {}, which holds no certificate in PEM",
            path.display()
        ))
    }
}
