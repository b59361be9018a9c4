//! What an operator is told of plugins: after a load, and in a list.

use std::path::PathBuf;

use serde::Serialize;

use crate::ended::Ended;

/// A plugin that was loaded, or was loaded already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Loaded {
    /// Its name.
    pub name: String,
    /// Its own version.
    pub version: String,
    /// Which instance of it takes calls now: 1 for the first since the start.
    pub generation: u64,
    /// Where it came from.
    pub file: PathBuf,
    /// The SHA-256 of its file, hex.
    pub sha256: String,
    /// Whether there is a new generation; `false` if the file holds what runs already.
    pub changed: bool,
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PluginStatus {
    /// It takes calls.
    Active,
    /// Its code runs for the first time; its calls fail until its `create` returns.
    Starting,
    /// It was not loaded; the error says why.
    Refused,
    /// Its section says `enabled = false`.
    Disabled,
}

/// A plugin, or a file that is none, as `plugin list` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PluginState {
    /// The file.
    pub file: PathBuf,
    /// What became of it.
    pub status: PluginStatus,
    /// Its name, where the file says one.
    pub name: Option<String>,
    /// Its own version.
    pub version: Option<String>,
    /// Which instance of it takes calls now.
    pub generation: Option<u64>,
    /// The SHA-256 of the file, hex.
    pub sha256: Option<String>,
    /// The calls it handles, after the configuration.
    pub claims: Vec<String>,
    /// The products whose bytes it translates, after the configuration.
    pub codecs: Vec<String>,
    /// Its place in front of other plugins, where it has one.
    pub order: Option<i32>,
    /// How many of its calls have not ended.
    pub calls_in_flight: usize,
    /// Whether its circuit is open: its code blocks.
    pub circuit_open: bool,
    /// How it ended the server, if it ever did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_server: Option<Ended>,
    /// Why the file is refused, or, for an active plugin, why its newer file is.
    pub error: Option<String>,
}
