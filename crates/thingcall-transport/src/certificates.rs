//! Certificates and keys from files, in PEM form, each fault as a [`Problem`]; and which files a broker needs.

use std::path::{Path, PathBuf};

use rustls_pki_types::pem::{Error, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde::Deserialize;
use thingcall_core::{Problem, Section};

/// Certificates, as PEM files.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BrokerTls {
    /// Who may vouch for the broker; the system's authorities if not given.
    pub ca_file: Option<PathBuf>,
    /// Our own certificate, where the broker asks for one.
    pub client_cert_file: Option<PathBuf>,
    /// The key that goes with it.
    pub client_key_file: Option<PathBuf>,
}

impl BrokerTls {
    /// Whether no file is named.
    pub fn is_empty(&self) -> bool {
        self.ca_file.is_none() && self.client_cert_file.is_none() && self.client_key_file.is_none()
    }

    /// Our certificate and its key; `None` unless both are named.
    pub fn client(&self) -> Option<(&Path, &Path)> {
        Some((self.client_cert_file.as_deref()?, self.client_key_file.as_deref()?))
    }
}

impl Section for BrokerTls {
    fn problems(&self) -> Vec<Problem> {
        match (&self.client_cert_file, &self.client_key_file) {
            (Some(_), None) => vec![Problem::new("client_key_file", "missing", "the key of client_cert_file")],
            (None, Some(_)) => vec![Problem::new("client_cert_file", "missing", "the certificate of client_key_file")],
            (Some(_), Some(_)) | (None, None) => Vec::new(),
        }
    }
}

/// The certificates in a file: one or more.
///
/// # Errors
/// If it cannot be read, or holds none.
pub fn certificates(key: &str, file: &Path) -> Result<Vec<CertificateDer<'static>>, Problem> {
    let read = regular(file).and_then(|()| CertificateDer::pem_file_iter(file)?.collect::<Result<Vec<_>, _>>());
    match read {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(of_certificate(key, file, words(&Error::NoItemsFound))),
        Err(error) => Err(of_certificate(key, file, words(&error))),
    }
}

/// The private key in a file.
///
/// # Errors
/// If it cannot be read, or holds none.
pub fn private_key(key: &str, file: &Path) -> Result<PrivateKeyDer<'static>, Problem> {
    let read = regular(file).and_then(|()| PrivateKeyDer::from_pem_file(file));
    read.map_err(|error| of_private_key(key, file, words(&error)))
}

/// Who reads a pipe waits for whoever writes it, which may be nobody.
fn regular(file: &Path) -> Result<(), Error> {
    let is_regular = std::fs::metadata(file).map_err(Error::Io)?.is_file();
    is_regular.then_some(()).ok_or_else(|| Error::Io(std::io::Error::other("it is no regular file")))
}

/// What is wrong with a file of certificates.
pub fn of_certificate(key: &str, file: &Path, why: impl std::fmt::Display) -> Problem {
    Problem::file(key, file, why, "a file with a certificate in PEM form that this user can read")
}

/// What is wrong with a file of a private key.
pub fn of_private_key(key: &str, file: &Path, why: impl std::fmt::Display) -> Problem {
    Problem::file(key, file, why, "a file with a private key in PEM form that this user can read")
}

/// No `ca_file` is given, and this is why nothing takes its place.
pub fn no_authorities(why: impl std::fmt::Display) -> Problem {
    let value = format!("missing, and the system's authorities cannot be read ({why})");
    Problem::new("tls.ca_file", value, "a file with the broker's authority")
}

/// Never what the file holds: it may be a secret.
fn words(error: &Error) -> String {
    match error {
        Error::Io(error) => error.to_string(),
        Error::NoItemsFound => "it holds none".to_owned(),
        Error::SectionTooLarge => "it is too large".to_owned(),
        Error::MissingSectionEnd { .. } | Error::IllegalSectionStart { .. } | Error::Base64Decode(_) | _ => {
            "it is damaged".to_owned()
        }
    }
}

#[cfg(test)]
mod tests;
