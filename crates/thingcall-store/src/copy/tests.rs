//! Copies between files and a real PostgreSQL.

use std::path::Path;

use tempfile::TempDir;
use test_postgres::{Database, Postgres};
use thingcall_core::Secret;
use thingcall_tsl::{Directory, NewDevice, NewProduct, ProductNotes, ProductSettings};

use super::*;
use crate::{NewKey, Store};

/// A file with something in every table, and what a file may hold that PostgreSQL cannot.
struct Bench {
    folder: TempDir,
    database: Database,
}

const DEVICES: u64 = 1_234;

async fn bench() -> Bench {
    let bench = Bench { folder: tempfile::tempdir().unwrap(), database: Postgres::shared().database() };
    let store = Store::open(Config::default(), bench.folder.path()).await.unwrap();
    let product = NewProduct {
        key: Some("p".try_into().unwrap()),
        name: "lamp".to_owned(),
        notes: ProductNotes::default(),
        settings: ProductSettings::default(),
    };
    store.create_product(product).await.unwrap();
    let device = |number| NewDevice {
        product: "p".try_into().unwrap(),
        name: Some(format!("d{number}").as_str().try_into().unwrap()),
        secret: None,
        nickname: (number % 2 == 0).then(|| "灯 \u{1F600}".to_owned()),
        transport: None,
    };
    store.register_all((0..DEVICES).map(device).collect()).await.unwrap();
    store.add_key(NewKey { security_token: Some(Secret::new("t")), ..NewKey::default() }).await.unwrap();
    store.close().await;
    bench.sqlite(
        "INSERT INTO models VALUES ('p', 0, '{\"a\": 10.0}'), ('p', 1, 'm');
         INSERT INTO calls (seq, call_id, request_id, product, device, iot_id, service, params, raw, qos, state, message, data, \
         code, accepted_at, ended_at, due) VALUES (7, 4294967295, 'r', 'p', 'd1', 'i', 's', '{}', x'00ff', 1, 3, \
         'zero' || char(0) || 'byte', '{\"y\":1}', -5, 1, 2, 1), (9, 1, 'r', 'p', 'd1', 'i', 's', '{}', NULL, 0, 0, NULL, NULL, \
         NULL, 1, NULL, 0);
         INSERT INTO call_records VALUES (3, 7, 'r', 'p', 'd1', 's', 'k', 'ok', 1, 90, '{}', 'RRpc'), \
         (4, NULL, 'r2', '', '', '', NULL, 'denied', 1, 60, '{}', NULL);
         INSERT INTO audit VALUES (6, 1, 'console', 'k', 'CreateProduct', 'ProductName=p', 'done', '127.0.0.1');
         INSERT INTO last_values VALUES ('p', 'd1', 'm:x', '10.0', 5), ('p', 'd1', 'x', '{}', 5);
         UPDATE message_log SET last = 9, bytes = 120, since = 4;
         INSERT INTO messages VALUES (8, 5, 'event', 'p', 'd1', 1, '/p/d1/user/x', x'00ff'), (9, 6, 'tag', 'p', 'd1', 1, 't', x'');
         INSERT INTO message_traces VALUES (8, '00-a-b-01 c=d');
         INSERT INTO readers VALUES ('group:a', '[]', 8, 3); INSERT INTO claims VALUES ('group:a', 8, 8, 1, 0, 0);
         INSERT INTO backlog VALUES ('group:a', 8, 1, 0, FALSE, 'why', NULL, NULL);
         INSERT INTO consumer_groups VALUES ('g', 'name', 5); INSERT INTO subscriptions VALUES ('p', 'device_data', 'g')",
    )
    .await;
    bench
}

impl Bench {
    fn file(&self) -> PathBuf {
        self.folder.path().join("thingcall.db")
    }

    fn postgres(&self) -> CopyEnd {
        CopyEnd::Postgres(StoreUrl::new(&self.database.url()))
    }

    /// A statement on the file.
    async fn sqlite(&self, statements: &'static str) {
        let mut conn = sqlite::connect_alone(&self.file()).await.unwrap();
        sqlx::raw_sql(statements).execute(&mut conn).await.unwrap();
    }

    async fn there(&self) -> Result<Copied, CopyError> {
        copy(&Config::default(), &CopyEnd::File(self.file()), &self.postgres(), &mut |_| {}).await
    }
}

async fn digests(path: &Path) -> Vec<(u64, u64, [u8; 32])> {
    let mut side = open(&Config::default(), &CopyEnd::File(path.to_owned()), End::Source).await.unwrap();
    let mut all = Vec::new();
    for table in TABLES {
        all.push(digest(&mut *side, table, true).await.unwrap());
    }
    all
}

