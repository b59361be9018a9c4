//! Backups of a store in a file, with the plugins beside it: made while a server runs, and restored into another folder.
//!
//! **Invariants:** a backup that has its name is whole: it is made under another one. What is restored was held against its manifest
//! and examined by SQLite before it takes its place, and what was there before is set aside, never overwritten.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thingcall_core::UnixMillis;

use crate::open::OpenError;
use crate::sqlite::{Examined, examine, snapshot};
use crate::{Config, owner};

mod error;
mod restore;

pub use error::BackupError;
pub(crate) use restore::not_half_restored;
pub use restore::{Existing, Restored, restore};

/// The form that this program writes.
const FORMAT: u32 = 1;
/// What a backup says of itself.
const MANIFEST: &str = "manifest.json";
/// A longer one is none.
const MANIFEST_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// The store within a backup.
const STORE: &str = "thingcall.db";
/// The plugins' folder, within a backup as within a data folder.
const PLUGINS: &str = "plugins";

/// What a backup says of itself: `manifest.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Of which form it is.
    format: u32,
    /// Which program made it.
    pub thingcall: String,
    /// When it was begun, in milliseconds since 1970: what was acknowledged before is in it.
    pub begun_at: i64,
    /// When it was done.
    pub ended_at: i64,
    /// The version of the store's schema.
    pub schema: i64,
    /// How many rows each table has.
    pub rows: BTreeMap<String, u64>,
    /// Its files, the store's first.
    pub files: Vec<KeptFile>,
}

/// A file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeptFile {
    /// Its name within the backup.
    pub name: String,
    /// How long it is.
    pub bytes: u64,
    /// The hash of all of it, in hexadecimal digits.
    pub sha256: String,
}

/// Makes a backup of the store in this data folder, and of the plugins there: a folder of this name, which must not be there yet.
/// A server may run meanwhile. `program` is what made it, for the manifest.
///
/// # Errors
/// Why there is none. Nothing is left of it then.
pub async fn backup(config: &Config, data: &Path, to: &Path, program: &str) -> Result<Manifest, BackupError> {
    if config.url.is_some() {
        return Err(BackupError::Postgres);
    }
    let store = data.join(&config.file);
    if !store.is_file() {
        return Err(OpenError::Missing { path: store }.into());
    }
    if to.symlink_metadata().is_ok() {
        return Err(BackupError::Exists { path: to.to_owned() });
    }
    let part = Part::new(to)?;
    let begun_at = UnixMillis::now().0;
    let copy = part.0.join(STORE);
    let text = copy.to_str().ok_or_else(|| BackupError::name(to))?;
    snapshot(&store, text).await.map_err(|source| BackupError::sqlite(&store, source))?;
    let failed = |source| BackupError::file(&copy, source);
    fs::set_permissions(&copy, Permissions::from_mode(0o600)).map_err(failed)?;
    let Examined { schema, rows, damage, half_of } = looked_at(&copy).await?;
    if let Some(why) = damage {
        return Err(BackupError::Damaged { path: store, why });
    }
    if let Some(of) = half_of {
        return Err(OpenError::Half { place: store.display().to_string(), of }.into());
    }
    let mut files = vec![hashed(&copy, STORE)?];
    let plugins = data.join(PLUGINS);
    for name in names_in(&plugins)? {
        let within = format!("{PLUGINS}/{name}");
        files.push(copied(&plugins.join(&name), &part.0, &within)?);
    }
    let ended_at = UnixMillis::now().0;
    let rows = rows.into_iter().collect();
    let manifest = Manifest { format: FORMAT, thingcall: program.to_owned(), begun_at, ended_at, schema, rows, files };
    part.seal(&manifest, to)?;
    Ok(manifest)
}

async fn looked_at(copy: &Path) -> Result<Examined, BackupError> {
    examine(copy).await.map_err(|source| BackupError::sqlite(copy, source))
}

