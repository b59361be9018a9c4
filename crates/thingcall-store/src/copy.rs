//! All of one store into another: from a file to PostgreSQL and back.
//!
//! **Invariants:** no server runs on either meanwhile, and none starts on a store that is half a copy. What was copied is
//! read back from both and compared before the copy counts as whole. A copy that was ended goes on where it was.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::claim::Claim;
use crate::open::OpenError;
use crate::postgres::{self, PostgresError};
use crate::store_url::StoreUrl;
use crate::{Config, sqlite};
use sha2::{Digest, Sha256};

mod postgres_side;
mod side;
mod sqlite_side;
mod tables;

use postgres_side::PostgresSide;
use side::{Failed, Side};
use sqlite_side::SqliteSide;
use tables::{Row, TABLES, Table, Value};

/// Rows that are on their way at once: a record may hold twice the bytes that a device sends.
const PAGE_ROWS: usize = 500;

/// A store to copy from or to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CopyEnd {
    /// A file of SQLite's.
    File(PathBuf),
    /// A PostgreSQL.
    Postgres(StoreUrl),
}

impl CopyEnd {
    /// A URL, a file, or a data folder with a file of this name in it.
    pub fn of(text: &str, file: &str) -> Self {
        if StoreUrl::is_meant(text) {
            return Self::Postgres(StoreUrl::new(text));
        }
        let path = Path::new(text);
        let is_file = path.is_file() || !path.is_dir() && path.extension().is_some_and(|extension| extension == "db");
        Self::File(if is_file { path.to_owned() } else { path.join(file) })
    }
}

impl fmt::Display for CopyEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Postgres(url) => url.fmt(f),
        }
    }
}

/// How far a copy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CopyProgress {
    /// The table that is copied.
    pub table: &'static str,
    /// How many of its rows are.
    pub rows: u64,
    /// How many it has.
    pub of: u64,
}

/// A copy that is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// How many rows each table has, here as there.
    pub tables: Vec<(&'static str, u64)>,
    /// Whether a copy that was ended before went on.
    pub resumed: bool,
    /// Texts with zero bytes, which PostgreSQL cannot keep: each is U+FFFD there.
    pub texts_changed: u64,
}

/// Why a store was not copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// Both are one.
    #[error("{0} is both what to copy from and what to copy to; right are two stores")]
    Same(String),
    /// One cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A server runs on it.
    #[error("a server runs on {0}; stop it first: what it writes meanwhile would be missing from the copy")]
    Served(String),
    /// It is not empty.
    #[error("{place} holds {rows} rows of {table} already; right is an empty store to copy to")]
    NotEmpty {
        /// Which.
        place: String,
        /// Where it holds something.
        table: &'static str,
        /// How much.
        rows: u64,
    },
    /// It was begun as a copy of another one.
    #[error("{place} is half a copy of {of}; copy that one to its end, or give another store to copy to")]
    Half {
        /// Which.
        place: String,
        /// What was copied to it.
        of: String,
    },
    /// A database failed.
    #[error("{place} failed: {source}; the same command goes on where this one ended")]
    Failed {
        /// Which.
        place: String,
        /// In its words.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What was written is not what was read.
    #[error(
        "{to} has {copied} rows of {table}, {from} has {rows}, and they are not the same; give another store to copy to"
    )]
    Differs {
        /// From where.
        from: String,
        /// To where.
        to: String,
        /// Which rows.
        table: &'static str,
        /// How many there are.
        rows: u64,
        /// How many arrived.
        copied: u64,
    },
}

impl From<PostgresError> for CopyError {
    fn from(error: PostgresError) -> Self {
        Self::Open(error.into())
    }
}

