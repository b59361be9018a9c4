//! Records of calls: the SQL that writes and reads them.

use async_trait::async_trait;
use sqlx::{AssertSqlSafe, PgConnection, PgPool};
use thingcall_core::{CallFilter, CallOrder, CallSource, KeptCall, ServiceCalls};

use super::database::Pg;
use super::lists::{Lists, text};
use super::trouble::within;
use super::tx::PgTx;
use crate::call_query::{self, Bound};
use crate::columns::Columns;
use crate::failure::Failure;
use crate::message_tables::{Limits, cut};
use crate::record_tables::{LATE, LateRow, RecordReads, RecordRow, RecordSize, RecordWrites};
use crate::rows;

const INSERT: &str = "\
    INSERT INTO call_records (call_id, request_id, product, device, service, key_id, outcome, accepted_at, bytes, body, \
    action) \
    SELECT v.call_id, v.request_id, v.product, v.device, v.service, v.key_id, v.outcome, v.accepted_at, v.bytes, v.body, \
    v.action \
    FROM UNNEST($1::BIGINT[], $2::TEXT[], $3::TEXT[], $4::TEXT[], $5::TEXT[], $6::TEXT[], $7::TEXT[], $8::BIGINT[], \
    $9::BIGINT[], $10::TEXT[], $11::TEXT[]) WITH ORDINALITY AS v (call_id, request_id, product, device, service, key_id, \
    outcome, accepted_at, bytes, body, action, place) ORDER BY v.place";

#[async_trait]
impl RecordReads for Pg {
    async fn kept_calls(
        &self,
        source: CallSource,
        filter: &CallFilter,
        from: (CallOrder, i64),
        max: usize,
    ) -> Result<Vec<KeptCall>, Failure> {
        let question = call_query::page(source, filter, from, max, |place| format!("${place}"));
        within(&self.patience.answer, asked(&self.reads, source, question)).await
    }

    async fn service_calls(
        &self,
        source: CallSource,
        calls: &ServiceCalls,
        max: usize,
    ) -> Result<Vec<KeptCall>, Failure> {
        let question = call_query::by_time(source, calls, max, |place| format!("${place}"));
        within(&self.patience.answer, asked(&self.reads, source, question)).await
    }

    async fn last_record(&self) -> Result<i64, Failure> {
        within(&self.patience.answer, last(&self.reads)).await
    }

    async fn record_size(&self) -> Result<RecordSize, Failure> {
        within(&self.patience.answer, size(&self.reads)).await
    }

    async fn record_excess(&self, limits: &Limits, at_most: i64) -> Result<Option<i64>, Failure> {
        within(&self.patience.answer, excess(&self.reads, limits, at_most)).await
    }
}

#[async_trait]
impl RecordWrites for PgTx<'_> {
    async fn insert_records(&mut self, rows: &[RecordRow]) -> Result<(), Failure> {
        within(self.patience, insert(&mut self.tx, rows)).await
    }

    async fn add_late(&mut self, rows: &[&LateRow]) -> Result<Vec<i64>, Failure> {
        within(self.patience, add_late(&mut self.tx, rows)).await
    }

    async fn drop_records(&mut self, up_to: i64) -> Result<(), Failure> {
        within(self.patience, drop_up_to(&mut self.tx, up_to)).await
    }
}

async fn asked(
    reads: &PgPool,
    source: CallSource,
    question: call_query::Question,
) -> Result<Vec<KeptCall>, sqlx::Error> {
    let bind = |statement: sqlx::query::Query<'static, _, _>, value| match value {
        Bound::Number(number) => statement.bind(number),
        Bound::Text(what) => statement.bind(text(&what)),
    };
    let statement = question.bound.into_iter().fold(sqlx::query(AssertSqlSafe(question.text)), bind);
    let found = statement.fetch_all(reads).await?;
    found.iter().map(|row| rows::kept_call(source, row)).collect()
}

async fn last(reads: &PgPool) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("SELECT COALESCE(MAX(seq), 0) FROM call_records").fetch_one(reads).await
}

async fn size(reads: &PgPool) -> Result<RecordSize, sqlx::Error> {
    let found = "SELECT (SELECT MIN(seq) FROM call_records) AS first, (SELECT MAX(seq) FROM call_records) AS last, bytes \
                 FROM call_records_size";
    let row = sqlx::query(found).fetch_one(reads).await?;
    let count = row.maybe_number("last")?.zip(row.maybe_number("first")?).map_or(0, |(last, first)| last - first + 1);
    Ok(RecordSize { records: count.unsigned_abs(), bytes: row.number("bytes")?.unsigned_abs() })
}

