//! What can be known of a store without opening it to write: whether a server could, and which transports it names.
//!
//! **Invariant:** nothing is made and nothing is written; a server may run meanwhile.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Row, SqliteConnection};
use thingcall_core::{Problem, TransportName};

use super::open::{BUSY_TIMEOUT, failed, known};
use crate::Config;
use crate::open::{OpenError, of_file};

/// Since this version devices have transports.
const DEVICES_HAVE_TRANSPORTS: i64 = 3;

/// What was found.
#[derive(Debug, Default)]
pub struct Look {
    /// Why a server could not open it.
    pub problems: Vec<Problem>,
    /// Whom each transport was set for: products and devices.
    pub transports: BTreeMap<TransportName, Vec<String>>,
}

/// Looks at the store in this folder; there need be neither.
pub async fn look(config: &Config, data: &Path) -> Look {
    let path = data.join(&config.file);
    let mut look = Look { problems: of_folder(data), ..Look::default() };
    if !look.problems.is_empty() {
        return look;
    }
    match path.metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return look,
        Err(error) => look.problems.push(of_file(&path, error)),
        Ok(found) if !found.is_file() => look.problems.push(of_file(&path, "it is no file")),
        Ok(_) => {
            if let Err(error) = access(&path, Access::READ_OK | Access::WRITE_OK) {
                look.problems.push(of_file(&path, std::io::Error::from(error)));
            } else if let Err(problem) = read(&path, &mut look.transports).await {
                look.problems.push(problem);
            }
        }
    }
    look
}

/// A folder that is there must be one that can be written; of one that is not, the nearest above it.
fn of_folder(data: &Path) -> Vec<Problem> {
    let data = if data.as_os_str().is_empty() { Path::new(".") } else { data };
    let there = |path: &&Path| path.as_os_str().is_empty() || path.symlink_metadata().is_ok();
    let nearest = data.ancestors().find(there).filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let why = match nearest.metadata() {
        Err(error) => error.to_string(),
        Ok(found) if !found.is_dir() => "it is no folder".to_owned(),
        Ok(_) => match access(nearest, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK) {
            Ok(()) => return Vec::new(),
            Err(error) => std::io::Error::from(error).to_string(),
        },
    };
    let why = if nearest == data { why } else { format!("{}: {why}", nearest.display()) };
    vec![Problem::file("data", data, why, "a folder that this user can write, or one that it can make")]
}

async fn read(path: &Path, transports: &mut BTreeMap<TransportName, Vec<String>>) -> Result<(), Problem> {
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
    let read = async {
        sqlx::query("SELECT count(*) FROM sqlite_schema").fetch_one(&mut conn).await?;
        if found >= DEVICES_HAVE_TRANSPORTS { transports_of(&mut conn, transports).await } else { Ok(()) }
    };
    read.await.map_err(failed)?;
    // What is not closed in order ends with its thread just as well.
    drop(conn.close().await);
    Ok(())
}

async fn transports_of(
    conn: &mut SqliteConnection,
    transports: &mut BTreeMap<TransportName, Vec<String>>,
) -> Result<(), sqlx::Error> {
    for row in sqlx::query("SELECT key, settings FROM products").fetch_all(&mut *conn).await? {
        let settings: Result<thingcall_tsl::ProductSettings, _> = serde_json::from_str(row.try_get("settings")?);
        if let Some(name) = settings.ok().and_then(|settings| settings.transport) {
            let product: &str = row.try_get("key")?;
            transports.entry(name).or_default().push(format!("product {product}"));
        }
    }
    let devices = "SELECT transport, count(*) AS many, min(product || '/' || name) AS first FROM devices WHERE transport \
                   IS NOT NULL GROUP BY transport";
    for row in sqlx::query(devices).fetch_all(&mut *conn).await? {
        let (first, many): (&str, i64) = (row.try_get("first")?, row.try_get("many")?);
        let others = if many > 1 { format!(" and {} more", many - 1) } else { String::new() };
        if let Some(name) = TransportName::new(row.try_get("transport")?) {
            transports.entry(name).or_default().push(format!("device {first}{others}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
