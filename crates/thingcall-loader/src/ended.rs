//! Which plugins ended the server: what the process before left of that, and what it adds up to.
//!
//! Two traces lead to a plugin. A *note*, which the handler of a deadly signal wrote ([`crash`]). And a *mark*, which
//! stands from before a library is opened until its `create` returned: for ends that leave no time to write.
//!
//! **Invariant:** a mark is taken away when a load ends, is given up, or the server is told to end. So one that stands at a
//! start means that the process ended while that file was loaded, and not because an operator asked it to.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde::{Deserialize, Serialize};
use thingcall_boundary::crash::signal_name;
use tracing::warn;

use crate::error::LoadError;
use crate::files::{self, FileError};
use crate::lock::lock;
use crate::manifest::is_name;
use crate::note::{self, Note};

/// A file that ended the server so often in a row while it was loaded is not loaded again by itself.
pub(crate) const IN_A_ROW_MAX: u32 = 3;

/// The marks that stand, for an end of the process that an operator asked for and that waits for nobody.
static STANDING: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// How often a plugin ended the server, and how the last time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ended {
    /// How often, as far as is remembered.
    pub times: u64,
    /// How often this very file did while it was loaded, since it last could be.
    pub at_load_in_a_row: u32,
    /// When the last time was, or, where it left no note, when that was found.
    pub at: String,
    /// Whether it was being loaded.
    pub at_load: bool,
    /// The signal's name, or `exit`; not there if the process ended without a word (`_exit`, or kill -9).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Which of the plugin's generations.
    pub generation: u64,
    /// The MessageId of the call whose plugin code ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// The plugin's file.
    pub file: PathBuf,
    /// Its SHA-256, hex.
    pub sha256: String,
}

/// What is remembered of how plugins ended the server.
#[derive(Debug)]
pub(crate) struct Endings {
    folder: PathBuf,
    known: Mutex<BTreeMap<String, Ended>>,
}

/// What a start learned of the process before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Learned {
    /// Which plugin ended it, if one did.
    All,
    /// That it was one of several that were loaded at once.
    OneOfSeveral,
}

impl Endings {
    /// Takes the folder, which need not exist, and learns from what the process before left; `note` is where it wrote its
    /// last words.
    pub(crate) fn learn(folder: PathBuf, note: &Path) -> (Self, Learned) {
        let endings = Self::remembered(folder);
        let note = note::take(note).unwrap_or_else(|error| {
            warn!(file = %note.display(), %error, "a plugin that ends the server could not be named");
            None
        });
        let marks: BTreeMap<String, Note> = each(&endings.folder, ".loading").collect();
        let learned = match note {
            Some((note, at)) => {
                let at_load = marks.values().any(|mark| same(mark, &note));
                endings.add(&note, &humantime::format_rfc3339_seconds(at).to_string(), at_load);
                Learned::All
            }
            None if marks.len() > 1 => {
                let plugins = marks.keys().cloned().collect::<Vec<_>>().join(", ");
                warn!(plugins, "the server ended while these plugins were loaded; now they are loaded one by one");
                Learned::OneOfSeveral
            }
            None => {
                let now = humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string();
                marks.values().for_each(|mark| endings.add(mark, &now, true));
                Learned::All
            }
        };
        marks.keys().for_each(|name| drop(std::fs::remove_file(endings.mark(name))));
        (endings, learned)
    }

    /// What is remembered by now, without learning of the process before.
    pub(crate) fn remembered(folder: PathBuf) -> Self {
        let known = Mutex::new(each(&folder, ".ended.json").collect());
        Self { folder, known }
    }

    /// That the server has outlived this file, or not yet died of it too often.
    ///
    /// # Errors
    /// How often it did.
    pub(crate) fn outlived(&self, name: &str, sha256: &str) -> Result<(), LoadError> {
        let times = self.in_a_row(name, sha256);
        if times < IN_A_ROW_MAX {
            return Ok(());
        }
        let by = self.of(name).and_then(|ended| ended.by);
        Err(LoadError::EndsServer { name: name.to_owned(), times, by })
    }

