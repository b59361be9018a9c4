//! Opening the file: its folder, its permissions, its schema.
//!
//! **Invariant:** the database file is never opened other than by SQLite once it exists: closing any descriptor of it
//! would drop the locks SQLite holds in this process.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tokio::time::{Instant, sleep};

use super::many::ROWS_MAX;
use super::trouble;
use crate::open::OpenError;
use crate::owner;
use crate::trouble::Trouble;

/// How long a process waits for another one's transaction.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_millis(BUSY_TIMEOUT_MS as u64);
/// The same, in milliseconds.
pub(crate) const BUSY_TIMEOUT_MS: u32 = 5_000;
/// How soon one that was told so asks again.
const BUSY_PAUSE: Duration = Duration::from_millis(10);
/// Connections for reading; writing has one of its own.
pub(super) const READ_CONNECTIONS_MAX: u32 = 4;
/// How many texts a connection keeps prepared: those of all [`Many`](super::many::Many) and as much again.
const PREPARED_STATEMENTS_MAX: usize = 200;
/// What a burst of writes leaves of the write-ahead log.
pub(crate) const LOG_BYTES_MAX: u64 = 67_108_864;
/// Each schema is the one before it and one of these.
const MIGRATIONS: &[&str] = &[
    include_str!("../../migrations/0001_first.sql"),
    include_str!("../../migrations/0002_raw.sql"),
    include_str!("../../migrations/0003_route.sql"),
    include_str!("../../migrations/0004_results.sql"),
    include_str!("../../migrations/0005_room.sql"),
    include_str!("../../migrations/0006_devices.sql"),
    include_str!("../../migrations/0007_taken_over.sql"),
    include_str!("../../migrations/0008_messages.sql"),
    include_str!("../../migrations/0009_last_values.sql"),
    include_str!("../../migrations/0010_allowed.sql"),
    include_str!("../../migrations/0011_registry.sql"),
    include_str!("../../migrations/0012_call_records.sql"),
    include_str!("../../migrations/0013_temporary.sql"),
    include_str!("../../migrations/0014_batches.sql"),
    include_str!("../../migrations/0015_model_versions.sql"),
    include_str!("../../migrations/0016_history.sql"),
    include_str!("../../migrations/0017_once.sql"),
    include_str!("../../migrations/0018_fleet.sql"),
    include_str!("../../migrations/0019_online_at.sql"),
    include_str!("../../migrations/0020_fleet_keys.sql"),
    include_str!("../../migrations/0021_actions.sql"),
    include_str!("../../migrations/0022_audit.sql"),
    include_str!("../../migrations/0023_message_traces.sql"),
];

/// An error of SQLite's while this file was opened.
pub(super) fn failed(path: &Path, source: sqlx::Error) -> OpenError {
    OpenError::of_file(path, trouble::failure(source))
}

/// Opens the file, makes it where there is none, and brings its schema up to date.
pub(crate) async fn connect(path: &Path) -> Result<(SqliteConnection, SqlitePool, SqliteConnectOptions), OpenError> {
    let mut write = connect_alone(path).await?;
    let failed = |source| failed(path, source);
    if let Some(of) = half_of(&mut write).await.map_err(failed)? {
        return Err(OpenError::Half { place: path.display().to_string(), of });
    }
    let options = options(path);
    let pool = SqlitePoolOptions::new().max_connections(READ_CONNECTIONS_MAX);
    let reads = pool.connect_with(options.clone()).await.map_err(failed)?;
    Ok((write, reads, options))
}

/// The same for who needs one connection, also to a file that is half a copy.
pub(crate) async fn connect_alone(path: &Path) -> Result<SqliteConnection, OpenError> {
    make_private(path)?;
    let mut conn = connect_waiting(&options(path)).await.map_err(|source| failed(path, source))?;
    migrate(&mut conn, path).await?;
    Ok(conn)
}

/// What it is half a copy of, until that is whole.
pub(crate) async fn half_of(conn: &mut SqliteConnection) -> Result<Option<String>, sqlx::Error> {
    let there = "SELECT count(*) > 0 FROM sqlite_schema WHERE name = 'thingcall_copying'";
    if !sqlx::query_scalar(there).fetch_one(&mut *conn).await? {
        return Ok(None);
    }
    sqlx::query_scalar("SELECT source FROM thingcall_copying").fetch_optional(conn).await
}

/// Connects, and waits while another process does. Where two turn a new file to its write-ahead log at once, SQLite tells
/// one of them that it is busy instead of waiting as it does for a transaction.
async fn connect_waiting(options: &SqliteConnectOptions) -> Result<SqliteConnection, sqlx::Error> {
    let until = Instant::now() + BUSY_TIMEOUT;
    loop {
        match options.connect().await {
            Err(error) if trouble::of(&error) == Trouble::Locked && Instant::now() < until => sleep(BUSY_PAUSE).await,
            connected => return connected,
        }
    }
}

/// `synchronous=FULL`: a commit returns when the write-ahead log is on the disk, so it survives a crash of thingcall and
/// of the machine. (`NORMAL` would survive thingcall's crash only.)
///
/// `temp_store=MEMORY`: before a statement over many rows changes a page, SQLite keeps a copy of it, to take the statement
/// alone back; in a file, that costs a system call each.
///
/// Room for all rows of a statement: SQLite's thread need not wait for whoever reads them.
fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("journal_size_limit", LOG_BYTES_MAX.to_string())
        .pragma("temp_store", "MEMORY")
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .row_buffer_size(ROWS_MAX)
        .statement_cache_capacity(PREPARED_STATEMENTS_MAX)
        .disable_statement_logging()
}

/// Makes the folder (0700) and the file (0600: it holds secrets). SQLite gives its side files the same permissions.
fn make_private(path: &Path) -> Result<(), OpenError> {
    if let Some(folder) = path.parent() {
        owner::make_folder(folder).map_err(|source| OpenError::Folder { path: folder.to_owned(), source })?;
    }
    let failed = |source| OpenError::File { path: path.to_owned(), source };
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => owner::as_its_folder(path).map_err(failed),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            std::fs::set_permissions(path, PermissionsExt::from_mode(0o600)).map_err(failed)
        }
        Err(error) => Err(failed(error)),
    }
}

/// How each schema is made from the one before.
#[cfg(test)]
pub(crate) fn migrations() -> &'static [&'static str] {
    MIGRATIONS
}

/// The highest schema version that is known.
pub(crate) fn known() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// The version is read within the transaction that changes it, so two processes may open a new file at once.
async fn migrate(conn: &mut SqliteConnection, path: &Path) -> Result<(), OpenError> {
    let failed = |source| failed(path, source);
    let known = known();
    let mut tx = conn.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
    let found: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *tx).await.map_err(failed)?;
    if found > known {
        return Err(OpenError::Newer { path: path.to_owned(), found, known });
    }
    for (version, sql) in (1..).zip(MIGRATIONS).filter(|(version, _)| *version > found) {
        sqlx::raw_sql(*sql).execute(&mut *tx).await.map_err(failed)?;
        let stamp = sqlx::AssertSqlSafe(format!("PRAGMA user_version = {version}"));
        sqlx::raw_sql(stamp).execute(&mut *tx).await.map_err(failed)?;
    }
    tx.commit().await.map_err(failed)
}
