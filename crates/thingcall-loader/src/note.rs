//! The note that a process leaves if plugin code ends it: who that was.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use thingcall_boundary::crash;

/// What it says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Note {
    pub(crate) plugin: String,
    pub(crate) generation: u64,
    pub(crate) file: String,
    pub(crate) sha256: String,
    /// 0: the plugin ended the process by `exit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) signal: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) call: Option<u32>,
}

impl Note {
    /// It in JSON, up to where the signal stands.
    pub(crate) fn words(&self) -> String {
        let mut words = serde_json::to_string(self).unwrap_or_default();
        words.truncate(words.trim_end_matches('}').len());
        words
    }
}

/// Reads what an earlier process left in this file, and when, and has what this one says written there.
///
/// # Errors
/// If the file cannot be read or written.
pub(crate) fn take(file: &Path) -> io::Result<Option<(Note, SystemTime)>> {
    let mut note = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(file)?;
    let mut before = Vec::new();
    let at = note.metadata()?.modified()?;
    note.read_to_end(&mut before)?;
    crash::listen(note)?;
    Ok(read(&before).map(|found| (found, at)))
}

/// What words say, also where they break off.
fn read(words: &[u8]) -> Option<Note> {
    let words = String::from_utf8_lossy(words);
    let words = words.trim_matches(['\0', '\n', '}']);
    serde_json::from_str(&format!("{words}}}")).ok()
}

#[cfg(test)]
mod tests;
