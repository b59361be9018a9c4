//! Why a store cannot be opened.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

use thingcall_core::Problem;

use crate::failure::Failure;
use crate::place::Place;
use crate::postgres::PostgresError;
use crate::trouble::Trouble;

/// Why the store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The data folder cannot be made or used.
    #[error("the data folder {} cannot be used", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file cannot be made, or its permissions cannot be set.
    #[error("the store {} cannot be made or made private", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no store, and only one that is there was asked for.
    #[error(
        "there is no store {}; --data or --config says where it is, and `thingcall serve`, `thingcall product import` or \
         `thingcall key add` makes one",
        path.display()
    )]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A restore was ended before the store was in its place.
    #[error(
        "{} is of a restore that was ended, and there is no store; restore the backup again (what was there before it is in \
         replaced-TIME beside it), or remove that folder to begin with an empty store",
        path.display()
    )]
    HalfRestored {
        /// What it left.
        path: PathBuf,
    },
    /// Another server runs on this data folder.
    #[error("another thingcall server uses {}; stop it, or give this one a data folder of its own", path.display())]
    InUse {
        /// The lock file.
        path: PathBuf,
    },
    /// The file is not a database, or it is damaged.
    #[error(
        "{} is damaged or not a thingcall store; restore it from a backup together with its -wal file, or move it away and \
         an empty one is made",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// SQLite's words.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A newer thingcall has written the file.
    #[error(
        "{} has schema version {found} and this thingcall knows versions up to {known}; use the newer thingcall that \
         wrote it, or another data folder",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The highest version known.
        known: i64,
    },
    /// SQLite failed otherwise.
    #[error("the store {} cannot be opened: {why}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// Why, and what to do.
        why: String,
        /// SQLite's words.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A copy to it was ended before it was whole.
    #[error(
        "{place} is half a copy of {of}; `thingcall store copy` of the same goes on, and once that is done it can be used"
    )]
    Half {
        /// Which.
        place: String,
        /// What was copied to it.
        of: String,
    },
    /// A PostgreSQL cannot be the store.
    #[error(transparent)]
    Postgres(#[from] PostgresError),
    /// It was opened, and could not be read.
    #[error("the store {place} cannot be read: {why}")]
    Unread {
        /// Which.
        place: String,
        /// Why, and what to do.
        why: String,
        /// The database's words.
        source: Box<dyn Error + Send + Sync>,
    },
}

/// What is wrong with the store's file.
pub(crate) fn of_file(path: &Path, why: impl std::fmt::Display) -> Problem {
    Problem::file("store.file", path, why, "a file that this user can read and write")
}

impl OpenError {
    /// Tells a damaged file from other failures.
    pub(crate) fn of_file(path: &Path, failure: Failure) -> Self {
        let path = path.to_owned();
        let trouble = failure.trouble();
        let source = failure.into_source();
        match trouble {
            Trouble::Damaged => Self::Damaged { path, source },
            Trouble::Other => Self::Sqlite { path, why: "SQLite says so".to_owned(), source },
            Trouble::Full
            | Trouble::Disk
            | Trouble::ReadOnly
            | Trouble::Locked
            | Trouble::Log
            | Trouble::Unreachable
            | Trouble::Lease => Self::Sqlite { path, why: format!("{trouble}; {}", trouble.advice()), source },
        }
    }

    /// It was opened, and then failed.
    pub(crate) fn unread(place: &Place, failure: Failure) -> Self {
        if place.is_file() {
            return Self::of_file(place.file(), failure);
        }
        let trouble = failure.trouble();
        let why = format!("{trouble}; {}", trouble.advice());
        Self::Unread { place: place.to_string(), why, source: failure.into_source() }
    }

    /// As a problem of the configuration that names the file.
    pub fn problem(&self) -> Problem {
        match self {
            Self::Folder { path, source } => {
                Problem::file("data", path, source, "a folder that this user can write, or one that it can make")
            }
            Self::File { path, source } => of_file(path, source),
            Self::Missing { path } => Problem::file("store.file", path, "it is not there", "a store that is there"),
            Self::HalfRestored { path } => Problem::file(
                "data",
                path,
                "a restore was ended half way, and there is no store",
                "a backup that is restored again, or no such folder; what was there is in replaced-TIME beside it",
            ),
            Self::InUse { path } => {
                let data = path.parent().unwrap_or(path);
                Problem::file("data", data, "another thingcall server uses it", "a data folder of its own")
            }
            Self::Damaged { path, source } => Problem::file(
                "store.file",
                path,
                format_args!("damaged or not a thingcall store: {source}"),
                "a store from a backup with its -wal file, or none, and an empty one is made",
            ),
            Self::Newer { path, found, known } => Problem::file(
                "store.file",
                path,
                format_args!("of schema version {found}"),
                format!("a store of version {known} at most, the thingcall that wrote it, or another data folder"),
            ),
            Self::Sqlite { path, why, source } => {
                Problem::file("store.file", path, format_args!("{why}: {source}"), "a store that SQLite can open")
            }
            Self::Half { place, of } => Problem::new(
                "store",
                format_args!("{place} (half a copy of {of})"),
                "a copy that `thingcall store copy` ended",
            ),
            Self::Postgres(error) => error.problem(),
            Self::Unread { place, why, source } => {
                Problem::new("store.url", format_args!("{place} ({why}: {source})"), "a store that can be read")
            }
        }
    }
}
