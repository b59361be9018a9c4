//! Reads a plugin's file once, if nobody but root and this user could have changed it, and keeps the copy that runs.
//!
//! **Invariant:** the bytes that are hashed, inspected and copied are the same; the operator's file is never mapped.

use std::ffi::OsStr;
use std::fs::{DirBuilder, File, Permissions};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{CWD, FileType, Mode, OFlags, Stat};
use sha2::{Digest, Sha256};

use crate::trust::{self, UntrustedPath};

/// The largest library.
const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Why a file is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// It cannot be opened or read.
    #[error("{} cannot be read: {why}", path.display())]
    Read {
        /// The file or a folder above it.
        path: PathBuf,
        /// The system's words.
        why: String,
    },
    /// The last part of its path is a link.
    #[error("{} is a symbolic link; put the library itself there", .0.display())]
    Link(PathBuf),
    /// A folder, a pipe or the like.
    #[error("{} is not a regular file", .0.display())]
    NotFile(PathBuf),
    /// Others could change it.
    #[error(transparent)]
    Untrusted(#[from] UntrustedPath),
    /// Larger than any plugin.
    #[error("{} has more than {FILE_BYTES_MAX} bytes", .0.display())]
    TooLarge(PathBuf),
    /// Somebody is writing it.
    #[error("{} changed while it was read; write it beside and rename it", .0.display())]
    Changed(PathBuf),
    /// The operator did not allow it.
    #[error("sha256 {0} is not on the allow-list; add it to sha256_allowed in [loader] if it should be")]
    NotAllowed(String),
    /// There is no place for the copy.
    #[error("{} cannot be written: {why}", path.display())]
    Copy {
        /// The copy or its folder.
        path: PathBuf,
        /// The system's words.
        why: String,
    },
}

/// What tells one content of a file from another without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    /// A file that was refused for its mode is looked at again when the mode changes.
    changed: (i64, i64),
}

