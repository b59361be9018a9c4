//! Why a backup was not made, or not restored.

use std::io;
use std::path::{Path, PathBuf};

use crate::open::OpenError;

/// Why not.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The store is no file.
    #[error(
        "the store is a PostgreSQL, which has its own tools: `pg_dump --format=custom --no-unlogged-table-data --file=FILE URL` makes a \
         backup while servers run, `pg_restore --exit-on-error --no-owner --dbname=URL FILE` restores it into an empty database"
    )]
    Postgres,
    /// There is something of this name.
    #[error("{} is there already; right is a name that nothing has, such as one with the date", path.display())]
    Exists {
        /// What.
        path: PathBuf,
    },
    /// The folder to restore into holds something.
    #[error(
        "{} holds a store or plugins already; give a folder that does not, or --replace, which sets aside what is there",
        data.display()
    )]
    Taken {
        /// The folder.
        data: PathBuf,
    },
    /// A server runs there.
    #[error("a server runs on {}; stop it first", data.display())]
    Served {
        /// The folder.
        data: PathBuf,
    },
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is no backup, or one of a newer program's.
    #[error("{} is no backup that this thingcall can read: {why}", path.display())]
    NoBackup {
        /// Which.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// It is not as it was when it was made.
    #[error("{} is damaged: {why}", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// In which way.
        why: String,
    },
    /// A newer program's.
    #[error(
        "the backup has schema version {found} and this thingcall knows versions up to {known}; restore it with the thingcall that made \
         it ({by}), or a newer one"
    )]
    Newer {
        /// Its version.
        found: i64,
        /// The highest that is known.
        known: i64,
        /// What made it.
        by: String,
    },
    /// The store cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// SQLite failed.
    #[error("{}: SQLite failed: {source}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// Its words.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl BackupError {
    pub(super) fn file(path: &Path, source: io::Error) -> Self {
        Self::File { path: path.to_owned(), source }
    }

    pub(super) fn sqlite(path: &Path, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Sqlite { path: path.to_owned(), source: Box::new(source) }
    }

    pub(super) fn name(path: &Path) -> Self {
        let source = io::Error::new(io::ErrorKind::InvalidInput, "no name for a folder; right is one in UTF-8");
        Self::file(path, source)
    }
}
