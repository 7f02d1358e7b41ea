//! Files of certificate authorities to trust in addition to those of the machine.

use std::path::Path;

/// The start of a certificate in PEM (RFC 7468, section 5).
const BEGINNING: &str = "-----BEGIN CERTIFICATE-----";

/// Reads a file of certificates in PEM.
///
/// # Errors
///
/// Why the file cannot be used, phrased to continue the sentence "NAME …".
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
