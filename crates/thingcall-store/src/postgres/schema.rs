//! The versions of the schema, and how each is made from the one before.
//!
//! **Invariant:** a version is made by one process, in one transaction or by statements that may be repeated, and never taken back. A program works with each schema
//! from the newest one that it knows up to the last that says so (`usable_from`), so that two releases run side by side.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};
use tokio::time::sleep;
use tracing::info;

use Sql::{Apart, Together};

use super::error::{PostgresError, VERSION_MIN, Why};
use crate::store_url::StoreUrl;

/// Each schema is the one before it and one of these.
const MIGRATIONS: &[Migration] = &[
    Migration { usable_from: 1, sql: Together(include_str!("../../migrations/postgres/0001_first.sql")) },
    Migration { usable_from: 1, sql: Together(include_str!("../../migrations/postgres/0002_messages.sql")) },
    Migration { usable_from: 1, sql: Together(include_str!("../../migrations/postgres/0003_last_values.sql")) },
    // A program that knows no rules would let through what they do not allow.
    Migration { usable_from: 4, sql: Together(include_str!("../../migrations/postgres/0004_allowed.sql")) },
    Migration { usable_from: 4, sql: Together(include_str!("../../migrations/postgres/0005_registry.sql")) },
    Migration { usable_from: 4, sql: Apart(include_str!("../../migrations/postgres/0006_devices_by_age.sql")) },
    Migration { usable_from: 4, sql: Together(include_str!("../../migrations/postgres/0007_call_records.sql")) },
    Migration { usable_from: 4, sql: Apart(include_str!("../../migrations/postgres/0008_calls_of_device.sql")) },
    // Nor would it know that a key has ended.
    Migration { usable_from: 9, sql: Together(include_str!("../../migrations/postgres/0009_temporary.sql")) },
    Migration { usable_from: 9, sql: Together(include_str!("../../migrations/postgres/0010_batches.sql")) },
    Migration { usable_from: 9, sql: Together(include_str!("../../migrations/postgres/0011_model_versions.sql")) },
    Migration { usable_from: 9, sql: Together(include_str!("../../migrations/postgres/0012_history.sql")) },
    Migration { usable_from: 9, sql: Together(include_str!("../../migrations/postgres/0013_once.sql")) },
    Migration { usable_from: 9, sql: Together(include_str!("../../migrations/postgres/0014_fleet.sql")) },
    Migration { usable_from: 9, sql: Together(include_str!("../../migrations/postgres/0015_online_at.sql")) },
    Migration { usable_from: 9, sql: Together(include_str!("../../migrations/postgres/0016_fleet_keys.sql")) },
    Migration { usable_from: 9, sql: Together(include_str!("../../migrations/postgres/0017_actions.sql")) },
    Migration { usable_from: 9, sql: Together(include_str!("../../migrations/postgres/0018_audit.sql")) },
    Migration { usable_from: 9, sql: Together(include_str!("../../migrations/postgres/0019_message_traces.sql")) },
];
/// Held while the schema is changed: "thing", as a number.
const LOCK: i64 = 0x0074_6869_6e67;
/// How soon one that waits for it asks again.
const LOCK_PAUSE: Duration = Duration::from_millis(50);
pub(crate) const TABLE: &str = "CREATE TABLE IF NOT EXISTS thingcall_schema (version INTEGER NOT NULL PRIMARY KEY, usable_from INTEGER \
                     NOT NULL, program TEXT NOT NULL, made_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp())";

/// A step.
struct Migration {
    /// The oldest version whose program works with the schema after this step.
    usable_from: i32,
    sql: Sql,
}

