//! Leases in a real PostgreSQL.

use std::time::Duration;

use sqlx::Executor;
use test_postgres::{Database, Postgres};
use thingcall_core::UnixMillis;
use thingcall_core::testing::{LeasesUnderTest, assert_leases, instance};
use tokio::task::JoinSet;

use super::*;
use crate::postgres::tests::{config, opened};

struct Bench {
    database: Database,
    leases: Arc<PostgresLeases>,
}

async fn bench() -> Bench {
    let database = Postgres::shared().database();
    opened(&database).await.close().await;
    let leases = instance_on(&database);
    Bench { database, leases }
}

/// As another process has them.
fn instance_on(database: &Database) -> Arc<PostgresLeases> {
    PostgresLeases::of(&config(&database.url())).unwrap().unwrap()
}

#[async_trait]
impl LeasesUnderTest for Bench {
    fn leases(&self) -> Arc<dyn Leases> {
        self.leases.clone()
    }

    async fn pass(&self, time: Duration) {
        self.database.sql(&format!("UPDATE slots SET ends_at = ends_at - INTERVAL '{} ms'", time.as_millis()));
    }

    async fn work(&self, slot: u8, there: bool) {
        let id = u64::from(slot) << 26 | 1;
        self.database.sql(&if there {
            format!(
                "INSERT INTO calls (call_id, request_id, product, device, iot_id, service, params, qos, state, accepted_at) \
                 VALUES ({id}, 'r', 'p', 'd', 'i', 's', '{{}}', 1, 0, 1)"
            )
        } else {
            format!("UPDATE calls SET state = 3 WHERE call_id = {id}")
        });
    }
}

#[tokio::test]
async fn leases_in_postgres_are_as_asked() {
    assert_leases(async || Box::new(bench().await) as Box<dyn LeasesUnderTest>).await;
}

/// As after a fail-over to a stand-by that had not heard of the lease.
#[tokio::test]
async fn lease_of_a_database_that_went_back_is_another_than_the_one_it_forgot() {
    let bench = bench().await;
    let (one, other) = (instance("one"), instance("other"));
    let before = bench.database.sql("SELECT generation FROM slots WHERE slot = 3");
    let forgotten = bench.leases.take(&one, Some(3)).await.unwrap();
    bench.database.sql(&format!("UPDATE slots SET generation = {before}, holder = NULL WHERE slot = 3"));
    let given = bench.leases.take(&other, Some(3)).await.unwrap();
    assert!(given.slot == 3 && given.generation != forgotten.generation, "{forgotten:?} {given:?}");

    assert_eq!(bench.leases.renew(&one, &[forgotten]).await.unwrap().held, []);
    bench.leases.release(&[forgotten]).await.unwrap();
    assert_eq!(bench.leases.renew(&other, &[given]).await.unwrap().held, [given]);
}

#[tokio::test]
async fn leases_are_renewed_while_somebody_locks_the_calls() {
    let bench = bench().await;
    let me = instance("one");
    let lease = bench.leases.take(&me, None).await.unwrap();
    let mut locking = PgConnection::connect(&bench.database.url()).await.unwrap();
    locking.execute("BEGIN; LOCK TABLE calls IN ACCESS EXCLUSIVE MODE").await.unwrap();

    let renewal = timeout(Duration::from_secs(2), bench.leases.renew(&me, &[lease])).await;
    let renewal = renewal.expect("the keeper waits for 2 s").unwrap();

    assert_eq!(renewal.held, [lease]);
    let known: Vec<_> = renewal.slots.iter().map(|state| (state.slot, state.work)).collect();
    assert_eq!(known, [(lease.slot, true)], "it is not given back");
}

#[tokio::test]
async fn lease_without_an_end_is_told_too() {
    let bench = bench().await;
    let lease = bench.leases.take(&instance("one"), None).await.unwrap();
    bench.database.sql("UPDATE slots SET ends_at = 'infinity'");
    let all = bench.leases.all().await.unwrap();
    assert!(all.len() == 1 && all[0].slot == lease.slot && all[0].left > Lease::TIME, "{all:?}");
}

#[tokio::test]
async fn calls_that_nobody_may_answer_any_more_are_no_work() {
    const HOUR_MS: i64 = 3_600_000;
    let bench = bench().await;
    bench.work(7, true).await;
    let works = async |qos: u8, state: u8, hours: i64| {
        let at = UnixMillis::now().0 - hours * HOUR_MS + HOUR_MS / 60;
        bench.database.sql(&format!("UPDATE calls SET qos = {qos}, state = {state}, accepted_at = {at}"));
        !bench.leases.all().await.unwrap().is_empty()
    };
    assert!(works(0, 1, 1).await && !works(0, 1, 2).await, "QoS 0");
    assert!(works(1, 2, 24).await && !works(1, 1, 25).await, "QoS 1");
    assert!(works(1, 0, 1000).await && works(0, 0, 1000).await, "it was never sent");
}

