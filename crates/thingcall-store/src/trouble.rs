//! Why the store fails: one list for callers, the operator, the log and the metric.

use std::fmt;

use enum_map::Enum;
use strum::IntoStaticStr;

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
    /// The database's server is not there, or is going or coming.
    Unreachable,
    /// The slot of the call is another instance's by now.
    Lease,
    /// Whatever else the database may say.
    Other,
}

impl Trouble {
    /// What the operator can do about it.
    pub(crate) const fn advice(self) -> &'static str {
        match self {
            Self::Full => "free room on its file system; it is written again by itself",
            Self::Disk => "look into the system's log for the disk's errors; it is tried again by itself",
            Self::ReadOnly => {
                "let the user thingcall runs as write the folder and the files in it, or name PostgreSQL's primary server \
                 in store.url; it is tried again by itself"
            }
            Self::Locked => "end the process that writes it for so long; it is tried again by itself",
            Self::Damaged => "restore it from a backup together with its -wal file",
            Self::Log => "end the process that reads the store for so long, or raise store.log_bytes_max",
            Self::Unreachable => {
                "see that PostgreSQL runs and takes connections, and that the network lets them through; it is tried again \
                 by itself"
            }
            Self::Lease => "see that it reaches the store all the time; it leases a slot anew by itself",
            Self::Other => "look into thingcall's log; it is tried again by itself",
        }
    }

    /// Whether the database does not say what it has kept: what was refused may be found written after a crash.
    pub(crate) const fn in_doubt(self) -> bool {
        match self {
            Self::Disk | Self::Other => true,
            Self::Full
            | Self::ReadOnly
            | Self::Locked
            | Self::Damaged
            | Self::Log
            | Self::Unreachable
            | Self::Lease => false,
        }
    }
}

/// For callers: it names no file and no address.
impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "the store is full",
            Self::Disk => "the store's disk reports errors",
            Self::ReadOnly => "the store may not be written",
            Self::Locked => "another process keeps the store locked",
            Self::Damaged => "the store is damaged",
            Self::Log => "the store's write-ahead log is as long as it may be",
            Self::Unreachable => "the store cannot be reached",
            Self::Lease => "this instance's lease in the store is over",
            Self::Other => "the store fails",
        })
    }
}
