//! Who could have changed a file: it and every folder above it belong to root or to this user, and nobody else may
//! write there.
//!
//! As `sshd` does it for key files, but for one case: far above the file, a folder of root's with the sticky bit (as
//! `/tmp`) may be writable by all, since nobody can rename what another user put there.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

/// A path that others could change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UntrustedPath {
    /// Its mode lets others write.
    #[error("{} is writable by group or others (mode {mode:o}); run: chmod go-w {}", path.display(), path.display())]
    Writable {
        /// The file or folder.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// Its owner can do as he likes.
    #[error(
        "{} belongs to user {owner}, not to root or the server's user {us}; run: chown {us} {}",
        path.display(), path.display()
    )]
    Owner {
        /// The file or folder.
        path: PathBuf,
        /// Who owns it.
        owner: u32,
        /// Who we are.
        us: u32,
    },
    /// It cannot be looked at.
    #[error("{} cannot be checked: {why}", path.display())]
    Unknown {
        /// The file or folder.
        path: PathBuf,
        /// The system's words.
        why: String,
    },
}

const STICKY: u32 = 0o1000;
const OTHERS_WRITE: u32 = 0o022;

/// Checks what `fstat` said of one file.
pub(crate) fn check_owner_and_mode(path: &Path, owner: u32, mode: u32) -> Result<(), UntrustedPath> {
    check_owner(path, owner)?;
    if mode & OTHERS_WRITE == 0 {
        return Ok(());
    }
    Err(UntrustedPath::Writable { path: path.to_owned(), mode: mode & 0o7777 })
}

fn check_owner(path: &Path, owner: u32) -> Result<(), UntrustedPath> {
    let us = geteuid().as_raw();
    if owner == 0 || owner == us {
        return Ok(());
    }
    Err(UntrustedPath::Owner { path: path.to_owned(), owner, us })
}

/// Checks a folder and all above it; the path has no links in it.
pub(crate) fn check_folder(canonical: &Path) -> Result<(), UntrustedPath> {
    for (above, folder) in canonical.ancestors().enumerate() {
        let unknown =
            |error: std::io::Error| UntrustedPath::Unknown { path: folder.to_owned(), why: error.to_string() };
        let found = folder.symlink_metadata().map_err(unknown)?;
        let shared = above > 0 && found.uid() == 0 && found.mode() & STICKY != 0;
        if shared {
            check_owner(folder, found.uid())?;
        } else {
            check_owner_and_mode(folder, found.uid(), found.mode())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
