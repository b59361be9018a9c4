//! A copy of a file as it is at one moment, whoever writes to it meanwhile, and a look whether a copy is whole.
//!
//! **Invariant:** the file that is copied is only read, with its schema as it is.

use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, SqliteConnection};

use super::open::{BUSY_TIMEOUT, half_of};

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Examined {
    /// The version of its schema.
    pub(crate) schema: i64,
    /// Each of its tables and how many rows that has, by name.
    pub(crate) rows: Vec<(String, u64)>,
    /// What SQLite says is wrong with it; the first of it.
    pub(crate) damage: Option<String>,
    /// What it is half a copy of.
    pub(crate) half_of: Option<String>,
}

/// Writes all that is committed now into a new file. Who writes goes on; its log grows until this is done.
pub(crate) async fn snapshot(from: &Path, to: &str) -> Result<(), sqlx::Error> {
    let options = SqliteConnectOptions::new().filename(from).create_if_missing(false).busy_timeout(BUSY_TIMEOUT);
    let mut conn = options.disable_statement_logging().connect().await?;
    sqlx::query("VACUUM INTO ?").bind(to).execute(&mut conn).await?;
    conn.close().await
}

/// Looks at a file that nobody writes.
pub(crate) async fn examine(path: &Path) -> Result<Examined, sqlx::Error> {
    let options = SqliteConnectOptions::new().filename(path).read_only(true).immutable(true);
    let mut conn = options.disable_statement_logging().connect().await?;
    let schema = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut conn).await?;
    let damage = damage(&mut conn).await?;
    let half_of = half_of(&mut conn).await?;
    let tables =
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name";
    let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(&mut conn).await?;
    let mut rows = Vec::with_capacity(tables.len());
    for table in tables {
        let count = AssertSqlSafe(format!("SELECT count(*) FROM \"{table}\""));
        let count: i64 = sqlx::query_scalar(count).fetch_one(&mut conn).await?;
        rows.push((table, u64::try_from(count).unwrap_or(0)));
    }
    conn.close().await?;
    Ok(Examined { schema, rows, damage, half_of })
}

async fn damage(conn: &mut SqliteConnection) -> Result<Option<String>, sqlx::Error> {
    let said: String = sqlx::query_scalar("PRAGMA integrity_check(1)").fetch_one(&mut *conn).await?;
    if said != "ok" {
        return Ok(Some(said));
    }
    let table: Option<String> =
        sqlx::query_scalar("SELECT \"table\" FROM pragma_foreign_key_check LIMIT 1").fetch_optional(conn).await?;
    Ok(table.map(|table| format!("a row of {table} belongs to one that is not there")))
}