/// How a step is made.
#[derive(Debug, Clone, Copy)]
enum Sql {
    /// In one transaction.
    Together(&'static str),
    /// Statement by statement, without a transaction: an index of many rows that nobody is to wait for. It may be done again.
    Apart(&'static str),
}

/// What kind of server it is.
#[derive(Debug)]
pub(super) struct Server {
    version: i32,
    version_text: String,
    standby: bool,
    encoding: String,
}

/// The schema that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Schema {
    /// 0 if there is none.
    pub(super) version: i32,
    usable_from: i32,
}

/// Asks the server what it is.
pub(super) async fn server(conn: &mut PgConnection) -> Result<Server, sqlx::Error> {
    let row = sqlx::query(
        "SELECT current_setting('server_version_num')::INTEGER AS number, current_setting('server_version') AS text, \
         pg_is_in_recovery() AS standby, current_setting('server_encoding') AS encoding",
    )
    .fetch_one(conn)
    .await?;
    Ok(Server {
        version: row.try_get("number")?,
        version_text: row.try_get("text")?,
        standby: row.try_get("standby")?,
        encoding: row.try_get("encoding")?,
    })
}

impl Server {
    /// Whether it can be a store.
    pub(super) fn check(&self, url: &StoreUrl) -> Result<(), PostgresError> {
        let url = url.clone();
        if self.version < VERSION_MIN * 10_000 {
            return Err(PostgresError::TooOld { url, found: self.version_text.clone() });
        }
        if self.encoding != "UTF8" {
            return Err(PostgresError::Encoding { url, found: self.encoding.clone() });
        }
        if self.standby { Err(PostgresError::Standby { url }) } else { Ok(()) }
    }
}

/// What it is half a copy of, until that is whole.
pub(crate) async fn half_of(conn: &mut PgConnection) -> Result<Option<String>, sqlx::Error> {
    let there = "SELECT to_regclass('thingcall_copying') IS NOT NULL";
    if !sqlx::query_scalar(there).fetch_one(&mut *conn).await? {
        return Ok(None);
    }
    sqlx::query_scalar("SELECT source FROM thingcall_copying").fetch_optional(conn).await
}

/// The schema that is there, read only.
pub(super) async fn found(conn: &mut PgConnection) -> Result<Schema, sqlx::Error> {
    let there: bool =
        sqlx::query_scalar("SELECT to_regclass('thingcall_schema') IS NOT NULL").fetch_one(&mut *conn).await?;
    if !there {
        return Ok(Schema::default());
    }
    let newest = "SELECT version, usable_from FROM thingcall_schema ORDER BY version DESC LIMIT 1";
    let row = sqlx::query(newest).fetch_optional(conn).await?;
    row.map_or(Ok(Schema::default()), |row| {
        Ok(Schema { version: row.try_get("version")?, usable_from: row.try_get("usable_from")? })
    })
}

impl Schema {
    /// Whether this program works with it, once it is brought up to date.
    pub(super) fn check(self, url: &StoreUrl) -> Result<(), PostgresError> {
        let known = known();
        if self.version > known && self.usable_from > known {
            return Err(PostgresError::Newer { url: url.clone(), found: self.version, known });
        }
        Ok(())
    }
}

/// Whether the tables can be made, where there are none.
pub(super) async fn can_be_made(conn: &mut PgConnection, url: &StoreUrl) -> Result<(), PostgresError> {
    let row = sqlx::query(
        "SELECT COALESCE(has_schema_privilege(current_schema(), 'CREATE'), FALSE) AS may, \
         to_regclass('products') IS NOT NULL OR to_regclass('devices') IS NOT NULL OR to_regclass('calls') IS NOT NULL AS taken",
    )
    .fetch_one(conn)
    .await
    .map_err(|source| PostgresError::of(url, source))?;
    let says = |name| row.try_get::<bool, _>(name).map_err(|source| PostgresError::of(url, source));
    let why = if says("taken")? {
        Why::Foreign
    } else if !says("may")? {
        Why::NoRights
    } else {
        return Ok(());
    };
    Err(PostgresError::Failed { url: url.clone(), why, source: None })
}

/// How each schema is made from the one before: since which version a program works with it, and the statements.
#[cfg(test)]
pub(crate) fn migrations() -> Vec<(i32, Vec<&'static str>)> {
    let statements = |sql| match sql {
        Together(text) => vec![text],
        Apart(text) => text.split_inclusive(";\n").collect(),
    };
    MIGRATIONS.iter().map(|step| (step.usable_from, statements(step.sql))).collect()
}

/// The highest version that is known.
fn known() -> i32 {
    i32::try_from(MIGRATIONS.len()).unwrap_or(i32::MAX)
}

/// Brings the schema up to date. Others that want to at the same time wait.
pub(super) async fn migrate(conn: &mut PgConnection, url: &StoreUrl) -> Result<(), PostgresError> {
    let failed = |source| PostgresError::of(url, source);
    let found = found(conn).await.map_err(failed)?;
    found.check(url)?;
    if found.version >= known() {
        return Ok(());
    }
    // What it takes depends on how much there is; and whoever waits for it does so in the lock below.
    sqlx::raw_sql("SET lock_timeout = 0; SET statement_timeout = 0").execute(&mut *conn).await.map_err(failed)?;
    lock(conn).await.map_err(failed)?;
    let migrated = migrate_locked(conn, url).await;
    let unlocked = sqlx::query("SELECT pg_advisory_unlock($1)").bind(LOCK).execute(conn).await;
    migrated.and_then(|()| unlocked.map(drop).map_err(failed))
}

async fn migrate_locked(conn: &mut PgConnection, url: &StoreUrl) -> Result<(), PostgresError> {
    let failed = |source| PostgresError::of(url, source);
    // Another one may have been quicker, and newer.
    let before = found(conn).await.map_err(failed)?;
    before.check(url)?;
    if before.version == 0 {
        can_be_made(conn, url).await?;
    }
    for (version, Migration { usable_from, sql }) in
        (1..).zip(MIGRATIONS).filter(|(version, _)| *version > before.version)
    {
        if let Apart(statements) = sql {
            apart(conn, statements).await.map_err(failed)?;
        }
        let mut tx = conn.begin().await.map_err(failed)?;
        sqlx::raw_sql(TABLE).execute(&mut *tx).await.map_err(failed)?;
        if let Together(statements) = sql {
            sqlx::raw_sql(*statements).execute(&mut *tx).await.map_err(failed)?;
        }
        sqlx::query("INSERT INTO thingcall_schema (version, usable_from, program) VALUES ($1, $2, $3)")
            .bind(version)
            .bind(usable_from)
            .bind(env!("CARGO_PKG_VERSION"))
            .execute(&mut *tx)
            .await
            .map_err(failed)?;
        tx.commit().await.map_err(failed)?;
        info!(%url, version, "the store's schema was brought up to date");
    }
    Ok(())
}

/// Waits until nobody else changes the schema. In between it holds no snapshot: who makes an index waits for all of them.
async fn lock(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    while !sqlx::query_scalar::<_, bool>("SELECT pg_try_advisory_lock($1)").bind(LOCK).fetch_one(&mut *conn).await? {
        sleep(LOCK_PAUSE).await;
    }
    Ok(())
}

async fn apart(conn: &mut PgConnection, statements: &str) -> Result<(), sqlx::Error> {
    for statement in statements.split_inclusive(";\n") {
        sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut *conn).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
