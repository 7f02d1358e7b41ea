//! A certificate for the relay, and the authority a client must trust to accept it.

use std::io::Write;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tempfile::NamedTempFile;
use tokio_rustls::TlsAcceptor;

use crate::error::{HarnessError, Result};

/// What the relay needs to serve TLS.
pub(super) struct Certificate {
    pub(super) acceptor: TlsAcceptor,
    /// The authority's certificate in PEM; the file is deleted on drop.
    pub(super) authority: NamedTempFile,
}

/// A certificate with its key, signed by an authority of its own.
pub(crate) struct Issued {
    /// The authority's certificate in PEM.
    pub(crate) authority_pem: String,
    /// The server's certificate.
    pub(crate) certificate: rcgen::Certificate,
    /// Its key.
    pub(crate) key: KeyPair,
}

/// Creates an authority and a certificate for these host names.
pub(crate) fn issue(names: &[String]) -> Result<Issued> {
    let failed = |e: rcgen::Error| HarnessError::because("could not make a certificate for a relay", e);
    let authority_key = KeyPair::generate().map_err(failed)?;
    let mut authority = CertificateParams::new(Vec::new()).map_err(failed)?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    authority
        .distinguished_name
        .push(DnType::CommonName, "Authority of the test relay");
    let authority_pem = authority.self_signed(&authority_key).map_err(failed)?.pem();
    let key = KeyPair::generate().map_err(failed)?;
    let certificate = CertificateParams::new(names.to_vec())
        .and_then(|leaf| leaf.signed_by(&key, &Issuer::new(authority, authority_key)))
        .map_err(failed)?;
    Ok(Issued {
        authority_pem,
        certificate,
        key,
    })
}

impl Certificate {
    /// Creates an authority and a certificate for these host names.
    pub(super) fn for_names(names: &[String]) -> Result<Self> {
        let issued = issue(names)?;
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(issued.key.serialize_der()));
        let ring = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(ring)
            .with_safe_default_protocol_versions()
            .and_then(|config| {
                config
                    .with_no_client_auth()
                    .with_single_cert(vec![issued.certificate.der().clone()], key)
            })
            .map_err(|e| HarnessError::because("could not prepare the relay's TLS", e))?;
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            authority: written(&issued.authority_pem)
                .map_err(|e| HarnessError::because("could not write the authority's file", e))?,
        })
    }
}

fn written(pem: &str) -> std::io::Result<NamedTempFile> {
    let mut file = tempfile::Builder::new()
        .prefix("beckon-relay-ca.")
        .suffix(".pem")
        .tempfile()?;
    file.write_all(pem.as_bytes())?;
    file.flush()?;
    Ok(file)
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificate")
            .field("authority", &self.authority.path())
            .finish_non_exhaustive()
    }
}
