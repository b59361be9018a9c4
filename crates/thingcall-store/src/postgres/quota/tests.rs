//! The quota in a real PostgreSQL.

use proptest::prelude::*;
use test_postgres::{Database, Postgres};
use thingcall_core::testing::{SharedUnderTest, assert_shared_quota};

use super::*;
use crate::postgres::tests::{config, opened};

async fn database() -> Database {
    let database = Postgres::shared().database();
    opened(&database).await.close().await;
    database
}

fn instance_on(database: &Database) -> Arc<PostgresQuota> {
    PostgresQuota::of(&config(&database.url())).unwrap().unwrap()
}

#[tokio::test]
async fn quota_in_postgres_is_as_asked() {
    assert_shared_quota(async || {
        let database = database().await;
        let instances = [instance_on(&database), instance_on(&database)];
        SharedUnderTest { instances: instances.map(|one| one as Arc<dyn SharedQuota>), keeps: Box::new(database) }
    })
    .await;
}

#[test]
fn database_settles_as_the_rule_does() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let database = runtime.block_on(database());
    let conn = runtime.block_on(async { instance_on(&database).0.lend().await.unwrap().detached() });
    let conn = std::cell::RefCell::new(conn);
    let calls = || prop_oneof![Just(0_u32), 1..100_u32, any::<u32>()];
    let one = (calls(), calls(), calls(), -3_000_000..3_000_000_i64, prop_oneof![1..5_u32, 1..2000_u32, any::<u32>()]);
    let config = ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |((used, unused, ahead, full_in, max) in one)| {
        let max = NonZeroU32::new(max).unwrap_or(NonZeroU32::MIN);
        let want = Want { account: "a".to_owned(), used, unused, ahead };
        let conn = &mut *conn.borrow_mut();
        let (settled, now): ((i64, i64), i64) = runtime.block_on(async {
            sqlx::query("INSERT INTO quotas VALUES ('a', $1) ON CONFLICT (account) DO UPDATE SET full_at = $1")
                .bind(NOW + full_in).execute(&mut *conn).await.unwrap();
            let at = SETTLE.replace("(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::BIGINT", &NOW.to_string());
            sqlx::query(sqlx::AssertSqlSafe(at)).bind(accounts(std::slice::from_ref(&want)))
                .bind([i64::from(used)]).bind([i64::from(unused)]).bind([i64::from(ahead)]).bind(i64::from(max.get()))
                .execute(&mut *conn).await.unwrap();
            let row = sqlx::query("SELECT full_at, calls, asked_at FROM quotas").fetch_one(&mut *conn).await.unwrap();
            ((row.get(0), row.get(1)), row.get(2))
        });
        let (full_at, grant) = want.settle(NOW + full_in, NOW, max);
        prop_assert_eq!((settled, now), ((full_at, i64::from(grant.calls)), NOW));
    });
}

/// Some time, in microseconds.
const NOW: i64 = 1_800_000_000_000_000;
