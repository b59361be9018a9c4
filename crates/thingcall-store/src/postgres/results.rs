//! Which results an earlier release left to be published: the SQL that changes it.

use sqlx::PgConnection;

/// These are left no more.
pub(super) async fn published(conn: &mut PgConnection, places: &[i64]) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE calls SET due = FALSE WHERE seq = ANY($1)").bind(places).execute(conn).await.map(drop)
}
