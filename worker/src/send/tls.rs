//! The certificate authorities that the relay is verified with.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

/// Why TLS cannot be set up: an error in the installation, detected at startup.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The file in `ca=` is missing, unreadable or not PEM.
    #[error("could not read certificates from {path}, which SMTP_URL names as ca")]
    ExtraRoot {
        /// The file.
        path: PathBuf,
        /// Why it could not be read.
        source: rustls::pki_types::pem::Error,
    },
    /// The file is PEM but contains no usable authority.
    #[error("{path}, which SMTP_URL names as ca, holds no usable certificate")]
    NoExtraRoot {
        /// The file.
        path: PathBuf,
    },
    /// A minimal container without `ca-certificates`.
    #[error(
        "this machine has no certificate authorities to verify the relay; install ca-certificates or name a file with ca= in SMTP_URL"
    )]
    NoRoots,
    /// The TLS library rejected its own defaults.
    #[error("could not set up TLS")]
    Library(#[from] rustls::Error),
}

/// TLS settings of a mailer. Trusts the machine's authorities and the one named in `SMTP_URL`.
pub(super) fn trust(extra_root: Option<&Path>) -> Result<Arc<ClientConfig>, TrustError> {
    let mut roots = RootCertStore::empty();
    // Single unreadable certificates are common and harmless. Having none is an error.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = extra_root {
        let unreadable = |source| TrustError::ExtraRoot {
            path: path.to_owned(),
            source,
        };
        let named: Vec<_> = CertificateDer::pem_file_iter(path)
            .map_err(unreadable)?
            .collect::<Result<_, _>>()
            .map_err(unreadable)?;
        if roots.add_parsable_certificates(named).0 == 0 {
            return Err(TrustError::NoExtraRoot { path: path.to_owned() });
        }
    }
    if roots.is_empty() {
        return Err(TrustError::NoRoots);
    }
    // Named explicitly instead of using the process default, on which two crates may disagree.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
