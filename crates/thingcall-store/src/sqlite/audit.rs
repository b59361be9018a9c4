//! The log of changes: the SQL.

use std::sync::LazyLock;

use async_trait::async_trait;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqlitePool;
use thingcall_core::{AuditEntry, AuditFilter, AuditKept};

use super::Sqlite;
use super::many::{Many, Statement};
use super::trouble::failure;
use super::tx::SqliteTx;
use crate::audit_table::{AuditLimits, AuditReads, AuditSize, AuditWrites, address_word, door_word, kept};
use crate::failure::Failure;
use crate::sizes::unsigned;

static INSERT: LazyLock<Many> = LazyLock::new(|| {
    let before = "INSERT INTO audit (at, door, key_id, action, target, outcome, address) SELECT * FROM (VALUES ";
    Many::new(before, 7, ") WHERE column1 IS NOT NULL")
});
const SELECT: &str = "SELECT * FROM audit WHERE (?1 IS NULL OR key_id = ?1) AND (?2 IS NULL OR at >= ?2) \
                      AND (?3 IS NULL OR at <= ?3) AND (?4 IS NULL OR seq < ?4) ORDER BY seq DESC LIMIT ?5";
const SIZE: &str = "SELECT COUNT(*), (SELECT COUNT(*) FROM audit WHERE key_id = '' AND door <> 'command') FROM audit";
/// The first that is young enough, and all before it; where none is, all.
const DROP_OLD: &str = "DELETE FROM audit WHERE seq < COALESCE((SELECT seq FROM audit WHERE at >= ? ORDER BY seq LIMIT 1), \
                        9223372036854775807)";
const DROP_STRANGERS: &str = "DELETE FROM audit WHERE key_id = '' AND door <> 'command' AND seq <= (SELECT seq FROM audit \
                              WHERE key_id = '' AND door <> 'command' ORDER BY seq DESC LIMIT 1 OFFSET ?)";
const DROP_EXCESS: &str = "DELETE FROM audit WHERE seq <= (SELECT seq FROM audit ORDER BY seq DESC LIMIT 1 OFFSET ?)";

#[async_trait]
impl AuditReads for Sqlite {
    async fn audit_entries(&self, filter: &AuditFilter, max: usize) -> Result<Vec<AuditKept>, Failure> {
        entries(&self.reads, filter, max).await.map_err(failure)
    }

    async fn audit_size(&self) -> Result<AuditSize, Failure> {
        let size: (i64, i64) = sqlx::query_as(SIZE).fetch_one(&self.reads).await.map_err(failure)?;
        Ok(AuditSize { entries: unsigned(size.0), strangers: unsigned(size.1) })
    }
}

#[async_trait]
impl AuditWrites for SqliteTx<'_> {
    async fn insert_audit(&mut self, entries: &[AuditEntry]) -> Result<(), Failure> {
        insert(self, entries).await.map_err(failure)
    }

    async fn drop_audit(&mut self, limits: &AuditLimits) -> Result<(), Failure> {
        drop_some(self, limits).await.map_err(failure)
    }
}

async fn entries(reads: &SqlitePool, filter: &AuditFilter, max: usize) -> Result<Vec<AuditKept>, sqlx::Error> {
    let found = sqlx::query(SELECT)
        .bind(filter.key.clone())
        .bind(filter.since.map(|at| at.0))
        .bind(filter.until.map(|at| at.0))
        .bind(filter.before)
        .bind(i64::try_from(max).unwrap_or(i64::MAX))
        .fetch_all(reads)
        .await?;
    found.iter().map(kept).collect()
}

async fn insert(conn: &mut SqliteConnection, entries: &[AuditEntry]) -> Result<(), sqlx::Error> {
    for (statement, _) in INSERT.statements(entries, bind) {
        statement.execute(&mut *conn).await?;
    }
    Ok(())
}

fn bind(statement: Statement, entry: &AuditEntry) -> Statement {
    statement
        .bind(entry.at.0)
        .bind(door_word(entry.door))
        .bind(entry.key.clone().unwrap_or_default())
        .bind(entry.action.clone())
        .bind(entry.target.clone())
        .bind(entry.outcome.clone())
        .bind(address_word(entry))
}

async fn drop_some(conn: &mut SqliteConnection, limits: &AuditLimits) -> Result<(), sqlx::Error> {
    let steps = [(DROP_OLD, limits.since.0), (DROP_STRANGERS, limits.strangers_max), (DROP_EXCESS, limits.entries_max)];
    for (statement, limit) in steps {
        sqlx::query(statement).bind(limit).execute(&mut *conn).await?;
    }
    Ok(())
}
