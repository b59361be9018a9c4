//! The records of asynchronous calls: the SQL that writes them. What reads them for people is in `records`.
//!
//! **Invariant:** a record's state only grows, and a record that ended is changed no more, but for a late reply.

use std::collections::HashMap;
use std::sync::LazyLock;

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use thingcall_core::{CallId, Device, JournalEntry, Outcome, Qos, RecordState, ServiceId, TransportKind, UnixMillis};

use crate::many::{Many, Statement};
use crate::waiting::{CallKey, Waiting};
use crate::{records, rows};

/// Writes new records, except where an open call has their id.
static INSERT: LazyLock<Many> = LazyLock::new(|| {
    let before = "INSERT INTO calls (call_id, request_id, product, device, iot_id, module, service, params, raw, qos, \
                  state, accepted_at) SELECT * FROM (VALUES ";
    Many::new(before, 12, ") WHERE column1 IS NOT NULL ON CONFLICT DO NOTHING")
});
/// Adds progress to open records.
static ADVANCE: LazyLock<Many> = LazyLock::new(|| advancing(""));
/// The same, and says which there were.
static END: LazyLock<Many> =
    LazyLock::new(|| advancing(" RETURNING product, device, call_id, module, service, transport"));
static DELETE: LazyLock<Many> = LazyLock::new(|| Many::new("DELETE FROM calls WHERE seq IN (VALUES ", 1, ")"));

fn advancing(returning: &str) -> Many {
    let before = "WITH v (product, device, call_id, state, transport, sent_at, acked_at, outcome, code, message, data, \
                  ended_at) AS (VALUES ";
    let after = ") UPDATE calls SET \
                 state = CASE WHEN v.state > calls.state THEN v.state ELSE calls.state END, \
                 transport = COALESCE(v.transport, calls.transport), \
                 sent_at = COALESCE(calls.sent_at, v.sent_at), \
                 acked_at = COALESCE(calls.acked_at, v.acked_at), \
                 outcome = v.outcome, code = v.code, message = v.message, data = v.data, ended_at = v.ended_at, \
                 due = CASE WHEN v.state = 3 THEN (SELECT wanted FROM publishing) ELSE 0 END \
                 FROM v WHERE calls.product = v.product AND calls.device = v.device AND calls.call_id = v.call_id \
                 AND calls.state < 3";
    Many::new(before, 12, &[after, returning].concat())
}

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

/// What a record says of its call.
#[derive(Debug)]
pub(crate) struct Called {
    pub(crate) service: ServiceId,
    pub(crate) transport: Option<TransportKind>,
}

impl Progress {
    /// Adds what was noted later: the first time of each kind counts, and nothing after the end.
    pub(crate) fn join(&mut self, later: Self) {
        if self.end.is_some() {
            return;
        }
        self.transport = later.transport.or(self.transport);
        self.sent_at = self.sent_at.or(later.sent_at);
        self.acked_at = self.acked_at.or(later.acked_at);
        self.end = later.end;
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
    for (statement, entries) in INSERT.statements(entries, |statement, entry| bind_new(statement, entry)) {
        let done = statement.execute(&mut *conn).await?;
        if usize::try_from(done.rows_affected()) == Ok(entries.len()) {
            written.extend(entries.iter().map(|_| true));
        } else {
            let last = newest(conn, done.rows_affected()).await?;
            written.extend(entries.iter().map(|entry| last.contains(&key_of(entry))));
        }
    }
    Ok(written)
}

fn bind_new(statement: Statement, entry: &JournalEntry) -> Statement {
    let delivery = &entry.delivery;
    statement
        .bind(i64::from(delivery.id.as_u32()))
        .bind(entry.request_id.to_string())
        .bind(delivery.device.key.product.as_str())
        .bind(delivery.device.key.name.as_str())
        .bind(delivery.device.iot_id.as_str())
        .bind(delivery.service.module.as_ref().map(|module| module.as_str()))
        .bind(delivery.service.service.as_str())
        .bind(delivery.params.as_str())
        .bind(delivery.raw.as_deref())
        .bind(i64::from(delivery.qos.level()))
        .bind(rank(RecordState::Queued))
        .bind(entry.accepted_at.0)
}

/// The keys of the newest records: those just written, since the write lock is held.
async fn newest(conn: &mut SqliteConnection, count: u64) -> Result<Vec<CallKey>, sqlx::Error> {
    let rows = sqlx::query("SELECT product, device, call_id FROM calls ORDER BY seq DESC LIMIT ?")
        .bind(i64::try_from(count).unwrap_or(i64::MAX))
        .fetch_all(conn)
        .await?;
    rows.iter().map(key_in).collect()
}

/// The call a row is about.
fn key_in(row: &SqliteRow) -> Result<CallKey, sqlx::Error> {
    let device = rows::device_key(row.try_get("product")?, row.try_get("device")?)?;
    Ok((device, call_id(row.try_get("call_id")?)))
}

/// An id as rows hold it.
pub(crate) fn call_id(number: i64) -> CallId {
    CallId::from_u32(u32::try_from(number).unwrap_or(u32::MAX))
}

/// Adds to open records what was noted about them; records that ended stay as they are.
pub(crate) async fn advance(
    conn: &mut SqliteConnection,
    progress: &[(&CallKey, &Progress)],
) -> Result<(), sqlx::Error> {
    for (statement, _) in ADVANCE.statements(progress, |statement, (key, noted)| bind_progress(statement, key, noted)) {
        statement.execute(&mut *conn).await?;
    }
    Ok(())
}

/// As `advance`; what the records that were open say of their calls.
pub(crate) async fn end(
    conn: &mut SqliteConnection,
    ends: &[(&CallKey, &Progress)],
) -> Result<HashMap<CallKey, Called>, sqlx::Error> {
    let mut ended = HashMap::with_capacity(ends.len());
    for (statement, _) in END.statements(ends, |statement, (key, end)| bind_progress(statement, key, end)) {
        for row in statement.fetch_all(&mut *conn).await? {
            let called = Called { service: records::service(&row)?, transport: records::transport(&row)? };
            ended.insert(key_in(&row)?, called);
        }
    }
    Ok(ended)
}

fn bind_progress(statement: Statement, (device, id): &CallKey, progress: &Progress) -> Statement {
    let end = progress.end.as_ref();
    statement
        .bind(device.product.as_str())
        .bind(device.name.as_str())
        .bind(i64::from(id.as_u32()))
        .bind(rank(progress.state()))
        .bind(progress.transport.map(TransportKind::as_str))
        .bind(progress.sent_at.map(|at| at.0))
        .bind(progress.acked_at.map(|at| at.0))
        .bind(end.map(|end| end.outcome.as_str()))
        .bind(end.and_then(|end| end.code))
        .bind(end.and_then(|end| end.message.as_deref()))
        .bind(end.and_then(|end| end.data.as_deref()))
        .bind(end.map(|end| end.at.0))
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
    for (statement, _) in DELETE.statements(&seqs, |statement, seq| statement.bind(*seq)) {
        statement.execute(&mut *conn).await?;
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
        let (device, id) = key_in(&row)?;
        waiting.insert(device, id);
    }
    Ok(())
}

/// Whether a command is of the kind that waits for its device.
pub(crate) fn waits(entry: &JournalEntry) -> bool {
    entry.delivery.qos == Qos::AtLeastOnce
}
