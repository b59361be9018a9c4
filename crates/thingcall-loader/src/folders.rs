//! Where plugins' files are, and what is remembered of them.

use std::path::{Path, PathBuf};

use crate::config::Config;

/// Where the plugins' files are.
pub(crate) fn folder(config: &Config, data: &Path) -> PathBuf {
    absolute(&config.folder.clone().unwrap_or_else(|| data.join("plugins")))
}

/// Where is what is remembered of them.
pub(crate) fn kept_folder(data: &Path) -> PathBuf {
    absolute(data).join("plugin-kept")
}

/// The libraries in a folder, in the order of their names; hidden files are somebody's that is still writing.
pub(crate) fn list(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let is_library = |path: &PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        name.ends_with(".so") && !name.starts_with('.')
    };
    let mut files: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(is_library).collect();
    files.sort();
    files
}

/// A path that does not depend on where the process stands.
pub(crate) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
