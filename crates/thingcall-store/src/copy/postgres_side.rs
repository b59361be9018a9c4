//! A PostgreSQL that is copied from or to.

use async_trait::async_trait;
use sqlx::postgres::{PgArguments, PgRow, Postgres};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row as _};

use super::side::{Failed, Side};
use super::tables::{Kind, Row, Table, Value};

/// One.
pub(super) struct PostgresSide {
    place: String,
    conn: PgConnection,
}

impl PostgresSide {
    /// To read from: all of it as it is now, whatever is changed meanwhile.
    pub(super) async fn source(place: String, mut conn: PgConnection) -> Result<Self, Failed> {
        patient(&mut conn).await?;
        sqlx::raw_sql("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").execute(&mut conn).await?;
        Ok(Self { place, conn })
    }

    /// To write to.
    pub(super) async fn target(place: String, mut conn: PgConnection) -> Result<Self, Failed> {
        patient(&mut conn).await?;
        Ok(Self { place, conn })
    }
}

/// Nobody waits for it, and the other side may take its time.
async fn patient(conn: &mut PgConnection) -> Result<(), Failed> {
    sqlx::raw_sql("SET idle_in_transaction_session_timeout = 0; SET lock_timeout = 0").execute(conn).await?;
    Ok(())
}

#[async_trait]
impl Side for PostgresSide {
    fn place(&self) -> &str {
        &self.place
    }

    fn keeps_zero_bytes(&self) -> bool {
        false
    }

    async fn count(&mut self, table: &'static Table) -> Result<u64, Failed> {
        let text = AssertSqlSafe(format!("SELECT count(*) FROM {}", table.name));
        let count: i64 = sqlx::query_scalar(text).fetch_one(&mut self.conn).await?;
        Ok(u64::try_from(count)?)
    }

    async fn last(&mut self, table: &'static Table) -> Result<Option<Row>, Failed> {
        let names: Vec<_> = table.columns.iter().take(table.key).collect();
        let order: Vec<_> = names.iter().map(|(name, _)| format!("{name} DESC")).collect();
        let columns = columns(table, table.key);
        let text = format!("SELECT {columns} FROM {} ORDER BY {} LIMIT 1", table.name, order.join(", "));
        let row = sqlx::query(AssertSqlSafe(text)).fetch_optional(&mut self.conn).await?;
        row.map(|row| read(table, table.key, &row)).transpose()
    }

    async fn page(&mut self, table: &'static Table, after: Option<&Row>, max: usize) -> Result<Vec<Row>, Failed> {
        let (all, key) = (columns(table, table.columns.len()), table.key_names());
        let places: Vec<_> = (1..=table.key).map(|place| format!("${place}")).collect();
        let from = after.map(|_| format!(" WHERE ({key}) > ({})", places.join(", "))).unwrap_or_default();
        let text = format!("SELECT {all} FROM {}{from} ORDER BY {key} LIMIT {max}", table.name);
        let query = after.into_iter().flatten().fold(sqlx::query(AssertSqlSafe(text)), bind);
        let rows = query.fetch_all(&mut self.conn).await?;
        rows.iter().map(|row| read(table, table.columns.len(), row)).collect()
    }

    async fn write(&mut self, table: &'static Table, rows: &[Row]) -> Result<(), Failed> {
        let arrays: Vec<_> = (1..).zip(table.columns).map(|(place, (_, kind))| array(place, *kind)).collect();
        let (name, names) = (table.name, table.names());
        let text = format!("INSERT INTO {name} ({names}) SELECT * FROM UNNEST({}) AS rows", arrays.join(", "));
        let columns = table.columns.iter().enumerate();
        let bind = |query, (place, (_, kind)): (usize, &(_, Kind))| bind_column(query, *kind, rows, place);
        let query = columns.fold(sqlx::query(AssertSqlSafe(text)), bind);
        query.execute(&mut self.conn).await?;
        Ok(())
    }

    async fn empty(&mut self, table: &'static Table) -> Result<(), Failed> {
        sqlx::query(AssertSqlSafe(format!("DELETE FROM {}", table.name))).execute(&mut self.conn).await?;
        Ok(())
    }

    async fn message_log(&mut self) -> Result<(i64, i64, i64), Failed> {
        Ok(sqlx::query_as("SELECT last, bytes, since FROM message_log").fetch_one(&mut self.conn).await?)
    }

