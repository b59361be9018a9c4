//! Which results an earlier release left to be published: the SQL that changes it.

use std::sync::LazyLock;

use sqlx::SqliteConnection;

use super::many::Many;

static PUBLISHED: LazyLock<Many> =
    LazyLock::new(|| Many::new("UPDATE calls SET due = 0 WHERE seq IN (VALUES ", 1, ")"));

/// These are left no more.
pub(crate) async fn published(conn: &mut SqliteConnection, places: &[i64]) -> Result<(), sqlx::Error> {
    for (statement, _) in PUBLISHED.statements(places, |statement, place| statement.bind(*place)) {
        statement.execute(&mut *conn).await?;
    }
    Ok(())
}
