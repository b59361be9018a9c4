//! Where an external broker is and how it is trusted, in the words that all transports to one share.

use std::path::{Path, PathBuf};

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

/// A host and a port, read from a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerAddress {
    /// Whether it is spoken to by TLS.
    pub tls: bool,
    /// A name or an IP address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
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

impl BrokerAddress {
    /// Reads `scheme://host:port`, the port being the scheme's where it is left out. `schemes` are those that are known,
    /// whether each is TLS, and its port; `right` is what the error says.
    ///
    /// # Errors
    /// If it is none.
    pub fn read(url: &str, schemes: &[(&str, bool, u16)], right: &str) -> Result<Self, Problem> {
        Self::parse(url, schemes).ok_or_else(|| {
            // A password does not belong into a URL, and even less into an error.
            let shown = if url.contains('@') { "(not shown: it holds an @)".to_owned() } else { format!("{url:?}") };
            Problem::new("url", shown, right)
        })
    }

    fn parse(url: &str, schemes: &[(&str, bool, u16)]) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let (_, tls, default_port) = *schemes.iter().find(|(known, ..)| *known == scheme)?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match rest.rsplit_once(':') {
            // The colons of a bare IPv6 address are not a port's.
            Some((host, _)) if !host.ends_with(']') && host.contains(':') => return None,
            Some((host, port)) => (host, port.parse().ok()?),
            None => (rest, default_port),
        };
        let named = !host.is_empty() && !host.contains(['/', '@', ' ']);
        named.then(|| Self { tls, host: host.trim_matches(['[', ']']).to_owned(), port })
    }
}
