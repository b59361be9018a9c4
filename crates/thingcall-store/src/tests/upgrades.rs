//! Stores of every earlier schema, each with what there was at its time, opened by this program: all of it is there, and works.

use std::collections::BTreeMap;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, SqliteConnection};
use test_postgres::Database;
use thingcall_core::{FleetCalls, Keys, Subscriptions};
use thingcall_tsl::{Batches, ModelVersions, Tags};

use super::*;
use crate::{OpenError, postgres, sqlite};

mod rows;

use rows::ROWS;

/// Each table, and its rows as text, in their order.
type Tables = BTreeMap<String, (Vec<String>, Vec<String>)>;

/// Tables that no row of a person's or a device's is in, and what a server changes in them by itself.
const LEFT: &[&str] = &["room", "slots", "nonces", "nonces_since", "quotas", "thingcall_schema", "sqlite_sequence"];

/// A store of an earlier schema.
struct Old {
    folder: TempDir,
    database: Option<Database>,
    config: Config,
}

/// What is written at this schema's time, with times of today: what is old is dropped.
fn filled(on: On, version: usize) -> impl Iterator<Item = String> {
    let now = UnixMillis::now().0;
    let of = move |(sqlite, postgres, sql): &(usize, usize, &str)| {
        let since = if on == On::Sqlite { *sqlite } else { *postgres };
        let bytes = if on == On::Sqlite { "X'6162'" } else { "'\\x6162'::bytea" };
        let sql = sql.replace("{bytes}", bytes).replace("{now}", &now.to_string());
        (since == version).then(|| sql.replace("{later}", &(now + 86_400_000).to_string()))
    };
    ROWS.iter().filter_map(of)
}

async fn old(on: On, version: usize) -> Old {
    let folder = tempfile::tempdir().unwrap();
    // History is kept where it is asked for.
    let config = Config { history_records_per_product_max: 1000, ..Config::default() };
    match on {
        On::Sqlite => {
            let mut conn = file(&folder).await;
            for (number, sql) in (1..=version).zip(sqlite::migrations()) {
                sqlx::raw_sql(*sql).execute(&mut conn).await.unwrap();
                for rows in filled(on, number) {
                    sqlx::raw_sql(AssertSqlSafe(rows.clone())).execute(&mut conn).await.expect(&rows);
                }
            }
            let stamp = AssertSqlSafe(format!("PRAGMA user_version = {version}"));
            sqlx::raw_sql(stamp).execute(&mut conn).await.unwrap();
            conn.close().await.unwrap();
            Old { folder, database: None, config }
        }
        On::Postgres => {
            let database = Postgres::shared().database();
            let mut all = vec![postgres::SCHEMA_TABLE.to_owned()];
            for (number, (usable_from, statements)) in (1..=version).zip(postgres::migrations()) {
                all.extend(statements.into_iter().map(str::to_owned));
                let stamp = "INSERT INTO thingcall_schema (version, usable_from, program)";
                all.push(format!("{stamp} VALUES ({number}, {usable_from}, 'old')"));
                all.extend(filled(on, number));
            }
            let mut conn = PgConnection::connect(&database.url()).await.unwrap();
            for statements in all {
                sqlx::raw_sql(AssertSqlSafe(statements.clone())).execute(&mut conn).await.expect(&statements);
            }
            let url = Some(StoreUrl::new(&database.url()));
            Old { folder, database: Some(database), config: Config { url, ..config } }
        }
    }
}

async fn file(folder: &TempDir) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(folder.path().join("thingcall.db")).create_if_missing(true);
    options.connect().await.unwrap()
}

impl Old {
    async fn open(&self) -> Result<Arc<Store>, OpenError> {
        Store::open(self.config.clone(), self.folder.path()).await
    }

    /// All there is; of tables that are among `like` alone the columns that it has.
    async fn tables(&self, like: Option<&Tables>) -> Tables {
        let mut conn = match &self.database {
            None => Conn::Sqlite(file(&self.folder).await),
            Some(database) => Conn::Postgres(PgConnection::connect(&database.url()).await.unwrap()),
        };
        let mut all = Tables::new();
        for (table, columns) in conn.columns().await {
            if LEFT.contains(&&*table) {
                continue;
            }
            let columns = like.and_then(|like| like.get(&table)).map_or(columns, |(columns, _)| columns.clone());
            let rows = conn.rows(&table, &columns).await;
            all.insert(table, (columns, rows));
        }
        all
    }
}

/// Who looks behind the store's back.
enum Conn {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Conn {
    async fn columns(&mut self) -> BTreeMap<String, Vec<String>> {
        let pairs: Vec<(String, String)> = match self {
            Self::Sqlite(conn) => {
                let text = "SELECT m.name, i.name FROM sqlite_schema AS m JOIN pragma_table_info(m.name) AS i WHERE m.type = 'table'";
                sqlx::query_as(text).fetch_all(conn).await.unwrap()
            }
            Self::Postgres(conn) => {
                let text = "SELECT table_name::TEXT, column_name::TEXT FROM information_schema.columns WHERE table_schema = 'public'";
                sqlx::query_as(text).fetch_all(conn).await.unwrap()
            }
        };
        let mut all = BTreeMap::<String, Vec<String>>::new();
        pairs.into_iter().for_each(|(table, column)| all.entry(table).or_default().push(column));
        all
    }

