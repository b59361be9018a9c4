//! How SQLite goes about what is done again and again for a fleet call that runs.

use sqlx::{AssertSqlSafe, Connection as _, Row as _};

use super::*;

const SCHEMA: [&str; 2] =
    [include_str!("../../../migrations/0018_fleet.sql"), include_str!("../../../migrations/0020_fleet_keys.sql")];

/// It once looked at all devices of a fleet call for each that ended, and for each that began: of 10,000 devices 100 a second
/// were called, and who else wrote waited for seconds.
#[tokio::test]
async fn each_looks_at_the_devices_it_is_about_and_not_at_all() {
    let mut conn = SqliteConnection::connect("sqlite::memory:").await.unwrap();
    for sql in SCHEMA {
        sqlx::raw_sql(sql).execute(&mut conn).await.unwrap();
    }
    for (name, sql) in [("settle", SETTLE), ("take", TAKE), ("begin", BEGIN), ("ended", ENDED), ("end", END)] {
        let plan = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"))).fetch_all(&mut conn).await.unwrap();
        let steps: Vec<String> = plan.iter().map(|row| row.get("detail")).collect();
        let whole = |step: &&String| {
            step.contains("SCAN fleet_devices")
                || step.contains("PRIMARY KEY (fleet_call=?)")
                || step.ends_with("fleet_devices_by_outcome (fleet_call=?)")
        };
        assert_eq!(steps.iter().find(whole), None, "{name}: {steps:#?}");
        let first_seen = steps.iter().position(|step| step.contains("json_each"));
        let devices_seen = steps.iter().position(|step| step.contains("(fleet_call=? AND number=?)"));
        assert!(name != "end" || first_seen < devices_seen, "{steps:#?}");
    }
}
