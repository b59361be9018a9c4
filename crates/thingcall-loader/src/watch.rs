//! Sees what changes in the plugin folder.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::plugins::{FILES_MAX, Inner};
use tracing::warn;

/// Watches until the plugins shut down.
pub(crate) async fn run(inner: Arc<Inner>) {
    inner.stop.cancelled().await;
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
    if files.len() > FILES_MAX {
        warn!(folder = %folder.display(), files = files.len(), max = FILES_MAX, "files beyond the limit are not looked at");
        files.truncate(FILES_MAX);
    }
    files
}
