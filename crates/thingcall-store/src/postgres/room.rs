//! Whether there is room: after trouble, a write as large as a call's tells, and not the next caller.

use sqlx::{Connection, PgConnection};

/// Writes as much as a call with long parameters takes, of bytes that cannot be made shorter, and takes it back.
pub(super) async fn try_out(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    let mut tx = conn.begin().await?;
    let fill = "INSERT INTO room (filled) SELECT string_agg(gen_random_uuid()::TEXT, '') FROM generate_series(1, 2048) \
                RETURNING place";
    let place: i64 = sqlx::query_scalar(fill).fetch_one(&mut *tx).await?;
    tx.commit().await?;
    sqlx::query("DELETE FROM room WHERE place = $1").bind(place).execute(conn).await.map(drop)
}
