//! What a plugin says of itself, read from its file without running it.
//!
//! **Invariant:** what comes out of [`Manifest::parse`] fits this host's ABI and every rule for names and versions.

use serde::{Deserialize, Serialize};
use thingcall_plugin::abi;

/// The manifest, as the plugin wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Manifest {
    /// Major and minor version of the ABI it was built with.
    pub abi: (u16, u16),
    /// Its name: 1 to 40 of a-z, 0-9 and `-`. Names its metrics and its configuration.
    pub name: String,
    /// Its own version.
    pub version: String,
    /// The calls it handles.
    #[serde(default)]
    pub claims: Vec<String>,
    /// The products whose bytes it translates: product keys, or `*`.
    #[serde(default)]
    pub codecs: Vec<String>,
    /// The language it is written in: `rust`, `c`, ...
    #[serde(default)]
    pub lang: String,
    /// What a panic does: `unwind`, `abort`, or `none` where the language has none.
    #[serde(default)]
    pub panic: String,
    /// The version of the Rust face it was built with, where it was.
    #[serde(default)]
    pub sdk: Option<String>,
    /// The compiler it was built with, where it says so.
    #[serde(default)]
    pub rustc: Option<String>,
}

/// The name's longest form.
const NAME_BYTES_MAX: usize = 40;
/// The version's longest form.
const VERSION_BYTES_MAX: usize = 64;
/// How many claims and how many codecs a plugin may have.
pub(crate) const CLAIMS_MAX: usize = 1000;

/// Why a manifest is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Another major version of the ABI.
    #[error("built for plugin ABI {found}; this host speaks ABI {host}", host = abi::MAJOR)]
    Abi {
        /// The version it was built for.
        found: u16,
    },
    /// Not the JSON that it should be.
    #[error("the manifest cannot be read: {0}")]
    Json(String),
    /// A name that cannot name metrics and sections.
    #[error("the manifest's name {0:?} is not 1 to 40 of a-z 0-9 -")]
    Name(String),
    /// A version that cannot be shown.
    #[error("the manifest's version {0:?} is not 1 to 64 visible ASCII characters")]
    Version(String),
    /// More than anybody needs.
    #[error("the manifest has {count} {what}; {CLAIMS_MAX} are allowed")]
    TooMany {
        /// Claims or codecs.
        what: &'static str,
        /// How many.
        count: usize,
    },
    /// A word that is none of the three.
    #[error("the manifest's panic {0:?} is not one of unwind, abort, none")]
    Panic(String),
}

impl Manifest {
    /// Reads and checks the text of a manifest. What a claim means is checked where it is used: the configuration may
    /// replace it.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn parse(text: &[u8]) -> Result<Self, ManifestError> {
        /// The one member that every version has.
        #[derive(Deserialize)]
        struct Version {
            abi: (u16, u16),
        }
        let json = |error: serde_json::Error| ManifestError::Json(error.to_string());
        let Version { abi: (major, _) } = serde_json::from_slice(text).map_err(json)?;
        if major != abi::MAJOR {
            return Err(ManifestError::Abi { found: major });
        }
        let manifest: Self = serde_json::from_slice(text).map_err(json)?;
        manifest.check()?;
        Ok(manifest)
    }

    fn check(&self) -> Result<(), ManifestError> {
        if !is_name(&self.name) {
            return Err(ManifestError::Name(cut(&self.name)));
        }
        let version = &self.version;
        if version.is_empty() || version.len() > VERSION_BYTES_MAX || !version.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(ManifestError::Version(cut(version)));
        }
        for (what, count) in [("claims", self.claims.len()), ("codecs", self.codecs.len())] {
            if count > CLAIMS_MAX {
                return Err(ManifestError::TooMany { what, count });
            }
        }
        match self.panic.as_str() {
            "" | "unwind" | "abort" | "none" => Ok(()),
            other => Err(ManifestError::Panic(cut(other))),
        }
    }

    /// Whether a panic of it ends the process.
    pub fn panic_aborts(&self) -> bool {
        self.panic == "abort"
    }
}

/// Whether this can name a plugin.
pub(crate) fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= NAME_BYTES_MAX
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// As much of a foreign text as belongs in a message.
fn cut(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests;
