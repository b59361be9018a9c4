//! Why the store fails: one list for callers, the operator, the log and the metric.

use std::fmt;

use enum_map::Enum;
use strum::IntoStaticStr;
use thingcall_core::JournalError;
use thingcall_tsl::DirectoryError;

/// What SQLite says when the index of the write-ahead log cannot grow: that file system is full, too.
const IOERR_SHMSIZE: u32 = 4874;

/// Why the store cannot be written or read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum Trouble {
    /// No room on its file system.
    Full,
    /// The system reports errors of the disk.
    Disk,
    /// This user may not write it, or the file system is mounted so.
    ReadOnly,
    /// Another process writes and does not end.
    Locked,
    /// The file is no sound database.
    Damaged,
    /// The write-ahead log is as long as it may be.
    Log,
    /// Whatever else SQLite may say.
    Other,
}

impl Trouble {
    /// What SQLite's error is a case of.
    pub(crate) fn of(error: &sqlx::Error) -> Self {
        let Some(code) = code(error) else { return Self::Other };
        // The low byte is the error, what is above says more of it.
        match (code, code & 0xff) {
            (IOERR_SHMSIZE, _) | (_, 13) => Self::Full,
            (_, 10 | 14) => Self::Disk,
            (_, 3 | 8 | 23) => Self::ReadOnly,
            (_, 5 | 6) => Self::Locked,
            (_, 11 | 26) => Self::Damaged,
            _ => Self::Other,
        }
    }

    /// What the operator can do about it.
    pub(crate) const fn advice(self) -> &'static str {
        match self {
            Self::Full => "free room on its file system; it is written again by itself",
            Self::Disk => "look into the system's log for the disk's errors; it is tried again by itself",
            Self::ReadOnly => {
                "let the user thingcall runs as write the folder and the files in it; it is tried again by itself"
            }
            Self::Locked => "end the process that writes it for so long; it is tried again by itself",
            Self::Damaged => "restore it from a backup together with its -wal file",
            Self::Log => "end the process that reads the store for so long, or raise store.log_bytes_max",
            Self::Other => "look into thingcall's log; it is tried again by itself",
        }
    }

    /// Whether what was refused may be found written after a crash.
    const fn in_doubt(self) -> bool {
        match self {
            Self::Disk | Self::Other => true,
            Self::Full | Self::ReadOnly | Self::Locked | Self::Damaged | Self::Log => false,
        }
    }
}

/// For callers: it names no file.
impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "the store is full",
            Self::Disk => "the store's disk reports errors",
            Self::ReadOnly => "the store may not be written",
            Self::Locked => "another process keeps the store locked",
            Self::Damaged => "the store is damaged",
            Self::Log => "the store's write-ahead log is as long as it may be",
            Self::Other => "the store fails",
        })
    }
}

/// SQLite's code, as long as it gives one.
pub(crate) fn code(error: &sqlx::Error) -> Option<u32> {
    error.as_database_error().and_then(|e| e.code())?.parse().ok()
}

/// Why a piece of work on the write connection ended before its end.
#[derive(Debug)]
pub(crate) enum Stop<E> {
    /// What was asked for cannot be; the store is well.
    Refused(E),
    /// The store failed; nothing was written.
    Failed(sqlx::Error),
    /// It was written, and could not be read back.
    Unread(sqlx::Error),
}

impl<E> From<sqlx::Error> for Stop<E> {
    fn from(problem: sqlx::Error) -> Self {
        Self::Failed(problem)
    }
}

/// An error that can say that the store failed.
pub(crate) trait SaysTrouble {
    /// The store failed so; `written` if the change is made nevertheless.
    fn says(trouble: Trouble, written: bool) -> Self;
}

impl SaysTrouble for JournalError {
    fn says(trouble: Trouble, written: bool) -> Self {
        Self::Unwritable { why: trouble.to_string(), in_doubt: written || trouble.in_doubt() }
    }
}

impl SaysTrouble for DirectoryError {
    fn says(trouble: Trouble, written: bool) -> Self {
        Self::Unwritable(in_words(trouble, written))
    }
}

/// The same for people who change something.
pub(crate) fn in_words(trouble: Trouble, written: bool) -> String {
    if written {
        format!("{trouble}: the change is written, and is taken over once it can be read")
    } else {
        format!("{trouble}; nothing was changed")
    }
}
