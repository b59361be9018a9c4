//! Certificates from files.

use std::path::Path;

use rumqttc_v4::TlsConfiguration;

use crate::config::{StartError, Tls};

/// Reads the files once, at start, so that a wrong path is told then and not at the first connection.
pub(crate) fn load(tls: &Tls) -> Result<TlsConfiguration, StartError> {
    let client_auth = match (&tls.client_cert_file, &tls.client_key_file) {
        (Some(cert), Some(key)) => Some((read("client_cert_file", cert)?, read("client_key_file", key)?)),
        (None, None) => None,
        (Some(file), None) => return Err(alone("client_cert_file", file, "client_key_file is missing")),
        (None, Some(file)) => return Err(alone("client_key_file", file, "client_cert_file is missing")),
    };
    let Some(ca) = &tls.ca_file else {
        if let Some(file) = &tls.client_cert_file {
            return Err(alone(
                "client_cert_file",
                file,
                "ca_file is missing, which a client certificate needs beside it",
            ));
        }
        return TlsConfiguration::try_default_rustls().map_err(|e| StartError::Authorities(e.to_string()));
    };
    Ok(TlsConfiguration::Simple { ca: read("ca_file", ca)?, alpn: None, client_auth })
}

fn read(key: &'static str, file: &Path) -> Result<Vec<u8>, StartError> {
    let problem = |problem: String| StartError::File { key, file: file.to_owned(), problem };
    let pem = std::fs::read(file).map_err(|e| problem(e.to_string()))?;
    if pem.windows(11).any(|window| window == b"-----BEGIN ") {
        Ok(pem)
    } else {
        Err(problem("is not in PEM form (no -----BEGIN line)".to_owned()))
    }
}

fn alone(key: &'static str, file: &Path, problem: &str) -> StartError {
    StartError::File { key, file: file.to_owned(), problem: problem.to_owned() }
}

#[cfg(test)]
mod tests;