/// A folder that takes its name when it is whole; until then it is removed when it is given up.
struct Part(PathBuf);

impl Part {
    fn new(to: &Path) -> Result<Self, BackupError> {
        let name = to.file_name().ok_or_else(|| BackupError::name(to))?.to_string_lossy();
        let path = to.with_file_name(format!(".{name}.part-{}", std::process::id()));
        DirBuilder::new().mode(0o700).create(&path).map_err(|source| BackupError::file(&path, source))?;
        Ok(Self(path))
    }

    /// Writes the manifest, sees that all is on the disk, and gives it its name.
    fn seal(self, manifest: &Manifest, to: &Path) -> Result<(), BackupError> {
        let path = self.0.join(MANIFEST);
        let failed = |source| BackupError::file(&path, source);
        let text = serde_json::to_string_pretty(manifest).map_err(|error| failed(error.into()))?;
        let mut file = File::create_new(&path).map_err(failed)?;
        file.write_all(format!("{text}\n").as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
        on_disk(&self.0).map_err(|source| BackupError::file(&self.0, source))?;
        match renameat_with(CWD, &self.0, CWD, to, RenameFlags::NOREPLACE) {
            Ok(()) => {}
            Err(error) if io::Error::from(error).kind() == ErrorKind::AlreadyExists => {
                return Err(BackupError::Exists { path: to.to_owned() });
            }
            Err(error) => return Err(BackupError::file(to, error.into())),
        }
        on_disk(&folder_of(to)).map_err(|source| BackupError::file(to, source))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // Once it has its name, nothing of this one is there.
        drop(fs::remove_dir_all(&self.0));
    }
}

fn folder_of(path: &Path) -> PathBuf {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).map_or_else(|| PathBuf::from("."), Path::to_owned)
}

/// What a folder says of its files survives a crash of the machine, too.
fn on_disk(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// The files in a folder, those that hide left out; none if there is no folder.
fn names_in(folder: &Path) -> Result<Vec<String>, BackupError> {
    let failed = |source| BackupError::file(folder, source);
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_file() && !name.starts_with('.') {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Reads a file to its end.
fn hashed(path: &Path, name: &str) -> Result<KeptFile, BackupError> {
    let mut file = File::open(path).map_err(|source| BackupError::file(path, source))?;
    let kept = poured(&mut file, &mut io::sink(), name).map_err(|source| BackupError::file(path, source))?;
    file.sync_all().map_err(|source| BackupError::file(path, source))?;
    Ok(kept)
}

/// Copies a file to this name within a folder.
fn copied(from: &Path, folder: &Path, name: &str) -> Result<KeptFile, BackupError> {
    let to = folder.join(name);
    let made = folder_of(&to);
    let failed = |source| BackupError::file(&to, source);
    owner::make_folder(&made).map_err(failed)?;
    let mut file = File::open(from).map_err(|source| BackupError::file(from, source))?;
    let mut copy = File::create_new(&to).map_err(failed)?;
    let kept = poured(&mut file, &mut copy, name).map_err(failed)?;
    copy.set_permissions(Permissions::from_mode(0o600)).and_then(|()| copy.sync_all()).map_err(failed)?;
    owner::as_its_folder(&to).map_err(failed)?;
    on_disk(&made).map_err(failed)?;
    Ok(kept)
}

fn poured(from: &mut impl Read, to: &mut impl Write, name: &str) -> io::Result<KeptFile> {
    let (mut hash, mut bytes, mut room) = (Sha256::new(), 0, vec![0; 64 * 1024]);
    loop {
        let read = from.read(&mut room)?;
        let Some(part) = room.get(..read).filter(|part| !part.is_empty()) else { break };
        hash.update(part);
        to.write_all(part)?;
        bytes += part.len() as u64;
    }
    let sha256 = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(KeptFile { name: name.to_owned(), bytes, sha256 })
}
