//! Certificates and keys from files, in PEM form, each fault as a [`Problem`].

use std::path::Path;

use rustls_pki_types::pem::{Error, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use thingcall_core::Problem;

/// The certificates in a file: one or more.
///
/// # Errors
/// If it cannot be read, or holds none.
pub fn certificates(key: &str, file: &Path) -> Result<Vec<CertificateDer<'static>>, Problem> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
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
    PrivateKeyDer::from_pem_file(file).map_err(|error| of_private_key(key, file, words(&error)))
}

/// What is wrong with a file of certificates.
pub fn of_certificate(key: &str, file: &Path, why: impl std::fmt::Display) -> Problem {
    Problem::file(key, file, why, "a file with a certificate in PEM form that this user can read")
}

/// What is wrong with a file of a private key.
pub fn of_private_key(key: &str, file: &Path, why: impl std::fmt::Display) -> Problem {
    Problem::file(key, file, why, "a file with a private key in PEM form that this user can read")
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
