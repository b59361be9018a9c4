//! Certificates from files.

use std::path::Path;

use lapin::tcp::{RustlsConnector, RustlsConnectorConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use thingcall_core::{BrokerProblem, BrokerTls};

/// Reads the files once, at start, so that a wrong one is told then and not at the first connection. A given `ca_file`
/// takes the place of the system's authorities.
pub(crate) fn load(tls: &BrokerTls) -> Result<RustlsConnector, BrokerProblem> {
    let trust = match &tls.ca_file {
        Some(file) => {
            let mut trust = RustlsConnectorConfig::default();
            trust.add_parsable_certificates(certificates("ca_file", file)?);
            trust
        }
        None => {
            RustlsConnectorConfig::new_with_native_certs().map_err(|e| BrokerProblem::Authorities(e.to_string()))?
        }
    };
    match tls.client()? {
        Some((cert, key)) => {
            let chain = certificates("client_cert_file", cert)?;
            let secret =
                PrivateKeyDer::from_pem_file(key).map_err(|e| BrokerProblem::file("client_key_file", key, e))?;
            trust
                .connector_with_single_cert(chain, secret)
                .map_err(|e| BrokerProblem::file("client_cert_file", cert, e))
        }
        None => trust.connector_with_no_client_auth().map_err(|e| BrokerProblem::Authorities(e.to_string())),
    }
}

fn certificates(key: &'static str, file: &Path) -> Result<Vec<CertificateDer<'static>>, BrokerProblem> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = read.map_err(|e| BrokerProblem::file(key, file, e))?;
    if certificates.is_empty() {
        return Err(BrokerProblem::file(key, file, "holds no certificate in PEM form"));
    }
    Ok(certificates)
}

#[cfg(test)]
mod tests;