#[tokio::test]
async fn results_that_are_due_are_work() {
    let bench = bench().await;
    bench.work(7, true).await;
    bench.work(7, false).await;
    assert_eq!(bench.leases.all().await.unwrap(), []);
    bench.database.sql("UPDATE calls SET due = TRUE");
    let all = bench.leases.all().await.unwrap();
    assert!(all.len() == 1 && all[0].slot == 7 && all[0].work, "{all:?}");
}

#[tokio::test]
async fn instances_on_connections_of_their_own_get_different_slots() {
    let bench = bench().await;
    let mut all = JoinSet::new();
    for number in 0..20 {
        let leases = instance_on(&bench.database);
        all.spawn(async move { leases.take(&instance(&format!("i{number}")), Some(3)).await.unwrap().slot });
    }
    let mut slots = all.join_all().await;
    slots.sort_unstable();
    assert_eq!(slots, (0..20).collect::<Vec<u8>>());
}

#[tokio::test]
async fn one_of_many_connections_takes_a_slot_over() {
    let bench = bench().await;
    let old = bench.leases.take(&instance("a"), None).await.unwrap();
    bench.pass(Lease::TIME).await;
    let mut all = JoinSet::new();
    for number in 0..8 {
        let leases = instance_on(&bench.database);
        let me = instance(&format!("i{number}"));
        all.spawn(async move { leases.take_over(&me, old.slot, old.generation).await.unwrap() });
    }
    let taken: Vec<Lease> = all.join_all().await.into_iter().flatten().collect();
    assert!(taken.len() == 1 && taken[0].generation > old.generation, "{taken:?}");
}

#[tokio::test]
async fn who_writes_for_a_slot_is_waited_for_by_who_takes_it_over_and_by_no_renewal() {
    let bench = bench().await;
    let (mine, other) = (instance("a"), instance_on(&bench.database));
    let lease = bench.leases.take(&mine, None).await.unwrap();
    let reads = opened(&bench.database).await;
    let mut tx = reads.begin().await.unwrap();
    tx.execute("SELECT slot FROM slots WHERE slot = 0 FOR KEY SHARE").await.unwrap();
    assert_eq!(bench.leases.renew(&mine, &[lease]).await.unwrap().held, [lease]);
    bench.pass(Lease::TIME).await;
    let taking = tokio::spawn(async move { other.take_over(&instance("b"), lease.slot, lease.generation).await });
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while bench.database.sql(waits) == "0" {
        assert!(!taking.is_finished(), "it waits for who writes");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tx.execute("INSERT INTO changes VALUES (1, 'product', 'p', NULL)").await.unwrap();
    tx.commit().await.unwrap();
    let taken = taking.await.unwrap().unwrap().expect("nobody holds it any more");
    assert!(taken.generation > lease.generation && bench.database.sql("SELECT count(*) FROM changes") == "1");
}

#[tokio::test]
async fn instance_that_cannot_be_read_lives_all_the_same() {
    let bench = bench().await;
    let lease = bench.leases.take(&instance("a"), None).await.unwrap();
    bench.database.sql("UPDATE slots SET holder = '{\"name\": 7}' WHERE holder IS NOT NULL");
    let all = bench.leases.all().await.unwrap();
    assert_eq!(all[0].holder.as_ref().unwrap().name, "unknown");
    assert_ne!(bench.leases.take(&instance("b"), None).await.unwrap().slot, lease.slot);
}

#[tokio::test]
async fn silent_server_is_an_error_in_time_and_asked_again_when_it_is_back() {
    let server = Postgres::start();
    let database = server.database();
    opened(&database).await.close().await;
    let config = Config { answer_timeout: Duration::from_secs(1), ..config(&database.url()) };
    let leases = PostgresLeases::of(&config).unwrap().unwrap();
    let me = instance("a");
    let lease = leases.take(&me, None).await.unwrap();
    server.pause();
    let told = leases.renew(&me, &[lease]).await.unwrap_err().to_string();
    assert!(told.contains("no answer within 1s") && !told.contains(database.password()), "{told}");
    server.resume();
    answered(&leases, &me, lease).await;
    server.kill();
    let told = leases.renew(&me, &[lease]).await.unwrap_err().to_string();
    assert!(told.starts_with("store: postgres://postgres@"), "{told}");
    server.start_again();
    answered(&leases, &me, lease).await;
}

/// Returns when the server answers, which a busy machine may take some turns for.
async fn answered(leases: &PostgresLeases, me: &Instance, lease: Lease) {
    while leases.renew(me, &[lease]).await.is_err() {}
}
