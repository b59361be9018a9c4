//! Where an external broker is and how it is trusted, in the words that all transports to one share.

use std::path::{Path, PathBuf};

use serde::Deserialize;

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

/// Why a transport cannot start. Says the key within its section, the value and what would be right.
#[derive(Debug, thiserror::Error)]
pub enum BrokerProblem {
    /// A value cannot be used.
    #[error("{key} is {value:?}; right is {right}")]
    Value {
        /// The key.
        key: &'static str,
        /// What it holds.
        value: String,
        /// What it may hold.
        right: &'static str,
    },
    /// A certificate or key cannot be read.
    #[error("{key}: {file}: {problem}")]
    File {
        /// The key within the section's `tls`.
        key: &'static str,
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The system's authorities cannot be read.
    #[error(
        "tls.ca_file is not set, and the system's authorities cannot be read: {0}; right is a file with the broker's"
    )]
    Authorities(String),
    /// The metrics are registered already.
    #[error(transparent)]
    Metrics(#[from] prometheus::Error),
}

impl BrokerTls {
    /// Whether no file is named.
    pub fn is_empty(&self) -> bool {
        self.ca_file.is_none() && self.client_cert_file.is_none() && self.client_key_file.is_none()
    }

    /// Our certificate and its key: both, or neither.
    ///
    /// # Errors
    /// If only one of them is named.
    pub fn client(&self) -> Result<Option<(&Path, &Path)>, BrokerProblem> {
        match (&self.client_cert_file, &self.client_key_file) {
            (Some(cert), Some(key)) => Ok(Some((cert, key))),
            (None, None) => Ok(None),
            (Some(file), None) => Err(BrokerProblem::file("client_cert_file", file, "client_key_file is missing")),
            (None, Some(file)) => Err(BrokerProblem::file("client_key_file", file, "client_cert_file is missing")),
        }
    }
}

impl BrokerProblem {
    /// About a file.
    pub fn file(key: &'static str, file: &Path, problem: impl std::fmt::Display) -> Self {
        Self::File { key, file: file.to_owned(), problem: problem.to_string() }
    }
}

impl BrokerAddress {
    /// Reads `scheme://host:port`, the port being the scheme's where it is left out. `schemes` are those that are known,
    /// whether each is TLS, and its port; `right` is what the error says.
    ///
    /// # Errors
    /// If it is none.
    pub fn read(url: &str, schemes: &[(&str, bool, u16)], right: &'static str) -> Result<Self, BrokerProblem> {
        Self::parse(url, schemes).ok_or_else(|| {
            // A password does not belong into a URL, and even less into an error.
            let shown = if url.contains('@') { "(not shown: it holds an @)" } else { url };
            BrokerProblem::Value { key: "url", value: shown.to_owned(), right }
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
