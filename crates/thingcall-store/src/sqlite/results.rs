//! Which results are due: the SQL that changes it.

use std::sync::LazyLock;

use sqlx::SqliteConnection;

use super::many::Many;

static PUBLISHED: LazyLock<Many> =
    LazyLock::new(|| Many::new("UPDATE calls SET due = 0 WHERE seq IN (VALUES ", 1, ")"));

/// Whether results of calls that end are due.
pub(crate) async fn wanted(conn: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT wanted FROM publishing").fetch_one(conn).await
}

/// From now on they are, or not.
pub(crate) async fn set_wanted(conn: &mut SqliteConnection, wanted: bool) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE publishing SET wanted = ?").bind(wanted).execute(conn).await.map(drop)
}

/// How many are due.
pub(crate) async fn count(conn: &mut SqliteConnection) -> Result<u64, sqlx::Error> {
    let due: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM calls WHERE due = 1").fetch_one(conn).await?;
    Ok(u64::try_from(due).unwrap_or(0))
}

/// These are due no more.
pub(crate) async fn published(conn: &mut SqliteConnection, places: &[i64]) -> Result<(), sqlx::Error> {
    for (statement, _) in PUBLISHED.statements(places, |statement, place| statement.bind(*place)) {
        statement.execute(&mut *conn).await?;
    }
    Ok(())
}

/// So many of the oldest are due no more.
pub(crate) async fn give_up_oldest(conn: &mut SqliteConnection, count: u64) -> Result<u64, sqlx::Error> {
    let oldest = "UPDATE calls SET due = 0 WHERE seq IN \
                  (SELECT seq FROM calls WHERE due = 1 ORDER BY ended_at, seq LIMIT ?)";
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    Ok(sqlx::query(oldest).bind(count).execute(conn).await?.rows_affected())
}
