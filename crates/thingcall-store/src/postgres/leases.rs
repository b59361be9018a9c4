//! Leases of slots, by the database's clock.
//!
//! **Invariant:** a generation is given once, also where the database went back: to a stand-by that had not heard of it, or to a
//! copy of before. Each begins with the time and ends with chance, and is higher than the one before. Who writes for a slot
//! holds its row (`FOR KEY SHARE`) until the commit, and who gives the slot to another waits for that: what is taken over is
//! all there was. Renewing waits for nobody.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::{PgRow, types::PgInterval};
use sqlx::{Connection, PgConnection, Row};
use thingcall_core::{Instance, Lease, LeaseError, Leases, Renewal, SlotState};
use tokio::time::timeout;
use tracing::warn;

use super::error::PostgresError;
use super::session::Session;
use crate::Config;

/// Held while an instance looks for a slot: that it would be alone with its embedded broker must stay so.
const LOCK: i64 = 0x0073_6c6f_7473;

/// Whether the lease of a row is somebody's.
macro_rules! held {
    () => {
        "(slots.holder IS NOT NULL AND slots.ends_at > clock_timestamp())"
    };
}
pub(super) use held;

/// A row as [`SlotState`] has it.
macro_rules! state {
    () => {
        concat!(
            "SELECT slot, generation, taken_over, CASE WHEN ",
            held!(),
            " THEN holder END AS holder, CASE WHEN ",
            held!(),
            " THEN (EXTRACT(EPOCH FROM LEAST(ends_at, clock_timestamp() + INTERVAL '1 day') - clock_timestamp()) \
             * 1000000)::BIGINT ELSE 0 END AS left_micros FROM slots"
        )
    };
}

/// The slots in which something is left to do: calls to be sent, and those that may be answered yet. What left at QoS 0 may be
/// lost, and what left at QoS 1 waits in a broker for a device that may never come: an hour and a day after they were accepted
/// their slots are held for them no more.
const WORK: &str = "SELECT slot FROM slots WHERE EXISTS (SELECT FROM calls WHERE calls.slot = slots.slot AND state < 3 \
                    AND (state = 0 OR accepted_at > EXTRACT(EPOCH FROM clock_timestamp()) * 1000 \
                    - CASE qos WHEN 0 THEN 3600000 ELSE 86400000 END)) OR EXISTS (SELECT FROM calls WHERE calls.slot = slots.slot AND due)";
/// How long that may take: a lease must not wait for a table that somebody locks.
const WORK_TIME: Duration = Duration::from_millis(500);

/// The leases in a PostgreSQL.
#[derive(Debug)]
pub struct PostgresLeases(Session);

impl PostgresLeases {
    /// Those of the store that is configured; `None` if it is a file, which one server has alone.
    ///
    /// # Errors
    /// If the configuration cannot be used.
    pub fn of(config: &Config) -> Result<Option<Arc<Self>>, PostgresError> {
        let Some(url) = &config.url else { return Ok(None) };
        Ok(Some(Arc::new(Self(Session::new(config, url, true)?))))
    }

    async fn run<T>(&self, work: impl Future<Output = Result<T, Stop>>) -> Result<T, LeaseError> {
        let done = self.0.run(async {
            match work.await {
                Ok(done) => Ok(Ok(done)),
                Err(Stop::Refused(why)) => Ok(Err(why)),
                Err(Stop::Failed(error)) => Err(error),
            }
        });
        done.await.map_err(LeaseError::Store)?
    }
}

/// Why a piece of work ended before its end.
enum Stop {
    Refused(LeaseError),
    Failed(sqlx::Error),
}

impl From<sqlx::Error> for Stop {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(error)
    }
}

/// Keeps instances from beginning as long as this session lasts; `false` if one is there already.
pub(crate) async fn keep_out(conn: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let ours: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)").bind(LOCK).fetch_one(&mut *conn).await?;
    let held = concat!("SELECT count(*) FROM slots WHERE ", held!());
    Ok(ours && sqlx::query_scalar::<_, i64>(held).fetch_one(conn).await? == 0)
}

