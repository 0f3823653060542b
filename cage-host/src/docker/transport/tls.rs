//! TLS that trusts one authority, and no other that the machine may know.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::endpoint::Certificates;
use crate::error::{RequestError, Result};

/// How long a connection is silent before the system asks whether the other side is still there.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// Makes connections for `https` addresses.
pub(super) fn connector(certificates: &Certificates) -> Result<HttpsConnector<HttpConnector>> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_keepalive(Some(KEEPALIVE));
    Ok(HttpsConnector::from((tcp, configuration(certificates)?)))
}

fn configuration(certificates: &Certificates) -> Result<ClientConfig> {
    let authority = &certificates.authority;
    let mut roots = RootCertStore::empty();
    for certificate in chain(authority)? {
        roots.add(certificate).map_err(|error| unusable(authority, error))?;
    }
    // The provider is named, since a program that links two of them has no usual one, and asking for it panics.
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(authority, error))?
        .with_root_certificates(roots);
    match &certificates.client {
        None => Ok(builder.with_no_client_auth()),
        Some((certificate, key)) => {
            let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable(key, &error))?;
            builder.with_client_auth_cert(chain(certificate)?, secret).map_err(|error| unusable(key, error))
        }
    }
}

fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let certificates: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| unreadable(path, &error))?;
    if certificates.is_empty() {
        return Err(unreadable(path, &pem::Error::NoItemsFound));
    }
    Ok(certificates)
}

fn unreadable(path: &Path, error: &pem::Error) -> crate::Error {
    let reason = match error {
        pem::Error::Io(error) => error.to_string(),
        pem::Error::NoItemsFound => "nothing in it is what it should hold, in PEM".to_owned(),
        other => other.to_string(),
    };
    RequestError::Certificate { path: path.to_owned(), reason }.into()
}

fn unusable(path: &Path, error: impl std::fmt::Display) -> crate::Error {
    RequestError::Certificate { path: path.to_owned(), reason: error.to_string() }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_a_file_that_holds_no_certificate() {
        let folder = tempfile::tempdir().unwrap();
        let authority = folder.path().join("ca.pem");
        std::fs::write(&authority, "hello").unwrap();
        let error = connector(&Certificates { authority, client: None }).unwrap_err();
        assert!(
            error.to_string().contains("ca.pem`: nothing in it is what it should hold, in PEM"),
            "{error}"
        );
    }

    #[test]
    fn rejects_a_file_that_cannot_be_read() {
        let error = connector(&Certificates { authority: "/no/ca.pem".into(), client: None }).unwrap_err();
        assert!(error.to_string().contains("/no/ca.pem`: No such file"), "{error}");
    }
}
