//! Where a store is.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::store_url::StoreUrl;

/// The database of one store, and what this process has of it in its data folder.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    file: PathBuf,
    url: Option<StoreUrl>,
}

impl Place {
    /// This file, or the database at this URL; beside the file lies the lock of the one server of its folder.
    pub(crate) fn new(file: PathBuf, url: Option<StoreUrl>) -> Self {
        Self { file, url }
    }

    /// Whether the store is in the file.
    pub(crate) fn is_file(&self) -> bool {
        self.url.is_none()
    }

    /// The file, whether or not the store is in it.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.url {
            Some(url) => url.fmt(f),
            None => self.file.display().fmt(f),
        }
    }
}
