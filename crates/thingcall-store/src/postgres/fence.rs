//! The fence: who lost a slot writes nothing more of its calls.
//!
//! **Invariant:** between this look and the end of its transaction, nobody else takes the slots over: who does locks their rows
//! for itself first, and waits. Who renews them waits for nobody.

use sqlx::PgConnection;
use thingcall_core::Lease;

use super::lists::Lists;

/// Which of these leases are not ours any more.
pub(super) async fn lost(conn: &mut PgConnection, leases: &[Lease]) -> Result<Vec<Lease>, sqlx::Error> {
    let all = Lists(leases);
    let held = "SELECT slots.slot FROM slots JOIN UNNEST($1::SMALLINT[], $2::BIGINT[]) AS v (slot, generation) \
                ON slots.slot = v.slot AND slots.generation = v.generation ORDER BY slots.slot FOR KEY SHARE OF slots";
    let held: Vec<i16> = sqlx::query_scalar(held)
        .bind(all.list(|lease| i16::from(lease.slot)))
        .bind(all.list(|lease| i64::try_from(lease.generation).unwrap_or(i64::MAX)))
        .fetch_all(conn)
        .await?;
    Ok(leases.iter().filter(|lease| !held.contains(&i16::from(lease.slot))).copied().collect())
}
