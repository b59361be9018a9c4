//! Which results are due: the SQL that changes it.

use sqlx::PgConnection;

use super::lists::numbers;
use crate::database::Slots;

/// Whether results of calls that end are due.
pub(super) async fn wanted(conn: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT wanted FROM publishing").fetch_one(conn).await
}

/// From now on they are, or not.
pub(super) async fn set_wanted(conn: &mut PgConnection, wanted: bool) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE publishing SET wanted = $1").bind(wanted).execute(conn).await.map(drop)
}

/// These are due no more.
pub(super) async fn published(conn: &mut PgConnection, places: &[i64]) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE calls SET due = FALSE WHERE seq = ANY($1)").bind(places).execute(conn).await.map(drop)
}

/// So many of the oldest are due no more, of calls in these slots; `None`: in all.
pub(super) async fn give_up_oldest(conn: &mut PgConnection, slots: Slots<'_>, count: u64) -> Result<u64, sqlx::Error> {
    let oldest = "UPDATE calls SET due = FALSE WHERE seq IN (SELECT seq FROM calls \
                  WHERE due AND ($1::SMALLINT[] IS NULL OR slot = ANY($1)) ORDER BY ended_at, seq LIMIT $2)";
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    Ok(sqlx::query(oldest).bind(numbers(slots)).bind(count).execute(conn).await?.rows_affected())
}
