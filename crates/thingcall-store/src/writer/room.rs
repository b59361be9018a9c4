//! Whether there is room: after trouble, a write as large as a call's tells, and not the next caller.

use crate::shared::WriteSide;

/// More than most calls take.
const ROOM_BYTES: i64 = 65_536;

/// Writes as much as a call with long parameters takes, and takes it back.
pub(crate) async fn try_out(side: &mut WriteSide) -> Result<(), sqlx::Error> {
    for bytes in [ROOM_BYTES, 0] {
        let mut tx = side.conn.begin().await?;
        sqlx::query("UPDATE room SET filled = zeroblob(?)").bind(bytes).execute(&mut *tx).await?;
        tx.commit().await?;
    }
    Ok(())
}
