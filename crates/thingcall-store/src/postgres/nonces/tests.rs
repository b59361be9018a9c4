//! Nonces in a real PostgreSQL.

use test_postgres::{Database, Postgres};
use thingcall_core::testing::{SharedUnderTest, assert_shared_nonces};
use tokio::task::JoinSet;

use super::*;
use crate::postgres::tests::{config, opened};

async fn database() -> Database {
    let database = Postgres::shared().database();
    opened(&database).await.close().await;
    database
}

fn instance_on(database: &Database) -> Arc<PostgresNonces> {
    PostgresNonces::of(&config(&database.url())).unwrap().unwrap()
}

fn used(nonce: &str, keep: Duration) -> NonceUse<'_> {
    NonceUse { key: "k", nonce, signed_at: UnixMillis(UnixMillis::now().0 + 60_000), keep }
}

const LONG: Duration = Duration::from_secs(600);

#[tokio::test]
async fn nonces_in_postgres_are_as_asked() {
    assert_shared_nonces(async || {
        let database = database().await;
        let instances = [instance_on(&database), instance_on(&database)];
        SharedUnderTest { instances: instances.map(|one| one as Arc<dyn SharedNonces>), keeps: Box::new(database) }
    })
    .await;
}

#[tokio::test]
async fn those_that_ask_at_once_share_statements() {
    let database = database().await;
    let nonces = instance_on(&database);
    nonces.note(used("first", LONG)).await.unwrap();
    let mut all = JoinSet::new();
    for number in 0..500 {
        let nonces = nonces.clone();
        all.spawn(async move { nonces.note(used(&format!("n{number}"), LONG)).await });
    }
    for verdict in all.join_all().await {
        assert_eq!(verdict, Ok(NonceVerdict::New));
    }
    assert_eq!(database.sql("SELECT count(*) FROM nonces"), "501");
    let transactions: usize = database.sql("SELECT count(DISTINCT xmin::TEXT) FROM nonces").parse().unwrap();
    assert!(transactions < 50, "{transactions} transactions for 501 nonces");
}

#[tokio::test]
async fn nonces_that_are_over_are_forgotten() {
    let database = database().await;
    let nonces = instance_on(&database);
    nonces.note(used("short", Duration::from_millis(1))).await.unwrap();
    nonces.note(used("long", LONG)).await.unwrap();
    while database.sql("SELECT count(*) FROM nonces") != "1" {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(nonces.note(used("long", LONG)).await, Ok(NonceVerdict::Used));
}

#[tokio::test]
async fn crash_of_the_server_empties_the_set_and_is_told() {
    let server = Postgres::start();
    let database = server.database();
    opened(&database).await.close().await;
    let nonces = instance_on(&database);
    assert_eq!(nonces.note(used("n", LONG)).await, Ok(NonceVerdict::New));
    while database.sql("SELECT began < clock_timestamp() FROM nonces_since") != "t" {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let before = UnixMillis::now();
    server.kill();
    assert!(nonces.note(used("n", LONG)).await.unwrap_err().0.starts_with("postgres://postgres@"));
    server.start_again();
    let replay = NonceUse { signed_at: before, ..used("n", LONG) };
    let verdict = nonces.note(replay).await;
    let Ok(NonceVerdict::TooOld { began }) = verdict else { panic!("{verdict:?}") };
    assert!(began > before, "{began:?}");
    assert_eq!(nonces.note(used("n", LONG)).await, Ok(NonceVerdict::New));
}
