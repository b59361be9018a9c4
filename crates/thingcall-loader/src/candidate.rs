//! A file on its way to become a plugin: all that can be decided before its code runs.

use std::path::{Path, PathBuf};

use crate::book::{Book, Known};
use crate::claim::{self, ClaimError};
use crate::config::{Config, PluginConfig, PluginConfigs};
use crate::conflict::Conflict;
use crate::error::LoadError;
use crate::files::{self, FileRead, Stamp};
use crate::inspect::{self, Inspected};
use crate::manifest::Manifest;
use crate::routes::Wish;

/// A readable plugin in a file that may be loaded.
pub(crate) struct Candidate {
    pub(crate) file: PathBuf,
    pub(crate) read: FileRead,
    pub(crate) inspected: Inspected,
}

impl Candidate {
    /// Reads the file, once.
    ///
    /// # Errors
    /// Why it is no plugin, or may not be used.
    pub(crate) fn read(file: &Path, config: &Config) -> Result<Self, LoadError> {
        let read = files::read(file, &config.sha256_allowed)?;
        let inspected = inspect::inspect(&read.bytes)?;
        Ok(Self { file: file.to_owned(), read, inspected })
    }

    /// What it says of itself.
    pub(crate) fn manifest(&self) -> &Manifest {
        &self.inspected.manifest
    }

    /// Enough to name it in a list.
    pub(crate) fn known(&self) -> Known {
        let Manifest { name, version, .. } = self.manifest().clone();
        Known { name, version, sha256: self.read.sha256.clone() }
    }

    /// Its section; the defaults if it has none.
    pub(crate) fn settings(&self, configs: &PluginConfigs) -> PluginConfig {
        configs.get(&self.manifest().name).cloned().unwrap_or_default()
    }

    /// What it asks for, if it may run on this host and as its section says.
    ///
    /// # Errors
    /// Why it may not.
    pub(crate) fn wish(&self, settings: &PluginConfig) -> Result<Wish, LoadError> {
        let Manifest { name, claims, codecs, .. } = self.manifest();
        if !settings.enabled {
            return Err(LoadError::Disabled(name.clone()));
        }
        if self.inspected.machine != inspect::HOST_MACHINE {
            return Err(LoadError::Machine { found: self.inspected.machine.clone(), host: inspect::HOST_MACHINE });
        }
        if self.inspected.static_tls {
            return Err(LoadError::StaticTls);
        }
        if self.manifest().panic_aborts() && !settings.allow_panic_abort {
            return Err(LoadError::PanicAbort(name.clone()));
        }
        let configured = |error: ClaimError| LoadError::Config { name: name.clone(), why: error.to_string() };
        let wish = Wish {
            name: name.clone(),
            claims: match &settings.claims {
                Some(claims) => claim::parse_all(claims).map_err(configured)?,
                None => claim::parse_all(claims)?,
            },
            codecs: match &settings.codecs {
                Some(codecs) => claim::parse_all(codecs).map_err(configured)?,
                None => claim::parse_all(codecs)?,
            },
            order: settings.order,
        };
        if wish.claims.is_empty() && wish.codecs.is_empty() {
            return Err(LoadError::Idle(name.clone()));
        }
        Ok(wish)
    }

    /// The names it would replace: its own, and what its file held before.
    ///
    /// # Errors
    /// If it gets into the way of a plugin that it would not replace.
    pub(crate) fn replaces(&self, wish: &Wish, book: &Book) -> Result<Vec<String>, Conflict> {
        let mut replaced = book.names_in(&self.file);
        if let Some(active) = book.active().get(&wish.name) {
            // Not there any more: it was renamed, and this is it.
            let moved = matches!(Stamp::of(&active.file), Ok(None));
            if active.file != self.file && !moved {
                let (name, active, new) = (wish.name.clone(), active.file.clone(), self.file.clone());
                return Err(Conflict::Name { name, active, new });
            }
            if !replaced.contains(&wish.name) {
                replaced.push(wish.name.clone());
            }
        }
        for (_, other) in book.active().iter().filter(|(name, _)| !replaced.contains(name)) {
            wish.beside(&other.wish)?;
        }
        for (name, other) in book.starting() {
            if *name == wish.name {
                let (name, active, new) = (name.clone(), other.file.clone(), self.file.clone());
                return Err(Conflict::Name { name, active, new });
            }
            wish.beside(&other.wish)?;
        }
        Ok(replaced)
    }
}

/// A static program has no system's loader in it, or one that fits by luck.
pub(crate) fn host_can_load(statically_linked: bool) -> Result<(), LoadError> {
    if statically_linked { Err(LoadError::StaticHost) } else { Ok(()) }
}
