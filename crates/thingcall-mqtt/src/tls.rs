//! Certificates from files.

use std::sync::Arc;

use rumqttc_v4::TlsConfiguration;
use rumqttc_v4::tokio_rustls::rustls::crypto::aws_lc_rs;
use rumqttc_v4::tokio_rustls::rustls::{ClientConfig, Error, RootCertStore};
use thingcall_core::Problem;
use thingcall_transport::{BrokerTls, certificates, no_authorities, of_certificate, private_key};

/// Reads the files: at start, so that a wrong one is told then, and before each connection, since they end.
///
/// # Errors
/// All that is wrong with them.
pub(crate) fn load(tls: &BrokerTls) -> Result<TlsConfiguration, Vec<Problem>> {
    let ca = tls.ca_file.as_deref().map(|file| (file, certificates("tls.ca_file", file)));
    let client = tls
        .client()
        .map(|(cert, key)| (cert, certificates("tls.client_cert_file", cert), private_key("tls.client_key_file", key)));
    let Some((file, authorities)) = ca else {
        return TlsConfiguration::try_default_rustls().map_err(|error| vec![no_authorities(error)]);
    };
    let mut problems = Vec::new();
    let mut keep = |problem| problems.push(problem);
    let mut roots = RootCertStore::empty();
    if let Some(authorities) = authorities.map_err(&mut keep).ok()
        && roots.add_parsable_certificates(authorities).0 == 0
    {
        keep(of_certificate("tls.ca_file", file, "it holds none that can be read"));
    }
    let client = match client {
        Some((file, chain, key)) => chain.map_err(&mut keep).ok().zip(key.map_err(&mut keep).ok()).map(|it| (file, it)),
        None => None,
    };
    if !problems.is_empty() {
        return Err(problems);
    }
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| vec![no_authorities(error)])?
        .with_root_certificates(roots);
    let config = match client {
        None => config.with_no_client_auth(),
        Some((file, (chain, key))) => config
            .with_client_auth_cert(chain, key)
            .map_err(|error| vec![of_certificate("tls.client_cert_file", file, words(&error))])?,
    };
    Ok(TlsConfiguration::Rustls(Arc::new(config)))
}

fn words(error: &Error) -> String {
    if matches!(error, Error::InconsistentKeys(_)) {
        "client_key_file is the key of another certificate".to_owned()
    } else {
        error.to_string()
    }
}

#[cfg(test)]
mod tests;
