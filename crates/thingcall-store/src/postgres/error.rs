//! Why a PostgreSQL cannot be the store: what, where, and what would be right.
//!
//! **Invariant:** no error shows a password.

use std::fmt;
use std::io::ErrorKind;

use thingcall_core::Problem;

use crate::store_url::StoreUrl;

/// The oldest release that is still looked after by its makers, when this was written.
pub(super) const VERSION_MIN: i32 = 13;

/// Why a PostgreSQL cannot be the store.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// It could not be spoken to, or said no.
    #[error("the store {url} cannot be opened: {why}; right is {}", why.right())]
    Failed {
        /// Which.
        url: StoreUrl,
        /// Why.
        why: Why,
        /// What the library says, if it was asked.
        source: Option<sqlx::Error>,
    },
    /// Its version is too old.
    #[error("the store {url} is PostgreSQL {found}; right is {VERSION_MIN} or newer")]
    TooOld {
        /// Which.
        url: StoreUrl,
        /// Its version.
        found: String,
    },
    /// It follows another one.
    #[error("the store {url} is a standby, which cannot be written; right is the URL of the primary")]
    Standby {
        /// Which.
        url: StoreUrl,
    },
    /// It cannot keep every text.
    #[error("the store {url} keeps its text as {found}; right is a database made with ENCODING 'UTF8'")]
    Encoding {
        /// Which.
        url: StoreUrl,
        /// How it keeps it.
        found: String,
    },
    /// A newer thingcall made its schema.
    #[error(
        "the store {url} has schema version {found} and this thingcall knows versions up to {known}; use the newer thingcall \
         that made it, or another database"
    )]
    Newer {
        /// Which.
        url: StoreUrl,
        /// Its version.
        found: i32,
        /// The highest version known.
        known: i32,
    },
    /// A copy to it was ended before it was whole.
    #[error(
        "the store {url} is half a copy of {of}; `thingcall store copy` of the same goes on, and then it can be used"
    )]
    Half {
        /// Which.
        url: StoreUrl,
        /// What was copied to it.
        of: String,
    },
}

/// What stands against it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Nobody answers there.
    Unreachable,
    /// No TLS, or not with that certificate.
    Tls,
    /// It starts or ends.
    NotReady,
    /// It has no place for one more.
    Busy,
    /// Wrong user or password.
    Password,
    /// This user may not come from here, or does not exist.
    NotAllowed,
    /// There is no such database.
    NoDatabase,
    /// This user may not do what is needed.
    NoRights,
    /// There are tables of somebody else's.
    Foreign,
    /// Something else.
    Other,
}

impl Why {
    /// By what the library says.
    fn of(error: &sqlx::Error) -> Self {
        if let sqlx::Error::Io(error) = error {
            // What TLS found comes through the socket.
            return if error.kind() == ErrorKind::InvalidData { Self::Tls } else { Self::Unreachable };
        }
        if matches!(error, sqlx::Error::Tls(_)) {
            return Self::Tls;
        }
        match error.as_database_error().and_then(|error| error.code()).as_deref() {
            Some("28P01") => Self::Password,
            Some("28000") => Self::NotAllowed,
            Some("3D000") => Self::NoDatabase,
            Some("42501") => Self::NoRights,
            Some("42P07" | "42P16" | "42703" | "42701") => Self::Foreign,
            Some("53300") => Self::Busy,
            Some("57P01" | "57P02" | "57P03") => Self::NotReady,
            _ => Self::Other,
        }
    }

    /// What would be right, as the end of "right is ...".
    const fn right(self) -> &'static str {
        match self {
            Self::Unreachable => "the host and port of a PostgreSQL that runs",
            Self::Tls => "a server whose certificate sslrootcert vouches for, or another sslmode",
            Self::NotReady => "one that takes connections; try again in a moment",
            Self::Busy => "one with room: raise its max_connections, or lower store.read_connections_max",
            Self::Password => "its user in store.url, and that one's password in store.password",
            Self::NotAllowed => "a user that exists and that pg_hba.conf lets in from here",
            Self::NoDatabase => "a database that is there; make it with CREATE DATABASE",
            Self::NoRights => "a user that owns the database",
            Self::Foreign => "a database, or a schema by options=-csearch_path, of thingcall's own",
            Self::Other => "one that takes what it refused; its log may say more",
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreachable => "nobody answers there",
            Self::Tls => "TLS failed",
            Self::NotReady => "it starts or ends",
            Self::Busy => "it has no place for one more connection",
            Self::Password => "user or password are wrong",
            Self::NotAllowed => "it lets this user not in",
            Self::NoDatabase => "there is no such database",
            Self::NoRights => "its user may not make or use thingcall's tables",
            Self::Foreign => "there are tables in it that are not thingcall's",
            Self::Other => "PostgreSQL says no",
        })
    }
}

impl PostgresError {
    /// In words.
    pub(super) fn of(url: &StoreUrl, source: sqlx::Error) -> Self {
        Self::Failed { url: url.clone(), why: Why::of(&source), source: Some(source) }
    }

    /// As a problem of the configuration.
    pub(crate) fn problem(&self) -> Problem {
        let right = |text: &str| Problem::new("store.url", "", text);
        match self {
            Self::Failed { url, why, source } => {
                let said = source.as_ref().map(|source| format!(": {source}")).unwrap_or_default();
                Problem::new("store.url", format_args!("{url} ({why}{said})"), why.right())
            }
            Self::Half { url, of } => Problem {
                value: format!("{url} (half a copy of {of})"),
                ..right("a copy that `thingcall store copy` ended")
            },
            Self::TooOld { url, found } => Problem {
                value: format!("{url} (PostgreSQL {found})"),
                ..right(&format!("PostgreSQL {VERSION_MIN} or newer"))
            },
            Self::Standby { url } => Problem { value: format!("{url} (a standby)"), ..right("the URL of the primary") },
            Self::Encoding { url, found } => Problem {
                value: format!("{url} (its text is {found})"),
                ..right("a database made with ENCODING 'UTF8'")
            },
            Self::Newer { url, found, known } => Problem {
                value: format!("{url} (of schema version {found})"),
                ..right(&format!("a store of version {known} at most, the thingcall that made it, or another database"))
            },
        }
    }
}
