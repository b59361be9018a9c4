//! What can be known of a file without opening it to write: whether a server could, and which transports it names.
//!
//! **Invariant:** nothing is made and nothing is written; a server may run meanwhile.

use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Row, SqliteConnection};
use thingcall_core::Problem;

use super::open::{BUSY_TIMEOUT, failed, half_of, known};
use crate::found::Look;
use crate::open::{OpenError, of_file};

/// Since this version devices have transports.
const DEVICES_HAVE_TRANSPORTS: i64 = 3;

/// Looks at this file; there need be none.
pub(crate) async fn look(path: &Path) -> Look {
    let mut look = Look::default();
    match path.metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return look,
        Err(error) => look.problems.push(of_file(path, error)),
        Ok(found) if !found.is_file() => look.problems.push(of_file(path, "it is no file")),
        Ok(_) => {
            if let Err(error) = access(path, Access::READ_OK | Access::WRITE_OK) {
                look.problems.push(of_file(path, std::io::Error::from(error)));
            } else if let Err(problem) = read(path, &mut look).await {
                look.problems.push(problem);
            }
        }
    }
    look
}

async fn read(path: &Path, look: &mut Look) -> Result<(), Problem> {
    let failed = |source| failed(path, source).problem();
    // Without a log beside it nobody writes it, and nothing needs to be made to read it.
    let log = PathBuf::from(format!("{}-wal", path.display()));
    let options = SqliteConnectOptions::new().filename(path).read_only(true).immutable(!log.exists());
    let options = options.busy_timeout(BUSY_TIMEOUT).disable_statement_logging();
    let mut conn = options.connect().await.map_err(failed)?;
    let found: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut conn).await.map_err(failed)?;
    if found > known() {
        return Err(OpenError::Newer { path: path.to_owned(), found, known: known() }.problem());
    }
    // Touches the schema: a file that is no database is told here at the latest.
    if let Some(of) = half_of(&mut conn).await.map_err(failed)? {
        return Err(OpenError::Half { place: path.display().to_string(), of }.problem());
    }
    let read = async { if found >= DEVICES_HAVE_TRANSPORTS { transports_of(&mut conn, look).await } else { Ok(()) } };
    read.await.map_err(failed)?;
    // What is not closed in order ends with its thread just as well.
    drop(conn.close().await);
    Ok(())
}

async fn transports_of(conn: &mut SqliteConnection, look: &mut Look) -> Result<(), sqlx::Error> {
    for row in sqlx::query("SELECT key, settings FROM products").fetch_all(&mut *conn).await? {
        look.product(row.try_get("key")?, row.try_get("settings")?);
    }
    let devices = "SELECT transport, count(*) AS many, min(product || '/' || name) AS first FROM devices WHERE transport \
                   IS NOT NULL GROUP BY transport";
    for row in sqlx::query(devices).fetch_all(&mut *conn).await? {
        look.devices(row.try_get("transport")?, row.try_get("first")?, row.try_get("many")?);
    }
    Ok(())
}