async fn excess(reads: &PgPool, limits: &Limits, at_most: i64) -> Result<Option<i64>, sqlx::Error> {
    let found = "SELECT (SELECT MIN(seq) FROM call_records) AS first, (SELECT MAX(seq) FROM call_records) AS last, bytes \
                 FROM call_records_size";
    let row = sqlx::query(found).fetch_one(reads).await?;
    let Some((first, last)) = row.maybe_number("first")?.zip(row.maybe_number("last")?) else { return Ok(None) };
    let young = "SELECT MIN(seq) AS seq FROM call_records WHERE seq < $1 AND accepted_at >= $2";
    let young = sqlx::query(young).bind(first + at_most).bind(limits.since.0).fetch_one(reads).await?;
    Ok(cut(limits, (first, last, row.number("bytes")?), young.maybe_number("seq")?, at_most))
}

async fn insert(conn: &mut PgConnection, rows: &[RecordRow]) -> Result<(), sqlx::Error> {
    for piece in Lists(rows).pieces(|row| usize::try_from(row.bytes()).unwrap_or(usize::MAX)) {
        let all = Lists(piece);
        sqlx::query(INSERT)
            .bind(all.list(|row| row.call_id))
            .bind(all.list(|row| row.request_id.as_str()))
            .bind(all.list(|row| text(&row.product)))
            .bind(all.list(|row| text(&row.device)))
            .bind(all.list(|row| text(&row.service)))
            .bind(all.list(|row| row.key_id.as_deref().map(text)))
            .bind(all.list(|row| row.outcome))
            .bind(all.list(|row| row.accepted_at))
            .bind(all.list(RecordRow::bytes))
            .bind(all.list(|row| text(&row.body)))
            .bind(all.list(|row| row.action.as_deref().map(text)))
            .execute(&mut *conn)
            .await?;
    }
    // The last one: others that write records wait for it.
    let bytes: i64 = rows.iter().map(RecordRow::bytes).sum();
    sqlx::query("UPDATE call_records_size SET bytes = bytes + $1").bind(bytes).execute(conn).await.map(drop)
}

async fn add_late(conn: &mut PgConnection, rows: &[&LateRow]) -> Result<Vec<i64>, sqlx::Error> {
    let add = "UPDATE call_records AS r SET body = LEFT(r.body, -1) || v.member || '}', bytes = r.bytes + v.bytes \
               FROM UNNEST($1::BIGINT[], $2::TEXT[], $3::TEXT[], $4::BIGINT[]) AS v (call_id, request_id, member, bytes) \
               WHERE r.call_id = v.call_id AND r.request_id = v.request_id AND POSITION($5 IN r.body) = 0 \
               RETURNING r.call_id, v.bytes";
    let (mut found, mut bytes) = (Vec::new(), 0);
    for piece in Lists(rows).pieces(|row| usize::try_from(row.bytes()).unwrap_or(usize::MAX)) {
        let all = Lists(piece);
        let add = sqlx::query(add)
            .bind(all.list(|row| row.call_id))
            .bind(all.list(|row| row.request_id.as_str()))
            .bind(all.list(|row| text(&row.member)))
            .bind(all.list(|row| row.bytes()))
            .bind(LATE);
        for row in add.fetch_all(&mut *conn).await? {
            found.push(row.number("call_id")?);
            bytes += row.number("bytes")?;
        }
    }
    // The last one, as where records are written.
    let size = sqlx::query("UPDATE call_records_size SET bytes = bytes + $1").bind(bytes);
    size.execute(conn).await.map(|_| found)
}

async fn drop_up_to(conn: &mut PgConnection, up_to: i64) -> Result<(), sqlx::Error> {
    let gone = "WITH gone AS (DELETE FROM call_records WHERE seq <= $1 RETURNING bytes) \
                SELECT COALESCE(SUM(bytes), 0)::BIGINT AS bytes FROM gone";
    let bytes: i64 = sqlx::query_scalar(gone).bind(up_to).fetch_one(&mut *conn).await?;
    let size = sqlx::query("UPDATE call_records_size SET bytes = GREATEST(0, bytes - $1)").bind(bytes);
    size.execute(conn).await.map(drop)
}