#[tokio::test]
async fn what_goes_there_and_comes_back_is_the_same() {
    let bench = bench().await;
    let mut seen = Vec::new();
    let (from, to) = (CopyEnd::File(bench.file()), bench.postgres());
    let there = copy(&Config::default(), &from, &to, &mut |progress| seen.push(progress)).await.unwrap();
    assert_eq!(there.tables[..2], [("products", 1), ("models", 2)]);
    assert_eq!((there.tables[2], there.texts_changed, there.resumed), (("devices", DEVICES), 1, false));
    assert!(seen.contains(&CopyProgress { table: "devices", rows: 1_000, of: DEVICES }), "{seen:?}");
    let sql = |text: &str| bench.database.sql(text);
    assert_eq!(sql("SELECT call_id, slot, raw, due FROM calls WHERE seq = 7"), "4294967295|63|\\x00ff|t");
    assert_eq!(sql("SELECT message FROM calls WHERE seq = 7"), "zero\u{FFFD}byte");
    assert_eq!(sql("SELECT last, bytes, since FROM message_log"), "9|120|4");
    assert_eq!(sql("SELECT seq, body FROM messages ORDER BY seq LIMIT 1"), "8|\\x00ff");
    let next = "INSERT INTO calls (call_id, request_id, product, device, iot_id, service, params, qos, state, accepted_at) \
                VALUES (2, 'r', 'p', 'd', 'i', 's', '{}', 1, 3, 1) RETURNING seq";
    assert_eq!(sql(next), "10", "numbers go on");
    sql("DELETE FROM calls WHERE seq = 10");
    assert_eq!(sql("SELECT bytes FROM call_records_size"), "150");
    let next = "INSERT INTO call_records (request_id, product, device, service, outcome, accepted_at, bytes, body) \
                VALUES ('r', 'p', 'd', 's', 'ok', 1, 1, '{}') RETURNING seq";
    assert_eq!(sql(next), "5", "numbers go on");
    sql("DELETE FROM call_records WHERE seq = 5");
    let next = "INSERT INTO audit (at, door, key_id, action, target, outcome, address) \
                VALUES (2, 'api', 'k', 'a', '', 'done', '') RETURNING seq";
    assert_eq!(sql(next), "7", "numbers go on");
    sql("DELETE FROM audit WHERE seq = 7");
    let back = bench.folder.path().join("back").join("thingcall.db");
    let copied = copy(&Config::default(), &bench.postgres(), &CopyEnd::File(back.clone()), &mut |_| {}).await.unwrap();
    assert_eq!((&copied.tables, copied.texts_changed), (&there.tables, 0));
    let without_count =
        |all: Vec<(u64, u64, [u8; 32])>| all.into_iter().map(|(rows, _, hash)| (rows, hash)).collect::<Vec<_>>();
    assert_eq!(without_count(digests(&back).await), without_count(digests(&bench.file()).await));
    let opened = Store::open(Config::default(), &bench.folder.path().join("back")).await.unwrap();
    assert_eq!(opened.stats().devices as u64, DEVICES);
}

#[tokio::test]
async fn copy_that_was_ended_goes_on_and_takes_what_was_changed_meanwhile() {
    let bench = bench().await;
    let ended = tokio::spawn({
        let (from, to) = (CopyEnd::File(bench.file()), bench.postgres());
        async move {
            let mut after =
                |progress: CopyProgress| assert!(progress.table != "devices" || progress.rows < 1_000, "it ends");
            copy(&Config::default(), &from, &to, &mut after).await
        }
    });
    assert!(ended.await.unwrap_err().is_panic());
    assert_eq!(bench.database.sql("SELECT count(*) FROM devices"), "1000");
    // Half of it is no store for anybody else.
    let other = tempfile::tempdir().unwrap();
    let told =
        copy(&Config::default(), &bench.postgres(), &CopyEnd::File(other.path().join("x.db")), &mut |_| {}).await;
    assert!(matches!(told, Err(CopyError::Half { .. })), "{told:?}");
    let config = Config { url: Some(StoreUrl::new(&bench.database.url())), ..Config::default() };
    let told = Store::open(config.clone(), other.path()).await.unwrap_err().to_string();
    assert!(told.contains("is half a copy of") && told.contains("thingcall.db"), "{told}");
    let looked = crate::look(&config, other.path()).await.problems;
    assert!(looked.len() == 1 && looked[0].to_string().contains("half a copy"), "{looked:?}");

    let resumed = bench.there().await.unwrap();
    assert!(resumed.resumed && resumed.tables[2].1 == DEVICES, "{resumed:?}");

    bench.database.sql("CREATE TABLE thingcall_copying (source TEXT)");
    bench.database.sql(&format!("INSERT INTO thingcall_copying VALUES ('{}')", bench.file().display()));
    bench
        .sqlite("UPDATE devices SET nickname = 'another' WHERE name = 'd1'; DELETE FROM devices WHERE name = 'd2'")
        .await;
    let anew = bench.there().await.unwrap();
    assert!(!anew.resumed && anew.tables[2].1 == DEVICES - 1, "{anew:?}");
    assert_eq!(bench.database.sql("SELECT nickname FROM devices WHERE name = 'd1'"), "another");
}