#[async_trait]
impl Leases for PostgresLeases {
    async fn take(&self, me: &Instance, wanted: Option<u8>) -> Result<Lease, LeaseError> {
        let work = async {
            let mut conn = self.0.lend().await?;
            let mut tx = conn.begin().await?;
            sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut *tx).await?;
            let lease = loop {
                let slots = states(&mut tx).await?;
                alone(me, &slots).map_err(Stop::Refused)?;
                let (slot, seen) = free(&slots, wanted).ok_or(Stop::Refused(LeaseError::NoneFree))?;
                // Who takes over asks nobody, and may have been quicker.
                if let Some(lease) = give(&mut tx, me, Lease { slot, generation: seen }, false).await? {
                    break lease;
                }
            };
            tx.commit().await?;
            conn.keep();
            Ok(lease)
        };
        self.run(work).await
    }

    async fn renew(&self, me: &Instance, held: &[Lease]) -> Result<Renewal, LeaseError> {
        let work = async {
            let mut conn = self.0.lend().await?;
            let (slots, generations) = columns(held);
            let rows = sqlx::query(concat!(
                "UPDATE slots SET ends_at = clock_timestamp() + $3, holder = $4 FROM UNNEST($1::SMALLINT[], $2::BIGINT[]) AS \
                 mine (slot, generation) WHERE slots.slot = mine.slot AND slots.generation = mine.generation AND ",
                held!(),
                " RETURNING slots.slot, slots.generation"
            ))
            .bind(slots)
            .bind(generations)
            .bind(time())
            .bind(words(me))
            .fetch_all(&mut *conn)
            .await?;
            let mut renewed: Vec<Lease> = rows.iter().map(lease).collect::<Result<_, _>>()?;
            renewed.sort_unstable();
            let mut slots = states(&mut conn).await?;
            // The leases are renewed, whatever becomes of this; then what has work is not known: nothing is taken over, and
            // nothing is given back.
            match timeout(WORK_TIME, note_work(&mut conn, &mut slots)).await {
                Ok(Ok(())) => conn.keep(),
                Ok(Err(_)) | Err(_) => slots.iter_mut().for_each(|state| state.work = state.holder.is_some()),
            }
            slots.retain(is_used);
            Ok(Renewal { held: renewed, slots })
        };
        self.run(work).await
    }

    async fn take_over(&self, me: &Instance, slot: u8, seen: u64) -> Result<Option<Lease>, LeaseError> {
        let work = async {
            let mut conn = self.0.lend().await?;
            let lease = give(&mut conn, me, Lease { slot, generation: seen }, true).await?;
            conn.keep();
            Ok(lease)
        };
        self.run(work).await
    }

    async fn release(&self, held: &[Lease]) -> Result<(), LeaseError> {
        let work = async {
            let mut conn = self.0.lend().await?;
            let (slots, generations) = columns(held);
            sqlx::query(
                "UPDATE slots SET holder = NULL, taken_over = FALSE FROM UNNEST($1::SMALLINT[], $2::BIGINT[]) AS \
                 mine (slot, generation) WHERE slots.slot = mine.slot AND slots.generation = mine.generation",
            )
            .bind(slots)
            .bind(generations)
            .execute(&mut *conn)
            .await?;
            conn.keep();
            Ok(())
        };
        self.run(work).await
    }

    async fn all(&self) -> Result<Vec<SlotState>, LeaseError> {
        let work = async {
            let mut conn = self.0.lend().await?;
            let mut slots = states(&mut conn).await?;
            note_work(&mut conn, &mut slots).await?;
            conn.keep();
            slots.retain(is_used);
            Ok(slots)
        };
        self.run(work).await
    }
}

/// Gives a slot that nobody holds, and that was last seen with this generation. Waits for who writes for it yet.
async fn give(
    conn: &mut PgConnection,
    me: &Instance,
    seen: Lease,
    taken_over: bool,
) -> Result<Option<Lease>, sqlx::Error> {
    let row = sqlx::query(concat!(
        "WITH free AS (SELECT slot FROM slots WHERE slot = $1 AND generation = $2 AND NOT ",
        held!(),
        " FOR UPDATE) UPDATE slots SET generation = 1 + (random() * 1048575)::BIGINT + GREATEST(generation, \
         (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::BIGINT << 20), ends_at = clock_timestamp() + $3, holder = $4, \
         taken_over = $5 FROM free WHERE slots.slot = free.slot RETURNING slots.slot, slots.generation"
    ))
    .bind(i16::from(seen.slot))
    .bind(i64::try_from(seen.generation).unwrap_or(i64::MAX))
    .bind(time())
    .bind(words(me))
    .bind(taken_over)
    .fetch_optional(conn)
    .await?;
    row.as_ref().map(lease).transpose()
}

