//! Whose the files are: what root makes in another user's folder is that user's, who could not use it otherwise.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, chown};
use std::path::Path;

const ROOT: u32 = 0;

/// Gives a file that root has just made, or owns, to the owner of its folder.
///
/// # Errors
/// If the system refuses.
pub fn as_its_folder(path: &Path) -> io::Result<()> {
    let Some(folder) = path.parent() else { return Ok(()) };
    let folder = fs::metadata(if folder.as_os_str().is_empty() { Path::new(".") } else { folder })?;
    let file = fs::metadata(path)?;
    if file.uid() != ROOT || folder.uid() == ROOT {
        return Ok(());
    }
    chown(path, Some(folder.uid()), Some(folder.gid()))
}

/// Makes a folder for its owner alone, and those above it that are missing.
pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    if path.as_os_str().is_empty() || path.is_dir() {
        return Ok(());
    }
    if let Some(above) = path.parent() {
        make_folder(above)?;
    }
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => as_its_folder(path),
        // Another process was quicker.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => Err(error),
    }
}
