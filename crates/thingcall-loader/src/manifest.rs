//! What a plugin says of itself, read from its file without running it.

use serde::Deserialize;

/// The manifest, as the plugin wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
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