impl Stamp {
    /// The stamp of what is there now; `None` if nothing is.
    ///
    /// # Errors
    /// If that cannot be told.
    pub(crate) fn of(path: &Path) -> io::Result<Option<Self>> {
        match path.symlink_metadata() {
            Ok(found) => Ok(Some(Self {
                device: found.dev(),
                inode: found.ino(),
                size: found.size(),
                modified: (found.mtime(), found.mtime_nsec()),
                changed: (found.ctime(), found.ctime_nsec()),
            })),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// A file's bytes, all checks of its place passed.
#[derive(Debug)]
pub(crate) struct FileRead {
    pub(crate) bytes: Vec<u8>,
    /// Hex, lower case.
    pub(crate) sha256: String,
}

/// Reads `path` once. `sha256_allowed` empty: any content.
///
/// # Errors
/// Why it may not be used.
pub(crate) fn read(path: &Path, sha256_allowed: &[String]) -> Result<FileRead, FileError> {
    let file = open(path)?;
    let before = stat(&file, path)?;
    if FileType::from_raw_mode(before.st_mode) != FileType::RegularFile {
        return Err(FileError::NotFile(path.to_owned()));
    }
    trust::check_owner_and_mode(path, before.st_uid, before.st_mode)?;
    let mut bytes = Vec::new();
    let unreadable = |error: io::Error| FileError::Read { path: path.to_owned(), why: error.to_string() };
    (&file).take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(FileError::TooLarge(path.to_owned()));
    }
    let after = stat(&file, path)?;
    let times = |stat: &Stat| (stat.st_size, stat.st_mtime, stat.st_mtime_nsec);
    if times(&before) != times(&after) {
        return Err(FileError::Changed(path.to_owned()));
    }
    let sha256 = hex::encode(Sha256::digest(&bytes));
    if !sha256_allowed.is_empty() && !sha256_allowed.iter().any(|one| one.trim().eq_ignore_ascii_case(&sha256)) {
        return Err(FileError::NotAllowed(sha256));
    }
    Ok(FileRead { bytes, sha256 })
}

/// The SHA-256 of a file's content, hex; `None` if it cannot be read.
pub(crate) fn sha256(path: &Path) -> Option<String> {
    Some(hex::encode(Sha256::digest(std::fs::read(path).ok()?)))
}

/// Opens the file in the folder that was checked, whatever its path leads to meanwhile.
fn open(path: &Path) -> Result<File, FileError> {
    let wrong = |at: &Path, why: String| FileError::Read { path: at.to_owned(), why };
    let absolute = std::path::absolute(path).map_err(|error| wrong(path, error.to_string()))?;
    let (Some(parent), Some(name)) = (absolute.parent(), absolute.file_name()) else {
        return Err(FileError::NotFile(path.to_owned()));
    };
    let parent = parent.canonicalize().map_err(|error| wrong(parent, error.to_string()))?;
    let folder = rustix::fs::openat(
        CWD,
        &parent,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .map_err(|error| wrong(&parent, io::Error::from(error).to_string()))?;
    trust::check_folder(&parent)?;
    open_in(&folder, name, path)
}

fn open_in(folder: &OwnedFd, name: &OsStr, path: &Path) -> Result<File, FileError> {
    // NONBLOCK: a pipe in the file's place must not hold us.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    match rustix::fs::openat(folder, name, flags, Mode::empty()) {
        Ok(file) => Ok(file.into()),
        Err(rustix::io::Errno::LOOP) => Err(FileError::Link(path.to_owned())),
        Err(error) => Err(FileError::Read { path: path.to_owned(), why: io::Error::from(error).to_string() }),
    }
}

fn stat(file: &File, path: &Path) -> Result<Stat, FileError> {
    rustix::fs::fstat(file)
        .map_err(|error| FileError::Read { path: path.to_owned(), why: io::Error::from(error).to_string() })
}

/// The folder of the copies that are mapped. They stay while the process lives, so that back traces have names.
#[derive(Debug)]
pub(crate) struct Copies {
    folder: PathBuf,
}

/// The system's loader takes a path it knows for the library it knows: no path may be used twice in one process.
static NEXT_COPY: AtomicU64 = AtomicU64::new(1);

/// Tells this process's copies from earlier ones'. The number of the process alone does not: in a container it is
/// always the same.
static PROCESS: LazyLock<String> = LazyLock::new(|| {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{}-{:x}", std::process::id(), since.as_nanos())
});

impl Copies {
    /// Takes the folder, which need not exist.
    pub(crate) const fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Removes what earlier processes left.
    pub(crate) fn clean(&self) -> io::Result<()> {
        let ours = format!(".{}.", *PROCESS);
        let entries = match std::fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.ends_with(".so") && !name.contains(&ours) {
                std::fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    /// Writes a copy to a path that was never used before.
    ///
    /// # Errors
    /// Why it cannot.
    pub(crate) fn write(&self, plugin: &str, bytes: &[u8]) -> Result<PathBuf, FileError> {
        let number = NEXT_COPY.fetch_add(1, Ordering::Relaxed);
        let path = self.folder.join(format!("{plugin}.{}.{number}.so", *PROCESS));
        make_private(&self.folder)?;
        create(&path, bytes).map_err(|error| {
            drop(std::fs::remove_file(&path));
            FileError::Copy { path: path.clone(), why: error.to_string() }
        })?;
        Ok(path)
    }
}

/// Makes a folder that this user alone can look into, or makes it so.
///
/// # Errors
/// Why it cannot be.
pub(crate) fn make_private(folder: &Path) -> Result<(), FileError> {
    let wrong = |error: io::Error| FileError::Copy { path: folder.to_owned(), why: error.to_string() };
    match DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(wrong(error)),
    }
    let found = folder.symlink_metadata().map_err(wrong)?;
    if !found.is_dir() {
        return Err(wrong(io::Error::from(io::ErrorKind::NotADirectory)));
    }
    if found.mode() & 0o7777 != 0o700 {
        std::fs::set_permissions(folder, Permissions::from_mode(0o700)).map_err(wrong)?;
    }
    Ok(trust::check_folder(&folder.canonicalize().map_err(wrong)?)?)
}

/// Writes a file that is not there yet, for this user alone.
///
/// # Errors
/// Why it cannot.
pub(crate) fn create(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(rustix::fs::openat(CWD, path, flags, Mode::RWXU)?);
    file.write_all(bytes)?;
    file.set_permissions(Permissions::from_mode(0o500))
}

/// Writes a file for this user alone, in one step: it is there whole or as it was.
///
/// # Errors
/// Why it cannot.
pub(crate) fn put(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    drop(std::fs::remove_file(&beside));
    let folder = path.parent().unwrap_or(path);
    create(&beside, bytes)
        .and_then(|()| File::open(&beside)?.sync_all())
        .and_then(|()| std::fs::rename(&beside, path))
        .and_then(|()| File::open(folder)?.sync_all())
        .map_err(|error| FileError::Copy { path: path.to_owned(), why: error.to_string() })
}

#[cfg(test)]
mod tests;