    async fn rows(&mut self, table: &str, columns: &[String]) -> Vec<String> {
        let quoted = |by: &str| columns.iter().map(|column| format!("{by}(\"{column}\")")).collect::<Vec<_>>();
        let mut rows: Vec<String> = match self {
            Self::Sqlite(conn) => {
                let text = AssertSqlSafe(format!("SELECT {} FROM \"{table}\"", quoted("quote").join(" || '|' || ")));
                sqlx::query_scalar(text).fetch_all(conn).await.unwrap()
            }
            Self::Postgres(conn) => {
                let columns = quoted("quote_nullable").join(", ");
                let text = AssertSqlSafe(format!("SELECT concat_ws('|', {columns}) FROM \"{table}\""));
                sqlx::query_scalar(text).fetch_all(conn).await.unwrap()
            }
        };
        rows.sort();
        rows
    }
}

/// What is there, as those find it who use the store.
async fn works(store: &Store, has: &dyn Fn(&str) -> bool) {
    assert_eq!(store.key("k1").expect("the key").secret.expose(), "k1-secret");
    assert!(!store.key("k2").expect("the other key").enabled);
    let d1 = told(store, "d1").await;
    assert_eq!((d1.secret.expose(), d1.nickname.as_deref()), ("d1-secret", Some("灯")));
    assert!(!told(store, "d2").await.device.enabled);
    let waiting = store.unacknowledged(&key("d1"), None, 9).await.unwrap();
    assert_eq!(waiting.iter().map(|call| call.id.as_u32()).collect::<Vec<_>>(), [2]);
    let ended = store.find_records(1).await;
    assert!(ended.len() == 1 && ended[0].state == RecordState::Ended, "{ended:?}");
    let p = "p".try_into().unwrap();
    assert_eq!(store.model_versions(&p).await.unwrap().len(), 1, "its model has a version");
    if has("consumer_groups") {
        assert!(store.groups().iter().any(|group| group.name == "readers"));
        assert_eq!(store.subscriptions().len(), 1);
    }
    if has("last_values") {
        assert_eq!(store.last_values(&key("d1")).await.unwrap().len(), 1);
    }
    if has("batches") {
        assert_eq!(store.batch(7).await.unwrap().1.len(), 1);
        assert_eq!(store.tags(&key("d1")).await.unwrap()["floor"], "2");
    }
    if has("fleet_calls") {
        assert_eq!(store.fleet_calls("default", 0, 9).await.unwrap().total, 1);
    }
    // And it goes on.
    store.register(device("new")).await.unwrap();
    let new = found(store, "new").await.unwrap().device;
    store.open(entry(&new, 99, Qos::AtLeastOnce)).await.unwrap();
    store.complete(vec![reply("new", 99, 200)]).await.unwrap();
    assert_eq!(store.find_records(99).await[0].state, RecordState::Ended);
}

async fn each_is_opened(on: On, versions: usize) {
    for version in 1..=versions {
        let old = old(on, version).await;
        let before = old.tables(None).await;
        let looked = crate::look(&old.config, old.folder.path()).await.problems;
        assert_eq!(looked, [], "{on:?} {version}");
        let store = old.open().await.unwrap();
        let mut after = old.tables(Some(&before)).await;
        let added: Vec<_> = after.keys().filter(|table| !before.contains_key(*table)).cloned().collect();
        after.retain(|table, _| before.contains_key(table));
        assert_eq!(after, before, "{on:?}: what there was at schema {version} is as it was");
        assert!(!added.is_empty() || version > 1);
        works(&store, &|table| before.contains_key(table)).await;
        store.close().await;
        // What was brought up to date is opened as it is.
        old.open().await.unwrap().close().await;
    }
}

#[tokio::test]
async fn files_of_every_earlier_schema_are_opened_with_all_they_hold() {
    each_is_opened(On::Sqlite, sqlite::migrations().len()).await;
}

#[tokio::test]
async fn databases_of_every_earlier_schema_are_opened_with_all_they_hold() {
    each_is_opened(On::Postgres, postgres::migrations().len()).await;
}

#[tokio::test]
async fn every_table_of_the_newest_schema_has_a_row_here() {
    for (on, versions) in [(On::Sqlite, sqlite::migrations().len()), (On::Postgres, postgres::migrations().len())] {
        let tables = old(on, versions).await.tables(None).await;
        let empty: Vec<_> = tables.iter().filter(|(_, (_, rows))| rows.is_empty()).map(|(table, _)| table).collect();
        assert!(empty.is_empty(), "{on:?}: what a new step adds has rows in upgrades/rows.rs: {empty:?}");
    }
}

#[tokio::test]
async fn a_newer_schema_is_refused_in_clear_words() {
    let newest = old(On::Sqlite, sqlite::migrations().len()).await;
    sqlx::raw_sql("PRAGMA user_version = 1000").execute(&mut file(&newest.folder).await).await.unwrap();
    let told = newest.open().await.unwrap_err().to_string();
    assert!(told.contains("has schema version 1000 and this thingcall knows versions up to"), "{told}");
    let newest = old(On::Postgres, postgres::migrations().len()).await;
    let database = newest.database.as_ref().unwrap();
    database.sql("INSERT INTO thingcall_schema (version, usable_from, program) VALUES (1000, 1000, 'new')");
    let told = newest.open().await.unwrap_err().to_string();
    assert!(told.contains("1000") && told.contains("version"), "{told}");
    // One that says so is used by the release before.
    database.sql("UPDATE thingcall_schema SET usable_from = 1 WHERE version = 1000");
    newest.open().await.unwrap();
}