/// Copies all of `from` to `to`, and compares. `config` says how to connect; `told` hears how far it is.
///
/// # Errors
/// Why not. What was copied until then stays, and the next copy of the same goes on from there.
pub async fn copy(
    config: &Config,
    from: &CopyEnd,
    to: &CopyEnd,
    told: &mut (dyn FnMut(CopyProgress) + Send),
) -> Result<Copied, CopyError> {
    if from == to {
        return Err(CopyError::Same(from.to_string()));
    }
    let source = open(config, from, End::Source).await?;
    let target = open(config, to, End::Target).await?;
    let mut copy = Copy { source, target, texts_changed: 0 };
    let resumed = copy.begin().await?;
    let (tables, resumed) = match copy.pass(told).await {
        Ok(tables) => (tables, resumed),
        // What was changed after the first part was copied is in neither part.
        Err(_) if resumed => {
            copy.empty().await?;
            (copy.pass(told).await?, false)
        }
        Err(error) => return Err(error),
    };
    let message_log = copy.source.message_log().await.map_err(|why| failed(&*copy.source, why))?;
    copy.target.finish(message_log).await.map_err(|why| failed(&*copy.target, why))?;
    Ok(Copied { tables, resumed, texts_changed: copy.texts_changed })
}

/// Which end of a copy.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Source,
    Target,
}

/// Opens a store that no server runs on, and keeps servers away from it.
async fn open(config: &Config, end: &CopyEnd, which: End) -> Result<Box<dyn Side>, CopyError> {
    let place = end.to_string();
    let failed = |source| CopyError::Failed { place: place.clone(), source };
    match end {
        CopyEnd::File(path) => {
            if which == End::Source && !path.exists() {
                return Err(OpenError::Missing { path: path.clone() }.into());
            }
            let conn = sqlite::connect_alone(path).await?;
            let claim = match Claim::take(path).await {
                Err(OpenError::InUse { .. }) => return Err(CopyError::Served(place)),
                claim => claim?,
            };
            Ok(match which {
                End::Source => Box::new(SqliteSide::source(place.clone(), conn, claim).await.map_err(failed)?),
                End::Target => Box::new(SqliteSide::target(place, conn, claim)),
            })
        }
        CopyEnd::Postgres(url) => {
            let mut conn = postgres::connect_alone(config, url).await?;
            if !postgres::keep_out(&mut conn).await.map_err(|error| failed(error.into()))? {
                return Err(CopyError::Served(place));
            }
            let side = match which {
                End::Source => PostgresSide::source(place.clone(), conn).await,
                End::Target => PostgresSide::target(place.clone(), conn).await,
            };
            Ok(Box::new(side.map_err(failed)?))
        }
    }
}

fn failed(side: &dyn Side, source: Failed) -> CopyError {
    CopyError::Failed { place: side.place().to_owned(), source }
}

/// A copy on its way.
struct Copy {
    source: Box<dyn Side>,
    target: Box<dyn Side>,
    texts_changed: u64,
}

impl Copy {
    /// Whether a copy of the same that was ended goes on; else the target must be empty.
    async fn begin(&mut self) -> Result<bool, CopyError> {
        let Self { source, target, .. } = self;
        if let Some(of) = source.half_of().await.map_err(|why| failed(&**source, why))? {
            return Err(CopyError::Half { place: source.place().to_owned(), of });
        }
        let (from, place) = (source.place().to_owned(), target.place().to_owned());
        match target.half_of().await.map_err(|why| failed(&**target, why))? {
            Some(of) if of == from => return Ok(true),
            Some(of) => return Err(CopyError::Half { place, of }),
            None => {}
        }
        for table in TABLES {
            let rows = target.count(table).await.map_err(|why| failed(&**target, why))?;
            if rows > 0 {
                return Err(CopyError::NotEmpty { place, table: table.name, rows });
            }
        }
        target.begin(&from).await.map_err(|why| failed(&**target, why))?;
        Ok(false)
    }

    /// Copies what is missing, and compares everything; how many rows there are.
    async fn pass(
        &mut self,
        told: &mut (dyn FnMut(CopyProgress) + Send),
    ) -> Result<Vec<(&'static str, u64)>, CopyError> {
        self.texts_changed = 0;
        for table in TABLES {
            self.rows(table, told).await?;
        }
        let mut all = Vec::with_capacity(TABLES.len());
        for table in TABLES {
            all.push((table.name, self.compare(table).await?));
        }
        Ok(all)
    }