/// All slots, without what is left to do in them.
async fn states(conn: &mut PgConnection) -> Result<Vec<SlotState>, sqlx::Error> {
    let rows = sqlx::query(concat!(state!(), " ORDER BY slot")).fetch_all(conn).await?;
    rows.iter().map(state).collect()
}

/// Adds what is left to do in them.
async fn note_work(conn: &mut PgConnection, slots: &mut [SlotState]) -> Result<(), sqlx::Error> {
    let work: Vec<i16> = sqlx::query_scalar(WORK).fetch_all(conn).await?;
    slots.iter_mut().for_each(|state| state.work = work.contains(&i16::from(state.slot)));
    Ok(())
}

fn is_used(state: &SlotState) -> bool {
    state.holder.is_some() || state.work
}

/// Where an embedded broker would not be alone.
fn alone(me: &Instance, slots: &[SlotState]) -> Result<(), LeaseError> {
    let others = slots.iter().filter_map(|state| Some((state.slot, state.holder.as_ref()?)));
    for (slot, other) in others.filter(|(_, other)| other.run != me.run) {
        let name = other.name.clone();
        if me.embedded {
            return Err(LeaseError::EmbeddedHere { other: name, slot });
        }
        if other.embedded {
            return Err(LeaseError::EmbeddedThere { other: name, slot });
        }
    }
    Ok(())
}

/// The wanted slot if nobody holds it, or the lowest, and its generation.
fn free(slots: &[SlotState], wanted: Option<u8>) -> Option<(u8, u64)> {
    let free = slots.iter().filter(|state| state.holder.is_none());
    free.min_by_key(|state| (wanted != Some(state.slot), state.slot)).map(|state| (state.slot, state.generation))
}

fn state(row: &PgRow) -> Result<SlotState, sqlx::Error> {
    let Lease { slot, generation } = lease(row)?;
    let holder = row.try_get::<Option<&str>, _>("holder")?.map(|words| holder(slot, words));
    let taken_over = holder.is_some() && row.try_get("taken_over")?;
    let left = Duration::from_micros(u64::try_from(row.try_get::<i64, _>("left_micros")?).unwrap_or(0));
    Ok(SlotState { slot, generation, taken_over, left, work: false, holder })
}

/// Of one whose words cannot be read, a newer release's perhaps, it is known that it lives.
fn holder(slot: u8, words: &str) -> Instance {
    serde_json::from_str(words).unwrap_or_else(|error| {
        warn!(slot, %error, "what an instance says of itself cannot be read");
        let unknown = || "unknown".to_owned();
        Instance {
            name: unknown(),
            run: 0,
            api: unknown(),
            operator: unknown(),
            version: unknown(),
            since: thingcall_core::UnixMillis(0),
            calls: 0,
            embedded: false,
            plugins: Vec::new(),
            shares: String::new(),
            clients: Vec::new(),
        }
    })
}

fn lease(row: &PgRow) -> Result<Lease, sqlx::Error> {
    let (slot, generation): (i16, i64) = (row.try_get("slot")?, row.try_get("generation")?);
    Ok(Lease { slot: u8::try_from(slot).unwrap_or(u8::MAX), generation: u64::try_from(generation).unwrap_or(0) })
}

fn columns(held: &[Lease]) -> (Vec<i16>, Vec<i64>) {
    let both = |lease: &Lease| (i16::from(lease.slot), i64::try_from(lease.generation).unwrap_or(i64::MAX));
    held.iter().map(both).unzip()
}

/// An `Instance` has nothing that JSON cannot hold.
fn words(me: &Instance) -> String {
    serde_json::to_string(me).unwrap_or_default()
}

fn time() -> PgInterval {
    let microseconds = i64::try_from(Lease::TIME.as_micros()).unwrap_or(i64::MAX);
    PgInterval { months: 0, days: 0, microseconds }
}

#[cfg(test)]
mod tests;
