//! Records of calls: the SQL that writes and reads them.

use std::sync::LazyLock;

use async_trait::async_trait;
use sqlx::sqlite::SqlitePool;
use sqlx::{AssertSqlSafe, SqliteConnection};
use thingcall_core::{CallFilter, CallOrder, CallSource, KeptCall, ServiceCalls};

use super::Sqlite;
use super::many::{Many, Statement};
use super::trouble::failure;
use super::tx::SqliteTx;
use crate::call_query::{self, Bound};
use crate::columns::Columns;
use crate::failure::Failure;
use crate::message_tables::{Limits, cut};
use crate::record_tables::{LATE, LateRow, RecordReads, RecordRow, RecordSize, RecordWrites};
use crate::rows;

static INSERT: LazyLock<Many> = LazyLock::new(|| {
    let before = "INSERT INTO call_records (call_id, request_id, action, product, device, service, key_id, outcome, \
                  accepted_at, bytes, body) SELECT * FROM (VALUES ";
    Many::new(before, 11, ") WHERE column2 IS NOT NULL")
});

#[async_trait]
impl RecordReads for Sqlite {
    async fn kept_calls(
        &self,
        source: CallSource,
        filter: &CallFilter,
        from: (CallOrder, i64),
        max: usize,
    ) -> Result<Vec<KeptCall>, Failure> {
        let question = call_query::page(source, filter, from, max, |_| "?".to_owned());
        asked(&self.reads, source, question).await.map_err(failure)
    }

    async fn service_calls(
        &self,
        source: CallSource,
        calls: &ServiceCalls,
        max: usize,
    ) -> Result<Vec<KeptCall>, Failure> {
        let question = call_query::by_time(source, calls, max, |_| "?".to_owned());
        asked(&self.reads, source, question).await.map_err(failure)
    }

    async fn last_record(&self) -> Result<i64, Failure> {
        last(&self.reads).await.map_err(failure)
    }

    async fn record_size(&self) -> Result<RecordSize, Failure> {
        size(&self.reads).await.map_err(failure)
    }

    async fn record_excess(&self, limits: &Limits, at_most: i64) -> Result<Option<i64>, Failure> {
        excess(&self.reads, limits, at_most).await.map_err(failure)
    }
}

#[async_trait]
impl RecordWrites for SqliteTx<'_> {
    async fn insert_records(&mut self, rows: &[RecordRow]) -> Result<(), Failure> {
        insert(self, rows).await.map_err(failure)
    }

    async fn add_late(&mut self, rows: &[&LateRow]) -> Result<Vec<i64>, Failure> {
        add_late(self, rows).await.map_err(failure)
    }

    async fn drop_records(&mut self, up_to: i64) -> Result<(), Failure> {
        drop_up_to(self, up_to).await.map_err(failure)
    }
}

async fn asked(
    reads: &SqlitePool,
    source: CallSource,
    question: call_query::Question,
) -> Result<Vec<KeptCall>, sqlx::Error> {
    let bind = |statement: sqlx::query::Query<'static, _, _>, value| match value {
        Bound::Number(number) => statement.bind(number),
        Bound::Text(text) => statement.bind(text),
    };
    let statement = question.bound.into_iter().fold(sqlx::query(AssertSqlSafe(question.text)), bind);
    let found = statement.fetch_all(reads).await?;
    found.iter().map(|row| rows::kept_call(source, row)).collect()
}

async fn last(reads: &SqlitePool) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("SELECT COALESCE(MAX(seq), 0) FROM call_records").fetch_one(reads).await
}

async fn size(reads: &SqlitePool) -> Result<RecordSize, sqlx::Error> {
    let found = "SELECT (SELECT MIN(seq) FROM call_records) AS first, (SELECT MAX(seq) FROM call_records) AS last, bytes \
                 FROM call_records_size";
    let row = sqlx::query(found).fetch_one(reads).await?;
    let count = row.maybe_number("last")?.zip(row.maybe_number("first")?).map_or(0, |(last, first)| last - first + 1);
    Ok(RecordSize { records: count.unsigned_abs(), bytes: row.number("bytes")?.unsigned_abs() })
}

async fn excess(reads: &SqlitePool, limits: &Limits, at_most: i64) -> Result<Option<i64>, sqlx::Error> {
    let found = "SELECT (SELECT MIN(seq) FROM call_records) AS first, (SELECT MAX(seq) FROM call_records) AS last, bytes \
                 FROM call_records_size";
    let row = sqlx::query(found).fetch_one(reads).await?;
    let Some((first, last)) = row.maybe_number("first")?.zip(row.maybe_number("last")?) else { return Ok(None) };
    let young = "SELECT MIN(seq) AS seq FROM call_records WHERE seq < ? AND accepted_at >= ?";
    let young = sqlx::query(young).bind(first + at_most).bind(limits.since.0).fetch_one(reads).await?;
    Ok(cut(limits, (first, last, row.number("bytes")?), young.maybe_number("seq")?, at_most))
}

async fn insert(conn: &mut SqliteConnection, rows: &[RecordRow]) -> Result<(), sqlx::Error> {
    for (statement, _) in INSERT.statements(rows, bind) {
        statement.execute(&mut *conn).await?;
    }
    let bytes: i64 = rows.iter().map(RecordRow::bytes).sum();
    sqlx::query("UPDATE call_records_size SET bytes = bytes + ?").bind(bytes).execute(conn).await.map(drop)
}

async fn add_late(conn: &mut SqliteConnection, rows: &[&LateRow]) -> Result<Vec<i64>, sqlx::Error> {
    let add = "UPDATE call_records SET body = SUBSTR(body, 1, LENGTH(body) - 1) || ? || '}', bytes = bytes + ? \
               WHERE call_id = ? AND request_id = ? AND INSTR(body, ?) = 0";
    let (mut found, mut bytes) = (Vec::new(), 0);
    for row in rows {
        let add = sqlx::query(add).bind(row.member.clone()).bind(row.bytes()).bind(row.call_id);
        let added = add.bind(row.request_id.clone()).bind(LATE).execute(&mut *conn).await?.rows_affected();
        if added > 0 {
            found.push(row.call_id);
            bytes += row.bytes() * i64::try_from(added).unwrap_or(1);
        }
    }
    let size = sqlx::query("UPDATE call_records_size SET bytes = bytes + ?").bind(bytes);
    size.execute(conn).await.map(|_| found)
}

fn bind(statement: Statement, row: &RecordRow) -> Statement {
    statement
        .bind(row.call_id)
        .bind(row.request_id.clone())
        .bind(row.action.clone())
        .bind(row.product.clone())
        .bind(row.device.clone())
        .bind(row.service.clone())
        .bind(row.key_id.clone())
        .bind(row.outcome)
        .bind(row.accepted_at)
        .bind(row.bytes())
        .bind(row.body.clone())
}

async fn drop_up_to(conn: &mut SqliteConnection, up_to: i64) -> Result<(), sqlx::Error> {
    let bytes = "UPDATE call_records_size SET bytes = MAX(0, bytes - (SELECT COALESCE(SUM(bytes), 0) FROM call_records \
                 WHERE seq <= ?))";
    sqlx::query(bytes).bind(up_to).execute(&mut *conn).await?;
    sqlx::query("DELETE FROM call_records WHERE seq <= ?").bind(up_to).execute(conn).await.map(drop)
}
