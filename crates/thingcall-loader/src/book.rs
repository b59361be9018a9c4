//! Which plugins are active, which files were seen, and what became of each.
//!
//! **Invariant:** a plugin's name is active once; a file is active for one name at most.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thingcall_boundary::Generation;

use crate::error::LoadError;
use crate::files::Stamp;
use crate::kept::Record;
use crate::lease::Idle;
use crate::manifest::Manifest;
use crate::routes::{Member, Wish};

/// How many files are looked at.
pub(crate) const FILES_MAX: usize = 256;

/// What runs of an active plugin.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    /// What its file says.
    pub(crate) manifest: Manifest,
    /// The SHA-256 of its file, hex.
    pub(crate) sha256: String,
}

/// An active plugin.
pub(crate) struct Active {
    pub(crate) file: PathBuf,
    pub(crate) number: u64,
    pub(crate) generation: Arc<Generation>,
    pub(crate) image: Image,
    pub(crate) wish: Wish,
    pub(crate) member: Member,
    /// Ends when nobody can start a call on it any more, once [`Self::member`] is dropped.
    pub(crate) idle: Idle,
}

/// What became of a file when it was last read.
#[derive(Debug, Clone, Default)]
pub(crate) struct FileNote {
    /// What was there; `None` if that could not be told.
    pub(crate) stamp: Option<Stamp>,
    /// Why it was not loaded, where it was not.
    pub(crate) refusal: Option<NotLoaded>,
}

/// A file that was not loaded.
#[derive(Debug, Clone)]
pub(crate) struct NotLoaded {
    pub(crate) error: LoadError,
    /// As much of the plugin as was known by then.
    pub(crate) known: Option<Known>,
    /// Which generation was in its way, if one was.
    pub(crate) in_the_way: Option<(String, u64)>,
}

/// What a file says, whether or not it is loaded.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) sha256: String,
}

/// A plugin whose code runs for the first time. Its name, file and claims are taken.
pub(crate) struct Starting {
    pub(crate) file: PathBuf,
    pub(crate) number: u64,
    pub(crate) wish: Wish,
}

/// All plugins and files.
#[derive(Default)]
pub(crate) struct Book {
    active: BTreeMap<String, Active>,
    starting: BTreeMap<String, Starting>,
    files: BTreeMap<PathBuf, FileNote>,
    remembered: BTreeMap<String, Record>,
    numbers: BTreeMap<String, u64>,
}

impl Book {
    /// A book of a new process, that knows what was loaded before it.
    pub(crate) fn remembering(remembered: BTreeMap<String, Record>) -> Self {
        Self { remembered, ..Self::default() }
    }

    /// The plugins that take calls, by name.
    pub(crate) const fn active(&self) -> &BTreeMap<String, Active> {
        &self.active
    }

    /// Those whose code runs for the first time, by name.
    pub(crate) const fn starting(&self) -> &BTreeMap<String, Starting> {
        &self.starting
    }

    /// The files that were seen.
    pub(crate) const fn files(&self) -> &BTreeMap<PathBuf, FileNote> {
        &self.files
    }

    /// Those that were loaded once, in an earlier process too, and were not forgotten.
    pub(crate) const fn remembered(&self) -> &BTreeMap<String, Record> {
        &self.remembered
    }

    /// This was there when a file was about to be read, if there is room for it.
    pub(crate) fn see(&mut self, file: &Path, stamp: Stamp) {
        if self.has_room_for(file) {
            self.files.entry(file.to_owned()).or_default().stamp = Some(stamp);
        }
    }

    /// What became of a file.
    pub(crate) fn note(&mut self, file: &Path, note: FileNote) {
        self.files.insert(file.to_owned(), note);
    }

    /// A plugin's code is about to run. Where its file was renamed, what runs of it goes with it.
    pub(crate) fn start(&mut self, starting: Starting) {
        let name = &starting.wish.name;
        if let Some(active) = self.active.get_mut(name) {
            active.file.clone_from(&starting.file);
        }
        self.starting.insert(name.clone(), starting);
    }

    /// It ran.
    pub(crate) fn started(&mut self, name: &str) {
        self.starting.remove(name);
    }

    /// A plugin is active in place of those of its name and its file, which are given back.
    pub(crate) fn install(&mut self, new: Active) -> Vec<Active> {
        let mut replaced = self.names_in(&new.file);
        replaced.push(new.wish.name.clone());
        let old: Vec<_> = replaced.iter().filter_map(|name| self.active.remove(name)).collect();
        for old in old.iter().filter(|old| old.file != new.file) {
            self.files.remove(&old.file);
        }
        self.active.insert(new.wish.name.clone(), new);
        old
    }

    /// What runs of a plugin is in this file.
    pub(crate) fn found_in(&mut self, name: &str, file: &Path) {
        let Some(active) = self.active.get_mut(name) else { return };
        let before = std::mem::replace(&mut active.file, file.to_owned());
        if before != file {
            self.files.remove(&before);
        }
    }