#[tokio::test]
async fn store_that_is_served_or_holds_something_is_refused() {
    let bench = bench().await;
    let place = bench.file();
    let served = Claim::take(&place).await.unwrap();
    let told = bench.there().await.unwrap_err().to_string();
    assert!(told.starts_with("a server runs on ") && told.contains("thingcall.db"), "{told}");
    drop(served);
    let config = Config { url: Some(StoreUrl::new(&bench.database.url())), ..Config::default() };
    postgres::connect_alone(&config, config.url.as_ref().unwrap()).await.unwrap();
    let leases = crate::PostgresLeases::of(&config).unwrap().unwrap();
    let me = thingcall_core::testing::instance("a");
    let lease = thingcall_core::Leases::take(&*leases, &me, None).await.unwrap();
    let told = bench.there().await.unwrap_err().to_string();
    assert!(told.starts_with("a server runs on postgres://postgres@"), "{told}");
    thingcall_core::Leases::release(&*leases, &[lease]).await.unwrap();
    bench.database.sql("INSERT INTO access_keys VALUES ('k', 's', 'a', TRUE, NULL, NULL, 1)");
    let told = bench.there().await.unwrap_err().to_string();
    assert!(told.contains("holds 1 rows of access_keys already; right is an empty store"), "{told}");
    let same = copy(&Config::default(), &bench.postgres(), &bench.postgres(), &mut |_| {}).await;
    assert!(matches!(same, Err(CopyError::Same(_))), "{same:?}");
    let missing = CopyEnd::File(bench.folder.path().join("nowhere.db"));
    let told = copy(&Config::default(), &missing, &bench.postgres(), &mut |_| {}).await.unwrap_err().to_string();
    assert!(told.contains("there is no store"), "{told}");
}

#[tokio::test]
async fn while_a_copy_is_made_no_server_starts() {
    let bench = bench().await;
    let held = open(&Config::default(), &bench.postgres(), End::Target).await.unwrap();
    let config = Config { url: Some(StoreUrl::new(&bench.database.url())), ..Config::default() };
    let leases = crate::PostgresLeases::of(&config).unwrap().unwrap();
    let me = thingcall_core::testing::instance("a");
    let refused = thingcall_core::Leases::take(&*leases, &me, None).await;
    assert!(matches!(refused, Err(thingcall_core::LeaseError::Store(_))), "{refused:?}");
    drop(held);
}

#[test]
fn end_is_a_url_a_file_or_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let of = |text: &str| CopyEnd::of(text, "thingcall.db").to_string();
    assert_eq!(of("postgres://u:sekrit@h/d"), "postgres://u@h/d");
    assert_eq!(of(folder.path().to_str().unwrap()), folder.path().join("thingcall.db").display().to_string());
    assert_eq!(of("/nowhere/other.db"), "/nowhere/other.db");
    assert_eq!(of("/nowhere/data"), "/nowhere/data/thingcall.db");
}

#[test]
fn every_column_of_every_table_is_copied() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let database = Postgres::shared().database();
    let (here, there) = runtime.block_on(async {
        let mut conn = sqlite::connect_alone(&folder.path().join("x.db")).await.unwrap();
        let here: Vec<(String, String)> = sqlx::query_as(
            "SELECT m.name, i.name FROM sqlite_schema AS m JOIN pragma_table_info(m.name) AS i WHERE m.type = 'table'",
        )
        .fetch_all(&mut conn)
        .await
        .unwrap();
        let config = Config { url: Some(StoreUrl::new(&database.url())), ..Config::default() };
        postgres::connect_alone(&config, config.url.as_ref().unwrap()).await.unwrap();
        let there = database.sql(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public' \
             AND is_generated = 'NEVER'",
        );
        (here, there)
    });
    let mut copied: Vec<_> =
        TABLES.iter().flat_map(|table| table.columns.iter().map(|(column, _)| (table.name, *column))).collect();
    copied.sort_unstable();
    let left = [
        "publishing",
        "message_log",
        "call_records_size",
        "room",
        "sqlite_sequence",
        "slots",
        "nonces",
        "nonces_since",
        "quotas",
        "thingcall_schema",
    ];
    let sorted = |mut all: Vec<(String, String)>| {
        all.retain(|(table, _)| !left.contains(&table.as_str()));
        all.sort_unstable();
        all
    };
    let copied: Vec<_> = copied.into_iter().map(|(table, column)| (table.to_owned(), column.to_owned())).collect();
    assert_eq!(sorted(here), copied);
    let there = there
        .lines()
        .filter_map(|line| line.split_once('|'))
        .map(|(table, column)| (table.to_owned(), column.to_owned()));
    assert_eq!(sorted(there.collect()), copied);
}
