//! A small file system in memory, to fill and to free.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The file system, taken away at the end.
#[derive(Debug)]
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts it on this folder, which is made.
    ///
    /// # Panics
    /// If this user may not: it must be root.
    pub fn mount(folder: &Path, mebibytes: u32) -> Self {
        fs::create_dir_all(folder).expect("the scratch folder can be written");
        let size = format!("size={mebibytes}m,mode=0700");
        let output = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder).output();
        let output = output.expect("mount starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "only root can mount a small disk: {said}");
        Self(folder.to_owned())
    }

    /// Takes all the room there is.
    ///
    /// # Panics
    /// If the file cannot be made.
    pub fn fill(&self) {
        let mut file = File::create(self.0.join("ballast")).expect("a file can be made");
        for bytes in [65_536, 4_096, 1] {
            while file.write_all(&vec![1; bytes]).is_ok() {}
        }
    }

    /// Gives it back.
    ///
    /// # Panics
    /// If it was not full.
    pub fn free(&self) {
        fs::remove_file(self.0.join("ballast")).expect("it was full");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the server may have files open still.
        let _gone = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