    /// A file is gone, and with it what was active from it.
    pub(crate) fn lose(&mut self, file: &Path) -> Vec<Active> {
        self.files.remove(file);
        self.names_in(file).iter().filter_map(|name| self.active.remove(name)).collect()
    }

    /// None is active any more.
    pub(crate) fn lose_all(&mut self) -> impl Iterator<Item = Active> + use<> {
        std::mem::take(&mut self.active).into_values()
    }

    /// What was known before of a plugin that was just loaded.
    pub(crate) fn remember(&mut self, name: &str, record: Record) -> Option<Record> {
        self.remembered.insert(name.to_owned(), record)
    }

    /// Its claims are free.
    pub(crate) fn forget(&mut self, name: &str) {
        self.remembered.remove(name);
    }

    /// The next generation's number of a plugin.
    pub(crate) fn next_number(&mut self, name: &str) -> u64 {
        let number = self.numbers.entry(name.to_owned()).or_default();
        *number += 1;
        *number
    }

    /// The file that a plugin of this name is in, loaded or refused.
    pub(crate) fn file_of(&self, name: &str) -> Option<PathBuf> {
        let refused = || {
            let known = |note: &FileNote| note.refusal.as_ref()?.known.as_ref().map(|known| known.name.clone());
            self.files.iter().find(|(_, note)| known(note).as_deref() == Some(name)).map(|(file, _)| file.clone())
        };
        // Unless that holds another one now.
        let others = |file: &PathBuf| !self.active.values().any(|active| active.file == *file);
        let before = || self.remembered.get(name).map(|record| record.file.clone()).filter(others);
        let starting = || self.starting.get(name).map(|starting| starting.file.clone());
        self.active.get(name).map(|active| active.file.clone()).or_else(starting).or_else(refused).or_else(before)
    }

    /// Whose file this is: what it says of itself, else what it was when it was last loaded.
    pub(crate) fn owner_of(&self, file: &Path, known: Option<&Known>) -> Option<String> {
        let before = || self.remembered.iter().find(|(_, record)| record.file == file).map(|(name, _)| name.clone());
        known.map(|known| known.name.clone()).or_else(before)
    }

    /// Why a plugin that is not active is not.
    pub(crate) fn why_not(&self, name: &str) -> String {
        let file = self.file_of(name);
        let refusal = file.as_ref().and_then(|file| self.files.get(file)?.refusal.as_ref());
        match (refusal, file) {
            _ if self.starting.contains_key(name) => "its create has not returned yet".to_owned(),
            (Some(refusal), _) => refusal.error.to_string(),
            (None, Some(file)) => format!("its file {} is not there", file.display()),
            (None, None) => "no file in the plugin folder holds it".to_owned(),
        }
    }

    /// Whether one more file can be looked after.
    pub(crate) fn has_room_for(&self, file: &Path) -> bool {
        self.files.len() < FILES_MAX || self.files.contains_key(file)
    }

    /// A refusal, with what is in the way by now.
    pub(crate) fn refusal(&self, error: &LoadError, known: Option<Known>) -> NotLoaded {
        // 0 is nobody's: what was in the way is not loaded, or gone already.
        let generation = |name: &str| (name.to_owned(), self.in_the_way(name).next().unwrap_or(0));
        let conflict = if let LoadError::Conflict(conflict) = error { Some(conflict) } else { None };
        let in_the_way = conflict.map(|conflict| generation(conflict.active()));
        NotLoaded { error: error.clone(), known, in_the_way }
    }

    /// The generations of this name that take claims from others.
    fn in_the_way(&self, name: &str) -> impl Iterator<Item = u64> {
        let starting = self.starting.get(name).map(|starting| starting.number);
        starting.into_iter().chain(self.active.get(name).map(|active| active.number))
    }

    /// The files that were refused because of a generation that is neither active any more nor being started, or of what
    /// was kept for a plugin that is loaded or forgotten by now.
    pub(crate) fn no_longer_in_conflict(&self) -> Vec<PathBuf> {
        let there = |(name, number): &(String, u64)| match number {
            0 => self.in_the_way(name).next().is_none() && self.remembered.contains_key(name),
            number => self.in_the_way(name).any(|found| found == *number),
        };
        let freed = |note: &FileNote| {
            note.refusal.as_ref().and_then(|refusal| refusal.in_the_way.as_ref()).is_some_and(|other| !there(other))
        };
        self.files.iter().filter(|(_, note)| freed(note)).map(|(file, _)| file.clone()).collect()
    }

    /// How many files are refused; a plugin that is switched off is not.
    pub(crate) fn refused(&self) -> usize {
        let refusals = self.files.values().filter_map(|note| note.refusal.as_ref());
        refusals.filter(|refusal| !matches!(refusal.error, LoadError::Disabled(_))).count()
    }

    /// The names that are active from this file.
    pub(crate) fn names_in(&self, file: &Path) -> Vec<String> {
        self.active.iter().filter(|(_, active)| active.file == file).map(|(name, _)| name.clone()).collect()
    }

    /// The rows of the active ones.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Member> {
        self.active.values().map(|active| &active.member)
    }
}