    async fn rows(
        &mut self,
        table: &'static Table,
        told: &mut (dyn FnMut(CopyProgress) + Send),
    ) -> Result<(), CopyError> {
        let clean = !self.target.keeps_zero_bytes();
        let Self { source, target, .. } = self;
        let of = source.count(table).await.map_err(|why| failed(&**source, why))?;
        let mut rows = target.count(table).await.map_err(|why| failed(&**target, why))?;
        let mut after = target.last(table).await.map_err(|why| failed(&**target, why))?;
        told(CopyProgress { table: table.name, rows, of });
        loop {
            let mut page = source.page(table, after.as_ref(), PAGE_ROWS).await.map_err(|why| failed(&**source, why))?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(table.key_of(last));
            if clean {
                // Counted where all is compared.
                let _changed: u64 = page.iter_mut().map(without_zero_bytes).sum();
            }
            target.write(table, &page).await.map_err(|why| failed(&**target, why))?;
            rows += page.len() as u64;
            told(CopyProgress { table: table.name, rows, of });
        }
    }

    /// How many rows a table has here as there.
    async fn compare(&mut self, table: &'static Table) -> Result<u64, CopyError> {
        let clean = !self.target.keeps_zero_bytes();
        let Self { source, target, .. } = self;
        let (rows, changed, is) = digest(&mut **source, table, clean).await.map_err(|why| failed(&**source, why))?;
        let (copied, _, became) = digest(&mut **target, table, false).await.map_err(|why| failed(&**target, why))?;
        if (rows, is) != (copied, became) {
            let (from, to) = (source.place().to_owned(), target.place().to_owned());
            return Err(CopyError::Differs { from, to, table: table.name, rows, copied });
        }
        self.texts_changed += changed;
        Ok(rows)
    }

    /// Takes out what was copied.
    async fn empty(&mut self) -> Result<(), CopyError> {
        for table in TABLES.iter().rev() {
            self.target.empty(table).await.map_err(|why| failed(&*self.target, why))?;
        }
        Ok(())
    }
}

/// How many rows, how many texts that are not as they were, and a hash of all.
async fn digest(side: &mut dyn Side, table: &'static Table, clean: bool) -> Result<(u64, u64, [u8; 32]), Failed> {
    let (mut rows, mut changed, mut hash, mut after) = (0, 0, Sha256::new(), None);
    loop {
        let mut page = side.page(table, after.as_ref(), PAGE_ROWS).await?;
        let Some(last) = page.last() else { return Ok((rows, changed, hash.finalize().into())) };
        after = Some(table.key_of(last));
        rows += page.len() as u64;
        for row in &mut page {
            if clean {
                changed += without_zero_bytes(row);
            }
            row.iter().for_each(|value| add(&mut hash, value));
        }
    }
}

/// Each value with its kind and its length, so that no two rows look alike.
fn add(hash: &mut Sha256, value: &Value) {
    let (kind, bytes): (u8, &[u8]) = match value {
        Value::Null => (0, &[]),
        Value::Number(number) => (1, &number.to_be_bytes()),
        Value::Flag(flag) => (2, &[u8::from(*flag)]),
        Value::Text(text) => (3, text.as_bytes()),
        Value::Bytes(bytes) => (4, bytes),
    };
    hash.update([kind]);
    hash.update((bytes.len() as u64).to_be_bytes());
    hash.update(bytes);
}

/// How many texts held some.
fn without_zero_bytes(row: &mut Row) -> u64 {
    let mut changed = 0;
    for value in row {
        if let Value::Text(text) = value
            && text.contains('\0')
        {
            *text = text.replace('\0', "\u{FFFD}");
            changed += 1;
        }
    }
    changed
}

#[cfg(test)]
mod tests;
