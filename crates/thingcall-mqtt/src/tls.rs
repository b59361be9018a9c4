//! Certificates from files.

use std::path::Path;

use rumqttc_v4::TlsConfiguration;

use thingcall_core::{BrokerProblem, BrokerTls};

/// Reads the files once, at start, so that a wrong path is told then and not at the first connection.
pub(crate) fn load(tls: &BrokerTls) -> Result<TlsConfiguration, BrokerProblem> {
    let client = tls.client()?;
    let client_auth = client
        .map(|(cert, key)| Ok::<_, BrokerProblem>((read("client_cert_file", cert)?, read("client_key_file", key)?)))
        .transpose()?;
    let Some(ca) = &tls.ca_file else {
        if let Some((file, _)) = client {
            let problem = "ca_file is missing, which a client certificate needs beside it";
            return Err(BrokerProblem::file("client_cert_file", file, problem));
        }
        return TlsConfiguration::try_default_rustls().map_err(|e| BrokerProblem::Authorities(e.to_string()));
    };
    Ok(TlsConfiguration::Simple { ca: read("ca_file", ca)?, alpn: None, client_auth })
}

fn read(key: &'static str, file: &Path) -> Result<Vec<u8>, BrokerProblem> {
    let pem = std::fs::read(file).map_err(|e| BrokerProblem::file(key, file, e))?;
    if pem.windows(11).any(|window| window == b"-----BEGIN ") {
        Ok(pem)
    } else {
        Err(BrokerProblem::file(key, file, "is not in PEM form (no -----BEGIN line)"))
    }
}

#[cfg(test)]
mod tests;
