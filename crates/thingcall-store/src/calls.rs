//! The records of asynchronous calls: the SQL that writes them. What reads them for people is in `records`.
//!
//! **Invariant:** a record's state only grows, and a record that ended is changed no more, but for a late reply.

use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection};
use thingcall_core::{CallId, Device, JournalEntry, Outcome, Qos, RecordState, TransportKind, UnixMillis};

use crate::rows;
use crate::waiting::{CallKey, Waiting};

/// Rows of one statement.
const ROWS_MAX: usize = 100;

/// How far a call came, to be added to its record.
#[derive(Debug, Clone, Default)]
pub(crate) struct Progress {
    pub(crate) transport: Option<TransportKind>,
    pub(crate) sent_at: Option<UnixMillis>,
    pub(crate) acked_at: Option<UnixMillis>,
    pub(crate) end: Option<End>,
}

/// How a call ended.
#[derive(Debug, Clone)]
pub(crate) struct End {
    pub(crate) outcome: Outcome,
    pub(crate) at: UnixMillis,
    pub(crate) code: Option<i64>,
    pub(crate) message: Option<String>,
    pub(crate) data: Option<String>,
}

impl Progress {
    /// Adds what was noted later: the first time of each kind counts, and the first end.
    pub(crate) fn join(&mut self, later: Self) {
        self.transport = later.transport.or(self.transport);
        self.sent_at = self.sent_at.or(later.sent_at);
        self.acked_at = self.acked_at.or(later.acked_at);
        self.end = self.end.take().or(later.end);
    }

    /// Whether the command waits no more, see [`Waiting`].
    pub(crate) fn leaves_outbox(&self) -> bool {
        self.end.is_some()
            || self.acked_at.is_some()
            || self.transport.is_some_and(|transport| transport != TransportKind::Embedded)
    }

    const fn state(&self) -> RecordState {
        match self {
            Self { end: Some(_), .. } => RecordState::Ended,
            Self { acked_at: Some(_), .. } => RecordState::Acked,
            Self { sent_at: Some(_), .. } => RecordState::Sent,
            _ => RecordState::Queued,
        }
    }
}

/// A state as rows hold it.
const fn rank(state: RecordState) -> i64 {
    match state {
        RecordState::Queued => 0,
        RecordState::Sent => 1,
        RecordState::Acked => 2,
        RecordState::Ended => 3,
    }
}

/// The state of a row; one that is unknown is an open call's.
pub(crate) const fn state_of(rank: i64) -> RecordState {
    match rank {
        0 => RecordState::Queued,
        1 => RecordState::Sent,
        2 => RecordState::Acked,
        _ => RecordState::Ended,
    }
}

/// The key of an entry's record.
pub(crate) fn key_of(entry: &JournalEntry) -> CallKey {
    (entry.delivery.device.key.clone(), entry.delivery.id)
}

/// Writes new records; says of each whether it was written, which it is not if an open call has its id.
pub(crate) async fn insert(conn: &mut SqliteConnection, entries: &[&JournalEntry]) -> Result<Vec<bool>, sqlx::Error> {
    let mut written = Vec::with_capacity(entries.len());
    for entries in entries.chunks(ROWS_MAX) {
        let mut sql = QueryBuilder::<Sqlite>::new(
            "INSERT INTO calls (call_id, request_id, product, device, iot_id, module, service, params, raw, qos, \
             state, accepted_at) ",
        );
        sql.push_values(entries, |mut row, entry| {
            let delivery = &entry.delivery;
            row.push_bind(i64::from(delivery.id.as_u32()))
                .push_bind(entry.request_id.to_string())
                .push_bind(delivery.device.key.product.as_str())
                .push_bind(delivery.device.key.name.as_str())
                .push_bind(delivery.device.iot_id.as_str())
                .push_bind(delivery.service.module.as_ref().map(|module| module.as_str()))
                .push_bind(delivery.service.service.as_str())
                .push_bind(delivery.params.as_str())
                .push_bind(delivery.raw.as_deref())
                .push_bind(i64::from(delivery.qos.level()))
                .push_bind(rank(RecordState::Queued))
                .push_bind(entry.accepted_at.0);
        });
        sql.push(" ON CONFLICT DO NOTHING");
        let done = sql.build().persistent(false).execute(&mut *conn).await?;
        if usize::try_from(done.rows_affected()) == Ok(entries.len()) {
            written.extend(entries.iter().map(|_| true));
        } else {
            let last = newest(conn, done.rows_affected()).await?;
            written.extend(entries.iter().map(|entry| last.contains(&key_of(entry))));
        }
    }
    Ok(written)
}

/// The keys of the newest records: those just written, since the write lock is held.
async fn newest(conn: &mut SqliteConnection, count: u64) -> Result<Vec<CallKey>, sqlx::Error> {
    let rows = sqlx::query("SELECT product, device, call_id FROM calls ORDER BY seq DESC LIMIT ?")
        .bind(i64::try_from(count).unwrap_or(i64::MAX))
        .fetch_all(conn)
        .await?;
    rows.iter()
        .map(|row| {
            let device = rows::device_key(row.try_get("product")?, row.try_get("device")?)?;
            Ok((device, call_id(row.try_get("call_id")?)))
        })
        .collect()
}

