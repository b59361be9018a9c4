//! A file of SQLite's that is copied from or to.

use async_trait::async_trait;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Connection, QueryBuilder, Row as _, Sqlite, SqliteConnection};

use super::side::{Failed, Side};
use super::tables::{Kind, Row, Table, Value};
use crate::claim::Claim;

/// How many values a statement takes at most is 32,766; of the widest table these rows have fewer.
const ROWS_MAX: usize = 1_000;

/// One, and the lock that only one server of its folder can hold.
pub(super) struct SqliteSide {
    place: String,
    conn: SqliteConnection,
    _claim: Claim,
}

impl SqliteSide {
    /// To read from: all of it as it is now, whatever is changed meanwhile.
    pub(super) async fn source(place: String, mut conn: SqliteConnection, claim: Claim) -> Result<Self, Failed> {
        sqlx::raw_sql("BEGIN").execute(&mut conn).await?;
        Ok(Self { place, conn, _claim: claim })
    }

    /// To write to.
    pub(super) fn target(place: String, conn: SqliteConnection, claim: Claim) -> Self {
        Self { place, conn, _claim: claim }
    }
}

#[async_trait]
impl Side for SqliteSide {
    fn place(&self) -> &str {
        &self.place
    }

    fn keeps_zero_bytes(&self) -> bool {
        true
    }

    async fn count(&mut self, table: &'static Table) -> Result<u64, Failed> {
        let text = AssertSqlSafe(format!("SELECT count(*) FROM {}", table.name));
        let count: i64 = sqlx::query_scalar(text).fetch_one(&mut self.conn).await?;
        Ok(u64::try_from(count)?)
    }

    async fn last(&mut self, table: &'static Table) -> Result<Option<Row>, Failed> {
        let names = table.key_names();
        let order: Vec<_> = table.columns.iter().take(table.key).map(|(name, _)| format!("{name} DESC")).collect();
        let text = format!("SELECT {names} FROM {} ORDER BY {} LIMIT 1", table.name, order.join(", "));
        let row = sqlx::query(AssertSqlSafe(text)).fetch_optional(&mut self.conn).await?;
        row.map(|row| read(table, table.key, &row)).transpose()
    }

    async fn page(&mut self, table: &'static Table, after: Option<&Row>, max: usize) -> Result<Vec<Row>, Failed> {
        let mut query = QueryBuilder::<Sqlite>::new(format!("SELECT {} FROM {}", table.names(), table.name));
        if let Some(after) = after {
            query.push(format!(" WHERE ({}) > (", table.key_names()));
            let mut values = query.separated(", ");
            for value in after {
                push(value, |value| match value {
                    Bound::Number(number) => drop(values.push_bind(number)),
                    Bound::Text(text) => drop(values.push_bind(text)),
                    Bound::Bytes(bytes) => drop(values.push_bind(bytes)),
                });
            }
            query.push(")");
        }
        query.push(format!(" ORDER BY {} LIMIT {max}", table.key_names()));
        let rows = query.build().fetch_all(&mut self.conn).await?;
        rows.iter().map(|row| read(table, table.columns.len(), row)).collect()
    }

    async fn write(&mut self, table: &'static Table, rows: &[Row]) -> Result<(), Failed> {
        let mut tx = self.conn.begin_with("BEGIN IMMEDIATE").await?;
        for rows in rows.chunks(ROWS_MAX) {
            let mut query = QueryBuilder::<Sqlite>::new(format!("INSERT INTO {} ({}) ", table.name, table.names()));
            query.push_values(rows, |mut values, row| {
                for value in row {
                    push(value, |value| match value {
                        Bound::Number(number) => drop(values.push_bind(number)),
                        Bound::Text(text) => drop(values.push_bind(text)),
                        Bound::Bytes(bytes) => drop(values.push_bind(bytes)),
                    });
                }
            });
            query.build().execute(&mut *tx).await?;
        }
        Ok(tx.commit().await?)
    }

    async fn empty(&mut self, table: &'static Table) -> Result<(), Failed> {
        sqlx::query(AssertSqlSafe(format!("DELETE FROM {}", table.name))).execute(&mut self.conn).await?;
        Ok(())
    }

    async fn message_log(&mut self) -> Result<(i64, i64, i64), Failed> {
        Ok(sqlx::query_as("SELECT last, bytes, since FROM message_log").fetch_one(&mut self.conn).await?)
    }

    async fn half_of(&mut self) -> Result<Option<String>, Failed> {
        Ok(crate::sqlite::half_of(&mut self.conn).await?)
    }

    async fn begin(&mut self, of: &str) -> Result<(), Failed> {
        let mut tx = self.conn.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query("CREATE TABLE thingcall_copying (source TEXT NOT NULL)").execute(&mut *tx).await?;
        sqlx::query("INSERT INTO thingcall_copying VALUES (?)").bind(of).execute(&mut *tx).await?;
        Ok(tx.commit().await?)
    }

    async fn finish(&mut self, (last, bytes, since): (i64, i64, i64)) -> Result<(), Failed> {
        let mut tx = self.conn.begin_with("BEGIN IMMEDIATE").await?;
        let log = "UPDATE message_log SET last = ?, bytes = ?, since = ?";
        sqlx::query(log).bind(last).bind(bytes).bind(since).execute(&mut *tx).await?;
        let size = "UPDATE call_records_size SET bytes = (SELECT COALESCE(SUM(bytes), 0) FROM call_records)";
        sqlx::query(size).execute(&mut *tx).await?;
        sqlx::query("DROP TABLE thingcall_copying").execute(&mut *tx).await?;
        tx.commit().await?;
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut self.conn).await?;
        Ok(())
    }
}

/// A value as SQLite has it.
enum Bound<'v> {
    Number(Option<i64>),
    Text(&'v str),
    Bytes(&'v [u8]),
}

fn push<'v>(value: &'v Value, push: impl FnOnce(Bound<'v>)) {
    push(match value {
        Value::Null => Bound::Number(None),
        Value::Number(number) => Bound::Number(Some(*number)),
        Value::Flag(flag) => Bound::Number(Some(i64::from(*flag))),
        Value::Text(text) => Bound::Text(text),
        Value::Bytes(bytes) => Bound::Bytes(bytes),
    });
}

/// SQLite knows the type of a value, not of a column.
fn read(table: &Table, count: usize, row: &SqliteRow) -> Result<Row, Failed> {
    let value = |(name, kind): &(&str, Kind)| {
        Ok(match kind {
            Kind::Number => row.try_get_unchecked::<Option<i64>, _>(*name)?.map(Value::Number),
            Kind::Flag => row.try_get_unchecked::<Option<i64>, _>(*name)?.map(|flag| Value::Flag(flag != 0)),
            Kind::Text => row.try_get_unchecked::<Option<String>, _>(*name)?.map(Value::Text),
            Kind::Bytes => row.try_get_unchecked::<Option<Vec<u8>>, _>(*name)?.map(Value::Bytes),
        }
        .unwrap_or(Value::Null))
    };
    table.columns.iter().take(count).map(value).collect()
}
