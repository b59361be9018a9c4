//! Certificates from files.

use lapin::tcp::{RustlsConnector, RustlsConnectorConfig};
use thingcall_core::Problem;
use thingcall_transport::{BrokerTls, certificates, no_authorities, of_certificate, private_key};

/// Reads the files: at start, so that a wrong one is told then, and before each connection, since they end. A given `ca_file`
/// takes the place of the system's authorities.
///
/// # Errors
/// All that is wrong with them.
pub(crate) fn load(tls: &BrokerTls) -> Result<RustlsConnector, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut keep = |problem| problems.push(problem);
    let ca = tls.ca_file.as_deref().and_then(|file| certificates("tls.ca_file", file).map_err(&mut keep).ok());
    let client = tls.client().and_then(|(cert, key)| {
        let chain = certificates("tls.client_cert_file", cert).map_err(&mut keep).ok();
        let key = private_key("tls.client_key_file", key).map_err(&mut keep).ok();
        chain.zip(key).map(|(chain, key)| (cert, chain, key))
    });
    if !problems.is_empty() {
        return Err(problems);
    }
    let trust = match ca {
        Some(certificates) => RustlsConnectorConfig::default().with_parsable_certificates(certificates),
        None => RustlsConnectorConfig::new_with_native_certs().map_err(|error| vec![no_authorities(error)])?,
    };
    // First what tells of the authorities alone: the other error does not say which of both it is about.
    let connector = trust.clone().connector_with_no_client_auth().map_err(|error| match &tls.ca_file {
        Some(file) => vec![of_certificate("tls.ca_file", file, error)],
        None => vec![Problem::new("tls.ca_file", format!("missing ({error})"), "a file with the broker's authority")],
    })?;
    match client {
        None => Ok(connector),
        Some((file, chain, key)) => trust
            .connector_with_single_cert(chain, key)
            .map_err(|error| vec![of_certificate("tls.client_cert_file", file, error)]),
    }
}

#[cfg(test)]
mod tests;