/// An id as rows hold it.
pub(crate) fn call_id(number: i64) -> CallId {
    CallId::from_u32(u32::try_from(number).unwrap_or(u32::MAX))
}

/// Adds to open records what was noted about them; records that ended stay as they are.
pub(crate) async fn advance<'a>(
    conn: &mut SqliteConnection,
    progress: impl Iterator<Item = (&'a CallKey, &'a Progress)>,
) -> Result<(), sqlx::Error> {
    let progress: Vec<_> = progress.collect();
    for rows in progress.chunks(ROWS_MAX) {
        let mut sql = QueryBuilder::<Sqlite>::new(
            "WITH v (product, device, call_id, state, transport, sent_at, acked_at, outcome, code, message, data, \
             ended_at) AS (",
        );
        sql.push_values(rows, |mut row, ((device, id), progress)| {
            let end = progress.end.as_ref();
            row.push_bind(device.product.as_str())
                .push_bind(device.name.as_str())
                .push_bind(i64::from(id.as_u32()))
                .push_bind(rank(progress.state()))
                .push_bind(progress.transport.map(TransportKind::as_str))
                .push_bind(progress.sent_at.map(|at| at.0))
                .push_bind(progress.acked_at.map(|at| at.0))
                .push_bind(end.map(|end| end.outcome.as_str()))
                .push_bind(end.and_then(|end| end.code))
                .push_bind(end.and_then(|end| end.message.as_deref()))
                .push_bind(end.and_then(|end| end.data.as_deref()))
                .push_bind(end.map(|end| end.at.0));
        });
        sql.push(
            ") UPDATE calls SET \
             state = CASE WHEN v.state > calls.state THEN v.state ELSE calls.state END, \
             transport = COALESCE(v.transport, calls.transport), \
             sent_at = COALESCE(calls.sent_at, v.sent_at), \
             acked_at = COALESCE(calls.acked_at, v.acked_at), \
             outcome = v.outcome, code = v.code, message = v.message, data = v.data, ended_at = v.ended_at, \
             due = CASE WHEN v.state = 3 THEN (SELECT wanted FROM publishing) ELSE 0 END \
             FROM v WHERE calls.product = v.product AND calls.device = v.device AND calls.call_id = v.call_id \
             AND calls.state < 3",
        );
        sql.build().persistent(false).execute(&mut *conn).await?;
    }
    Ok(())
}

/// Ends the open calls of a device that is gone.
pub(crate) async fn end_all(conn: &mut SqliteConnection, device: &Device, at: UnixMillis) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE calls SET state = 3, outcome = ?, message = ?, ended_at = ?, due = (SELECT wanted FROM publishing) \
         WHERE product = ? AND device = ? AND iot_id = ? AND state < 3",
    )
    .bind(Outcome::UnknownTarget.as_str())
    .bind("the device was removed")
    .bind(at.0)
    .bind(device.key.product.as_str())
    .bind(device.key.name.as_str())
    .bind(device.iot_id.as_str())
    .execute(conn)
    .await?;
    Ok(())
}

/// Drops up to `count` of the oldest records that wait for no device, beginning after the record `after`. Returns how
/// many were dropped and where to begin next.
pub(crate) async fn prune(conn: &mut SqliteConnection, after: i64, count: u64) -> Result<(u64, i64), sqlx::Error> {
    let seqs: Vec<i64> = sqlx::query_scalar(
        "SELECT seq FROM calls WHERE seq > ? AND due = 0 \
         AND NOT (qos = 1 AND state < 2 AND COALESCE(transport, 'embedded') = 'embedded') ORDER BY seq LIMIT ?",
    )
    .bind(after)
    .bind(i64::try_from(count).unwrap_or(i64::MAX))
    .fetch_all(&mut *conn)
    .await?;
    for seqs in seqs.chunks(ROWS_MAX) {
        let mut sql = QueryBuilder::<Sqlite>::new("DELETE FROM calls WHERE seq IN ");
        sql.push_tuples(seqs, |mut row, seq| {
            row.push_bind(*seq);
        });
        sql.build().persistent(false).execute(&mut *conn).await?;
    }
    let dropped = u64::try_from(seqs.len()).unwrap_or(u64::MAX);
    // Fewer than asked for: the end is reached, and what waited on the way may have ended since.
    let next = if dropped < count { 0 } else { seqs.last().copied().unwrap_or(0) };
    Ok((dropped, next))
}

/// How many records there are.
pub(crate) async fn count(conn: &mut SqliteConnection) -> Result<u64, sqlx::Error> {
    let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM calls").fetch_one(conn).await?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Fills the outbox's size from the file.
pub(crate) async fn load_waiting(conn: &mut SqliteConnection, waiting: &mut Waiting) -> Result<(), sqlx::Error> {
    let rows = sqlx::query(
        "SELECT product, device, call_id FROM calls \
         WHERE qos = 1 AND state < 2 AND COALESCE(transport, 'embedded') = 'embedded'",
    );
    for row in rows.fetch_all(conn).await? {
        let device = rows::device_key(row.try_get("product")?, row.try_get("device")?)?;
        waiting.insert(device, call_id(row.try_get("call_id")?));
    }
    Ok(())
}

/// Whether a command is of the kind that waits for its device.
pub(crate) fn waits(entry: &JournalEntry) -> bool {
    entry.delivery.qos == Qos::AtLeastOnce
}
