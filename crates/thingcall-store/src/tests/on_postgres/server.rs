//! A PostgreSQL that ends, starts and stands still.

use std::time::Duration;

use sqlx::{Connection, PgConnection};
use tokio::time::{sleep, timeout};

use super::*;
use crate::waits::{ReadConnections, Wait};

const LIMIT: Duration = Duration::from_secs(60);

/// A server of the test's own, which keeps what it committed however it ends, and a store on it with the device `d1`.
async fn bench() -> (Postgres, Bench, Conditions) {
    let server = Postgres::start_with("fsync = on\n");
    let url = Some(StoreUrl::new(&server.database().url()));
    let second = Duration::from_secs(1);
    let config = Config { url, connect_timeout: second, answer_timeout: second, ..Config::default() };
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(config.clone(), folder.path()).await.unwrap();
    let bench = Bench { on: On::Postgres, folder, config, store }.with_devices(&["d1"]).await;
    let conditions = Conditions::default();
    bench.store.claim(&conditions).await.unwrap();
    (server, bench, conditions)
}

async fn until(what: impl Fn() -> bool) {
    let holds = async {
        while !what() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(LIMIT, holds).await.expect("in time");
}

/// What is told meanwhile, and what is there afterwards.
async fn outlives(server: &Postgres, bench: &Bench, conditions: &Conditions, away: impl Fn(), back: impl Fn()) {
    for id in 1..=3 {
        bench.open("d1", id, Qos::AtMostOnce).await.unwrap();
    }
    away();
    let refused = timeout(LIMIT, bench.open("d1", 4, Qos::AtMostOnce)).await.expect("an answer").unwrap_err();
    assert!(
        matches!(&refused, JournalError::Unwritable { why, .. } if why == "the store cannot be reached"),
        "{refused}"
    );
    let told = conditions.unmet().remove(0).failure.unwrap();
    assert!(told.contains("cannot be reached") && told.contains("PostgreSQL runs"), "{told}");
    assert!(!told.contains("postgres's"), "{told}");
    // What became of calls meanwhile.
    bench.store.failed(&key("d1"), CallId::from_u32(1), Outcome::Offline, "gone");
    let did = end_all(&*bench.store, vec![reply("d1", 2, 200)]);
    bench.store.flush().await;
    assert!(did.try_recv().is_err(), "neither written nor lost");

    back();
    until(|| conditions.unmet().is_empty()).await;
    bench.store.flush().await;
    assert_eq!(bench.record(1).await.outcome, Some(Outcome::Offline));
    assert_eq!((bench.record(2).await.code, did.try_iter().count()), (Some(200), 1));
    assert_eq!(bench.record(3).await.outcome, None);
    let in_doubt = bench.store.find_records(4).await;
    assert!(in_doubt.iter().all(|record| record.outcome == Some(Outcome::NotDelivered)), "{in_doubt:?}");
    bench.open("d1", 5, Qos::AtMostOnce).await.unwrap();
    assert_eq!(bench.store.stats().notes_lost, 0);
    // Changes by others are heard again.
    let tool = bench.other().await;
    let mut changes = bench.store.changes();
    tool.register(device("d2")).await.unwrap();
    assert_eq!(timeout(LIMIT, changes.recv()).await.expect("seen").unwrap(), crate::Change::DevicesAdded);
    assert!(!server.log().contains("FATAL:  password"), "{}", server.log());
}

#[tokio::test]
async fn a_server_that_crashes_and_comes_back_loses_no_accepted_call_and_ends_no_process() {
    let (server, bench, conditions) = bench().await;
    outlives(&server, &bench, &conditions, || server.kill(), || server.start_again()).await;
}

#[tokio::test]
async fn a_server_that_stands_still_and_goes_on_loses_nothing() {
    let (server, bench, conditions) = bench().await;
    outlives(&server, &bench, &conditions, || server.pause(), || server.resume()).await;
}

#[tokio::test]
async fn a_restart_between_two_calls_is_noticed_by_nobody() {
    let (server, bench, _) = bench().await;
    bench.open("d1", 1, Qos::AtMostOnce).await.unwrap();
    // While nobody looks: the poller would notice.
    let side = bench.store.shared().write.lock().await;
    server.end();
    server.start_again();
    drop(side);
    let opened = async {
        // The poller may be first to find the connection gone; then calls are refused until the next look.
        while bench.open("d1", 2, Qos::AtMostOnce).await.is_err() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(LIMIT, opened).await.expect("in time");
    assert_eq!(bench.store.find_records(1).await.len(), 1);
}

#[tokio::test]
async fn waits_that_ran_out_are_counted_by_what_was_waited_for() {
    let one = std::num::NonZeroU32::new(1).unwrap();
    let config = Config { read_connections_max: one, answer_timeout: Duration::from_secs(3), ..Config::default() };
    let bench = bench_on(On::Postgres, config).await;
    let reads = &bench.store.shared().reads;
    reads.last_place().await.unwrap();
    let mut other = PgConnection::connect(bench.config.url.as_ref().unwrap().expose()).await.unwrap();
    sqlx::raw_sql("BEGIN; LOCK TABLE calls").execute(&mut other).await.unwrap();
    let (first, second) = tokio::join!(reads.last_place(), reads.last_place());
    assert!(first.is_err() && second.is_err());
    let ran_out = [Wait::Connect, Wait::ReadConnection, Wait::Answer].map(|wait| reads.ran_out(wait));
    assert_eq!(ran_out, [0, 1, 1]);
    let ReadConnections { in_use, max } = reads.read_connections();
    assert!(in_use <= max && max == 1, "{in_use} of {max}");
}