    /// One more time.
    fn add(&self, note: &Note, at: &str, at_load: bool) {
        let Note { plugin, generation, file, sha256, signal, call } = note;
        let mut known = lock(&self.known);
        let before = known.get(plugin);
        let in_a_row = before.filter(|before| before.sha256 == *sha256).map_or(0, |before| before.at_load_in_a_row);
        let ended = Ended {
            times: before.map_or(0, |before| before.times).saturating_add(1),
            at_load_in_a_row: if at_load { in_a_row.saturating_add(1) } else { 0 },
            at: at.to_owned(),
            at_load,
            by: signal.map(signal_name),
            generation: *generation,
            message_id: call.map(|call| call.to_string()),
            file: file.into(),
            sha256: sha256.clone(),
        };
        let by = ended.by.as_deref().unwrap_or("unknown");
        let message_id = ended.message_id.as_deref().unwrap_or("none");
        warn!(
            plugin,
            file,
            sha256,
            generation,
            message_id,
            by,
            at,
            at_load,
            times = ended.times,
            "the server was ended by a plugin"
        );
        self.write(plugin, &ended);
        known.insert(plugin.clone(), ended);
    }

    /// How often this file of the plugin ended the server while it was loaded, since it last could be.
    pub(crate) fn in_a_row(&self, plugin: &str, sha256: &str) -> u32 {
        self.of(plugin).filter(|ended| ended.sha256 == sha256).map_or(0, |ended| ended.at_load_in_a_row)
    }

    pub(crate) fn of(&self, plugin: &str) -> Option<Ended> {
        lock(&self.known).get(plugin).cloned()
    }

    /// How often each did.
    pub(crate) fn times(&self) -> Vec<(String, u64)> {
        lock(&self.known).iter().map(|(name, ended)| (name.clone(), ended.times)).collect()
    }

    /// Code of this file runs from now on.
    ///
    /// # Errors
    /// If that cannot be noted.
    pub(crate) fn entering(&self, note: &Note) -> Result<(), FileError> {
        files::make_private(&self.folder)?;
        let mark = self.mark(&note.plugin);
        let text = serde_json::to_vec(note).unwrap_or_default();
        drop(std::fs::remove_file(&mark));
        files::create(&mark, &text).map_err(|error| FileError::Copy { path: mark.clone(), why: error.to_string() })?;
        lock(&STANDING).push(mark);
        Ok(())
    }

    /// It is loaded, was refused or is waited for no longer.
    pub(crate) fn entered(&self, plugin: &str) {
        let mark = self.mark(plugin);
        lock(&STANDING).retain(|standing| *standing != mark);
        drop(std::fs::remove_file(mark));
    }

    /// Its `create` came back: the next time it does not is the first in a row.
    pub(crate) fn returned(&self, plugin: &str) {
        let mut known = lock(&self.known);
        if let Some(ended) = known.get_mut(plugin).filter(|ended| ended.at_load_in_a_row > 0) {
            ended.at_load_in_a_row = 0;
            self.write(plugin, ended);
        }
    }

    pub(crate) fn forget(&self, plugin: &str) {
        lock(&self.known).remove(plugin);
        drop(std::fs::remove_file(self.history(plugin)));
    }

    /// Not worth a refusal: what is lost is a count.
    fn write(&self, plugin: &str, ended: &Ended) {
        let path = self.history(plugin);
        let text = serde_json::to_vec(ended).unwrap_or_default();
        let written = files::make_private(&self.folder).and_then(|()| files::put(&path, &text));
        if let Err(error) = written {
            warn!(plugin, %error, "how the plugin ended the server will not be remembered after a restart");
        }
    }

    fn mark(&self, plugin: &str) -> PathBuf {
        self.folder.join(format!("{plugin}.loading"))
    }

    fn history(&self, plugin: &str) -> PathBuf {
        self.folder.join(format!("{plugin}.ended.json"))
    }
}

/// Whether a mark is of the load that a note tells of.
fn same(mark: &Note, note: &Note) -> bool {
    mark.plugin == note.plugin && mark.generation == note.generation && mark.sha256 == note.sha256
}

/// The operator ends the server: what is being loaded did not.
pub(crate) fn asked_to() {
    lock(&STANDING).drain(..).for_each(|mark| drop(std::fs::remove_file(mark)));
}

/// What is readable of the files that are named after a plugin and end so. What is not is as if it were not there.
fn each<T: serde::de::DeserializeOwned>(folder: &Path, ending: &'static str) -> impl Iterator<Item = (String, T)> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    entries.filter_map(move |entry| {
        let path = entry.ok()?.path();
        let name = path.file_name()?.to_str()?.strip_suffix(ending).filter(|name| is_name(name))?.to_owned();
        Some((name, serde_json::from_slice(&std::fs::read(&path).ok()?).ok()?))
    })
}

#[cfg(test)]
mod tests;
