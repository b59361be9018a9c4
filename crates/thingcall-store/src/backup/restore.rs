//! Puts a backup into a data folder, once nothing is wrong with it.

use std::fs::{self, DirBuilder, File};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use thingcall_core::UnixMillis;

use super::{
    BackupError, FORMAT, KeptFile, MANIFEST, MANIFEST_BYTES_MAX, Manifest, PLUGINS, STORE, copied, looked_at, names_in,
    on_disk,
};
use crate::claim::Claim;
use crate::open::OpenError;
use crate::{Config, owner, sqlite};

/// What becomes of a store that is in the folder already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Nothing is restored.
    Refuse,
    /// It is moved into a folder of its own, within the data folder.
    SetAside,
}

/// What was restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// What the backup said of itself.
    pub manifest: Manifest,
    /// Where what was there before is now.
    pub aside: Option<PathBuf>,
}

/// Restores a backup into a data folder that no server runs on. The next server there takes itself for one that was started again:
/// requests that were signed before it began are refused.
///
/// # Errors
/// Why not. What was there before is there as it was.
pub async fn restore(config: &Config, from: &Path, data: &Path, existing: Existing) -> Result<Restored, BackupError> {
    if config.url.is_some() {
        return Err(BackupError::Postgres);
    }
    let manifest = read(from)?;
    let known = sqlite::known();
    if manifest.schema > known {
        let by = manifest.thingcall.clone();
        return Err(BackupError::Newer { found: manifest.schema, known, by });
    }
    owner::make_folder(data).map_err(|source| BackupError::file(data, source))?;
    let store = data.join(&config.file);
    let _claim = match Claim::take(&store).await {
        Err(OpenError::InUse { .. }) => return Err(BackupError::Served { data: data.to_owned() }),
        claim => claim?,
    };
    let there = files_of(&store, data)?;
    if !there.is_empty() && existing == Existing::Refuse {
        return Err(BackupError::Taken { data: data.to_owned() });
    }
    let room = Room::new(data)?;
    for file in &manifest.files {
        let is = copied(&from.join(&file.name), &room.0, &file.name)?;
        if is != *file {
            let why = format!(
                "its SHA-256 is {} ({} bytes), and was {} ({} bytes)",
                is.sha256, is.bytes, file.sha256, file.bytes
            );
            return Err(BackupError::Damaged { path: from.join(&file.name), why });
        }
    }
    let copy = room.0.join(STORE);
    let found = looked_at(&copy).await?;
    let wrong = |why| BackupError::Damaged { path: from.join(STORE), why };
    if let Some(why) = found.damage {
        return Err(wrong(why));
    }
    if (found.schema, found.rows.into_iter().collect()) != (manifest.schema, manifest.rows.clone()) {
        return Err(wrong("its schema or its numbers of rows are not those of the manifest".to_owned()));
    }
    let aside = set_aside(&there, data)?;
    let failed = |source| BackupError::file(data, source);
    let plugins = room.0.join(PLUGINS);
    if plugins.exists() {
        // One without files may be there.
        drop(fs::remove_dir(data.join(PLUGINS)));
        fs::rename(&plugins, data.join(PLUGINS)).map_err(failed)?;
    }
    fs::rename(&copy, &store).and_then(|()| on_disk(data)).map_err(failed)?;
    Ok(Restored { manifest, aside })
}

/// The manifest of a backup.
fn read(from: &Path) -> Result<Manifest, BackupError> {
    let path = from.join(MANIFEST);
    let none = |why: String| BackupError::NoBackup { path: from.to_owned(), why };
    let file = File::open(&path).map_err(|error| none(format!("{MANIFEST}: {error}")))?;
    let mut text = String::new();
    let read = file.take(MANIFEST_BYTES_MAX).read_to_string(&mut text);
    read.map_err(|error| none(format!("{MANIFEST}: {error}")))?;
    let manifest: Manifest = serde_json::from_str(&text).map_err(|error| none(format!("{MANIFEST}: {error}")))?;
    if manifest.format != FORMAT {
        return Err(none(format!("it is of form {}, and this program knows {FORMAT}", manifest.format)));
    }
    let is_ours = |KeptFile { name, .. }: &KeptFile| {
        let plugin = name.strip_prefix(PLUGINS).and_then(|rest| rest.strip_prefix('/'));
        name == STORE || plugin.is_some_and(|name| !name.is_empty() && !name.starts_with('.') && !name.contains('/'))
    };
    let whole = manifest.files.first().is_some_and(|file| file.name == STORE);
    if !whole || !manifest.files.iter().all(is_ours) {
        return Err(none(format!("{MANIFEST} names other files than a backup has")));
    }
    Ok(manifest)
}

/// What is in a data folder that a backup has, too.
fn files_of(store: &Path, data: &Path) -> Result<Vec<PathBuf>, BackupError> {
    let beside = ["", "-wal", "-shm", "-journal"].map(|end| PathBuf::from(format!("{}{end}", store.display())));
    let mut there: Vec<_> = beside.into_iter().filter(|path| path.symlink_metadata().is_ok()).collect();
    let plugins = data.join(PLUGINS);
    if !names_in(&plugins)?.is_empty() {
        there.push(plugins);
    }
    Ok(there)
}

fn set_aside(there: &[PathBuf], data: &Path) -> Result<Option<PathBuf>, BackupError> {
    if there.is_empty() {
        return Ok(None);
    }
    let aside = data.join(format!("replaced-{}", UnixMillis::now().0));
    let failed = |source| BackupError::file(&aside, source);
    owner::make_folder(&aside).map_err(failed)?;
    for path in there {
        let name = path.file_name().ok_or_else(|| BackupError::name(path))?;
        fs::rename(path, aside.join(name)).map_err(failed)?;
    }
    on_disk(&aside).map_err(failed)?;
    Ok(Some(aside))
}

/// The store, but where none is and a restore was ended: no empty one is to be made, what was there is beside it.
pub(crate) fn not_half_restored<'a>(store: &'a Path, data: &Path) -> Result<&'a Path, OpenError> {
    let path = data.join(ROOM);
    if path.exists() && !store.exists() { Err(OpenError::HalfRestored { path }) } else { Ok(store) }
}

/// A folder within the data folder, where a backup is looked at before it takes its place.
struct Room(PathBuf);

/// Its name.
const ROOM: &str = ".restore";

impl Room {
    fn new(data: &Path) -> Result<Self, BackupError> {
        let path = data.join(ROOM);
        let failed = |source| BackupError::file(&path, source);
        // Nobody else restores here, and one that was ended is of no use.
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
            Ok(()) | Err(_) => {}
        }
        let made = DirBuilder::new().mode(0o700).create(&path).and_then(|()| owner::as_its_folder(&path));
        made.map_err(failed)?;
        Ok(Self(path))
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}
