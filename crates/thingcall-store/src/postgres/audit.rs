//! The log of changes: the SQL.

use async_trait::async_trait;
use sqlx::PgConnection;
use thingcall_core::{AuditEntry, AuditFilter, AuditKept};

use super::database::{Pg, read};
use super::lists::{Lists, count, text};
use super::trouble::within;
use super::tx::PgTx;
use crate::audit_table::{AuditLimits, AuditReads, AuditSize, AuditWrites, address_word, door_word, kept};
use crate::failure::Failure;

const INSERT: &str = "\
    INSERT INTO audit (at, door, key_id, action, target, outcome, address) \
    SELECT v.at, v.door, v.key_id, v.action, v.target, v.outcome, v.address \
    FROM UNNEST($1::BIGINT[], $2::TEXT[], $3::TEXT[], $4::TEXT[], $5::TEXT[], $6::TEXT[], $7::TEXT[]) WITH ORDINALITY \
    AS v (at, door, key_id, action, target, outcome, address, place) ORDER BY v.place";
const SELECT: &str = "SELECT * FROM audit WHERE ($1::TEXT IS NULL OR key_id = $1) AND ($2::BIGINT IS NULL OR at >= $2) \
                      AND ($3::BIGINT IS NULL OR at <= $3) AND ($4::BIGINT IS NULL OR seq < $4) ORDER BY seq DESC LIMIT $5";
const SIZE: &str = "SELECT COUNT(*), COUNT(*) FILTER (WHERE key_id = '' AND door <> 'command') FROM audit";
/// The first that is young enough, and all before it; where none is, all.
const DROP_OLD: &str = "DELETE FROM audit WHERE seq < COALESCE((SELECT seq FROM audit WHERE at >= $1 ORDER BY seq LIMIT 1), \
                        9223372036854775807)";
const DROP_STRANGERS: &str = "DELETE FROM audit WHERE key_id = '' AND door <> 'command' AND seq <= (SELECT seq FROM audit \
                              WHERE key_id = '' AND door <> 'command' ORDER BY seq DESC LIMIT 1 OFFSET $1)";
const DROP_EXCESS: &str = "DELETE FROM audit WHERE seq <= (SELECT seq FROM audit ORDER BY seq DESC LIMIT 1 OFFSET $1)";
/// What an entry takes beside its texts: its time, and the length of each value.
const ENTRY_BYTES: usize = 64;

#[async_trait]
impl AuditReads for Pg {
    async fn audit_entries(&self, filter: &AuditFilter, max: usize) -> Result<Vec<AuditKept>, Failure> {
        read!(self, conn => entries(conn, filter, max))
    }

    async fn audit_size(&self) -> Result<AuditSize, Failure> {
        read!(self, conn => size(conn))
    }
}

#[async_trait]
impl AuditWrites for PgTx<'_> {
    async fn insert_audit(&mut self, entries: &[AuditEntry]) -> Result<(), Failure> {
        within(self.patience, insert(&mut self.tx, entries)).await
    }

    async fn drop_audit(&mut self, limits: &AuditLimits) -> Result<(), Failure> {
        within(self.patience, drop_some(&mut self.tx, limits)).await
    }
}

async fn entries(conn: &mut PgConnection, filter: &AuditFilter, max: usize) -> Result<Vec<AuditKept>, sqlx::Error> {
    let found = sqlx::query(SELECT)
        .bind(filter.key.as_deref().map(text))
        .bind(filter.since.map(|at| at.0))
        .bind(filter.until.map(|at| at.0))
        .bind(filter.before)
        .bind(i64::try_from(max).unwrap_or(i64::MAX))
        .fetch_all(conn)
        .await?;
    found.iter().map(kept).collect()
}

async fn size(conn: &mut PgConnection) -> Result<AuditSize, sqlx::Error> {
    let (entries, strangers): (i64, i64) = sqlx::query_as(SIZE).fetch_one(conn).await?;
    Ok(AuditSize { entries: count(entries), strangers: count(strangers) })
}

async fn insert(conn: &mut PgConnection, entries: &[AuditEntry]) -> Result<(), sqlx::Error> {
    let bytes = |entry: &AuditEntry| {
        let AuditEntry { key, action, target, outcome, .. } = entry;
        ENTRY_BYTES + key.as_ref().map_or(0, String::len) + action.len() + target.len() + outcome.len()
    };
    for piece in Lists(entries).pieces(bytes) {
        let all = Lists(piece);
        sqlx::query(INSERT)
            .bind(all.list(|entry| entry.at.0))
            .bind(all.list(|entry| door_word(entry.door)))
            .bind(all.list(|entry| text(entry.key.as_deref().unwrap_or_default())))
            .bind(all.list(|entry| text(&entry.action)))
            .bind(all.list(|entry| text(&entry.target)))
            .bind(all.list(|entry| text(&entry.outcome)))
            .bind(all.list(address_word))
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}

async fn drop_some(conn: &mut PgConnection, limits: &AuditLimits) -> Result<(), sqlx::Error> {
    let steps = [(DROP_OLD, limits.since.0), (DROP_STRANGERS, limits.strangers_max), (DROP_EXCESS, limits.entries_max)];
    for (statement, limit) in steps {
        sqlx::query(statement).bind(limit).execute(&mut *conn).await?;
    }
    Ok(())
}