    async fn half_of(&mut self) -> Result<Option<String>, Failed> {
        Ok(crate::postgres::half_of(&mut self.conn).await?)
    }

    async fn begin(&mut self, of: &str) -> Result<(), Failed> {
        let mut tx = self.conn.begin().await?;
        sqlx::query("CREATE TABLE thingcall_copying (source TEXT NOT NULL)").execute(&mut *tx).await?;
        sqlx::query("INSERT INTO thingcall_copying VALUES ($1)").bind(of).execute(&mut *tx).await?;
        Ok(tx.commit().await?)
    }

    async fn finish(&mut self, (last, bytes, since): (i64, i64, i64)) -> Result<(), Failed> {
        let mut tx = self.conn.begin().await?;
        for next in [
            "SELECT setval(pg_get_serial_sequence('calls', 'seq'), GREATEST(max(seq), 1), max(seq) IS NOT NULL) FROM calls",
            "SELECT setval(pg_get_serial_sequence('call_records', 'seq'), GREATEST(max(seq), 1), max(seq) IS NOT NULL) \
             FROM call_records",
            "SELECT setval(pg_get_serial_sequence('audit', 'seq'), GREATEST(max(seq), 1), max(seq) IS NOT NULL) FROM audit",
            "UPDATE call_records_size SET bytes = (SELECT COALESCE(SUM(bytes), 0) FROM call_records)",
        ] {
            sqlx::query(next).execute(&mut *tx).await?;
        }
        let log = "UPDATE message_log SET last = $1, bytes = $2, since = $3";
        sqlx::query(log).bind(last).bind(bytes).bind(since).execute(&mut *tx).await?;
        sqlx::query("DROP TABLE thingcall_copying").execute(&mut *tx).await?;
        tx.commit().await?;
        sqlx::query("ANALYZE").execute(&mut self.conn).await?;
        Ok(())
    }
}

/// The first columns, each as this program reads its kind.
fn columns(table: &Table, count: usize) -> String {
    let cast = |(name, kind): &(&str, Kind)| match kind {
        Kind::Number => format!("{name}::BIGINT AS {name}"),
        Kind::Flag | Kind::Text | Kind::Bytes => (*name).to_owned(),
    };
    table.columns.iter().take(count).map(cast).collect::<Vec<_>>().join(", ")
}

fn array(place: usize, kind: Kind) -> String {
    let name = match kind {
        Kind::Number => "BIGINT",
        Kind::Flag => "BOOLEAN",
        Kind::Text => "TEXT",
        Kind::Bytes => "BYTEA",
    };
    format!("${place}::{name}[]")
}

fn read(table: &Table, count: usize, row: &PgRow) -> Result<Row, Failed> {
    let value = |(name, kind): &(&str, Kind)| {
        Ok(match kind {
            Kind::Number => row.try_get::<Option<i64>, _>(*name)?.map(Value::Number),
            Kind::Flag => row.try_get::<Option<bool>, _>(*name)?.map(Value::Flag),
            Kind::Text => row.try_get::<Option<String>, _>(*name)?.map(Value::Text),
            Kind::Bytes => row.try_get::<Option<Vec<u8>>, _>(*name)?.map(Value::Bytes),
        }
        .unwrap_or(Value::Null))
    };
    table.columns.iter().take(count).map(value).collect()
}

fn bind<'q>(query: Query<'q, Postgres, PgArguments>, value: &'q Value) -> Query<'q, Postgres, PgArguments> {
    match value {
        Value::Null => query.bind(None::<i64>),
        Value::Number(number) => query.bind(number),
        Value::Flag(flag) => query.bind(flag),
        Value::Text(text) => query.bind(text),
        Value::Bytes(bytes) => query.bind(bytes),
    }
}

/// What the rows have in one column, as one array.
fn bind_column<'q>(
    query: Query<'q, Postgres, PgArguments>,
    kind: Kind,
    rows: &'q [Row],
    place: usize,
) -> Query<'q, Postgres, PgArguments> {
    macro_rules! all {
        ($kind:path) => {
            rows.iter()
                .map(|row| if let Some($kind(value)) = row.get(place) { Some(value) } else { None })
                .collect::<Vec<_>>()
        };
    }
    match kind {
        Kind::Number => query.bind(all!(Value::Number)),
        Kind::Flag => query.bind(all!(Value::Flag)),
        Kind::Text => query.bind(all!(Value::Text)),
        Kind::Bytes => query.bind(all!(Value::Bytes)),
    }
}
