//! Certificates from files.

use std::path::Path;

use lapin::tcp::{RustlsConnector, RustlsConnectorConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::config::{StartError, Tls};

/// Reads the files once, at start, so that a wrong one is told then and not at the first connection. A given `ca_file`
/// takes the place of the system's authorities.
pub(crate) fn load(tls: &Tls) -> Result<RustlsConnector, StartError> {
    let trust = match &tls.ca_file {
        Some(file) => {
            let mut trust = RustlsConnectorConfig::default();
            trust.add_parsable_certificates(certificates("ca_file", file)?);
            trust
        }
        None => RustlsConnectorConfig::new_with_native_certs().map_err(|e| StartError::Authorities(e.to_string()))?,
    };
    match (&tls.client_cert_file, &tls.client_key_file) {
        (Some(cert), Some(key)) => {
            let chain = certificates("client_cert_file", cert)?;
            let secret = PrivateKeyDer::from_pem_file(key).map_err(|e| problem("client_key_file", key, &e))?;
            trust.connector_with_single_cert(chain, secret).map_err(|e| problem("client_cert_file", cert, &e))
        }
        (None, None) => trust.connector_with_no_client_auth().map_err(|e| StartError::Authorities(e.to_string())),
        (Some(file), None) => Err(problem("client_cert_file", file, &"client_key_file is missing")),
        (None, Some(file)) => Err(problem("client_key_file", file, &"client_cert_file is missing")),
    }
}

fn certificates(key: &'static str, file: &Path) -> Result<Vec<CertificateDer<'static>>, StartError> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = read.map_err(|e| problem(key, file, &e))?;
    if certificates.is_empty() {
        return Err(problem(key, file, &"holds no certificate in PEM form"));
    }
    Ok(certificates)
}

fn problem(key: &'static str, file: &Path, problem: &dyn std::fmt::Display) -> StartError {
    StartError::File { key, file: file.to_owned(), problem: problem.to_string() }
}

#[cfg(test)]
mod tests;
