//! What is remembered of plugins beside the store: what each claims, and the file that was last loaded.
//!
//! **Invariant:** a record or a file is there whole or not at all: each is written beside, synced and renamed.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::claim::{self, Claim, ClaimError, CodecClaim};
use crate::files::{self, FileError};
use crate::manifest::is_name;
use crate::routes::Wish;

/// A plugin that was loaded once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Record {
    /// The operator's file.
    pub(crate) file: PathBuf,
    pub(crate) version: String,
    pub(crate) sha256: String,
    claims: Vec<String>,
    codecs: Vec<String>,
    order: Option<i32>,
    /// The SHA-256 of the file's content that the operator went back from: while the file holds that, this is loaded in
    /// its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rolled_back: Option<String>,
}

impl Record {
    /// What is worth remembering of a plugin that was just loaded.
    pub(crate) fn new(file: &Path, version: &str, sha256: &str, wish: &Wish) -> Self {
        Self {
            file: file.to_owned(),
            version: version.to_owned(),
            sha256: sha256.to_owned(),
            claims: wish.claims.iter().map(ToString::to_string).collect(),
            codecs: wish.codecs.iter().map(ToString::to_string).collect(),
            order: wish.order,
            rolled_back: None,
        }
    }

    /// That every claim in it can be read: one left out would be open to the device.
    fn check(&self) -> Result<(), ClaimError> {
        claim::parse_all::<Claim>(&self.claims)?;
        claim::parse_all::<CodecClaim>(&self.codecs).map(drop)
    }

    /// What it asked for.
    pub(crate) fn wish(&self, name: &str) -> Wish {
        Wish {
            name: name.to_owned(),
            claims: claim::parse_all(&self.claims).unwrap_or_default(),
            codecs: claim::parse_all(&self.codecs).unwrap_or_default(),
            order: self.order,
        }
    }
}

/// The folder of what is remembered.
#[derive(Debug)]
pub(crate) struct Kept {
    folder: PathBuf,
}

impl Kept {
    /// Takes the folder, which need not exist.
    pub(crate) const fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Every plugin that was loaded once and not forgotten.
    ///
    /// # Errors
    /// Which record cannot be read: without it calls could pass a plugin by.
    pub(crate) fn records(&self) -> Result<BTreeMap<String, Record>, FileError> {
        let entries = match std::fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeMap::new()),
            Err(error) => return Err(unreadable(&self.folder, &error)),
        };
        let mut records = BTreeMap::new();
        for entry in entries {
            let path = entry.map_err(|error| unreadable(&self.folder, &error))?.path();
            let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if path.extension().is_some_and(|extension| extension == "json") && is_name(&name) {
                let bytes = std::fs::read(&path).map_err(|error| unreadable(&path, &error))?;
                let record: Record =
                    serde_json::from_slice(&bytes).map_err(|error| unreadable(&path, &error.into()))?;
                record.check().map_err(|why| FileError::Read { path, why: why.to_string() })?;
                records.insert(name, record);
            }
        }
        Ok(records)
    }

    /// Where the last file of this plugin that was loaded is.
    pub(crate) fn last(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.so"))
    }

    /// Where the one before it is.
    pub(crate) fn before(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.before.so"))
    }

    /// Remembers a plugin that was just loaded; `bytes` are its file's, if they are others than before.
    ///
    /// # Errors
    /// What cannot be written.
    pub(crate) fn remember(&self, name: &str, record: &Record, bytes: Option<&[u8]>) -> Result<(), FileError> {
        files::make_private(&self.folder)?;
        if let Some(bytes) = bytes {
            let last = self.last(name);
            // Copied, not moved: whenever this ends, there is a last one that is whole.
            match std::fs::read(&last) {
                Ok(bytes) => files::put(&self.before(name), &bytes)?,
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(unreadable(&last, &error)),
            }
            files::put(&last, bytes)?;
        }
        let path = self.folder.join(format!("{name}.json"));
        let text = serde_json::to_vec(record).map_err(|error| unwritable(&path, &error.into()))?;
        files::put(&path, &text)
    }

    /// Forgets a plugin: its claims and its files.
    ///
    /// # Errors
    /// What cannot be removed.
    pub(crate) fn forget(&self, name: &str) -> Result<(), FileError> {
        let record = self.folder.join(format!("{name}.json"));
        for path in [record, self.last(name), self.before(name)] {
            match std::fs::remove_file(&path) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(unwritable(&path, &error)),
            }
        }
        Ok(())
    }
}

fn unreadable(path: &Path, error: &io::Error) -> FileError {
    FileError::Read { path: path.to_owned(), why: error.to_string() }
}

fn unwritable(path: &Path, error: &io::Error) -> FileError {
    FileError::Copy { path: path.to_owned(), why: error.to_string() }
}
