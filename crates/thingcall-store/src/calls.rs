//! The records of asynchronous calls: the SQL that writes them. What reads them for people is in `records`.
//!
//! **Invariant:** a record's state only grows, and a record that ended is changed no more, but for a late reply.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use sqlx::SqliteConnection;
use thingcall_core::{
    Device, JournalEntry, Outcome, Qos, RecordState, ReplyBody, ServiceId, TransportKind, UnixMillis,
};

use crate::columns::{self, CallKey, rank};
use crate::many::{Many, Statement};
use crate::outbox::{waiting, waits};

/// Writes new records, except where an open call has their id.
static INSERT: LazyLock<Many> = LazyLock::new(|| {
    let before = "INSERT INTO calls (call_id, request_id, product, device, iot_id, module, service, params, raw, qos, \
                  state, accepted_at) SELECT * FROM (VALUES ";
    Many::new(before, 12, ") WHERE column1 IS NOT NULL ON CONFLICT DO NOTHING")
});
/// Writes records of calls that have ended, by the same rule.
static INSERT_ENDED: LazyLock<Many> = LazyLock::new(|| {
    let before = "INSERT INTO calls (call_id, request_id, product, device, iot_id, module, service, params, raw, qos, \
                  state, accepted_at, transport, sent_at, outcome, code, message, data, ended_at, due) \
                  SELECT v.*, (SELECT wanted FROM publishing) FROM (VALUES ";
    let after = ") AS v WHERE column1 IS NOT NULL AND NOT EXISTS (SELECT 1 FROM calls WHERE calls.product = v.column3 \
                 AND calls.device = v.column4 AND calls.call_id = v.column1 AND calls.state < 3)";
    Many::new(before, 19, after)
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
pub(crate) struct Progress<'a> {
    pub(crate) transport: Option<TransportKind>,
    pub(crate) sent_at: Option<UnixMillis>,
    pub(crate) acked_at: Option<UnixMillis>,
    pub(crate) end: Option<End<'a>>,
}

/// How a call ended.
#[derive(Debug, Clone)]
pub(crate) struct End<'a> {
    pub(crate) outcome: Outcome,
    pub(crate) at: UnixMillis,
    pub(crate) code: Option<i64>,
    pub(crate) message: Option<Cow<'a, str>>,
    pub(crate) data: Option<&'a str>,
}

/// What is noted of a call until it is written.
pub(crate) type Noted = Progress<'static>;

impl<'a> End<'a> {
    /// By an answer.
    pub(crate) fn answered(body: &'a ReplyBody, at: UnixMillis) -> Self {
        let message = body.message.as_deref().map(Cow::Borrowed);
        Self { outcome: body.outcome(), at, code: Some(body.code), message, data: Some(&body.data) }
    }
}

/// What a record says of its call.
#[derive(Debug)]
pub(crate) struct Called {
    pub(crate) service: ServiceId,
    pub(crate) transport: Option<TransportKind>,
}

impl Progress<'_> {
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

    /// Whether a command that waited does so no more.
    pub(crate) const fn leaves_outbox(&self) -> bool {
        !waits(Qos::AtLeastOnce, self.state(), self.transport)
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

/// Writes new records. Those that were not written, since an open call has their id, are returned.
pub(crate) async fn insert(
    conn: &mut SqliteConnection,
    entries: impl Iterator<Item = &JournalEntry>,
    now: UnixMillis,
) -> Result<HashSet<CallKey>, sqlx::Error> {
    let (ended, open): (Vec<_>, Vec<_>) = entries.partition(|entry| entry.answer.is_some());
    let mut refused = HashSet::new();
    for (statement, entries) in INSERT.statements(&open, |statement, entry| bind_new(statement, entry)) {
        let written = statement.execute(&mut *conn).await?.rows_affected();
        refused.extend(unwritten(conn, entries, written).await?);
    }
    let bind = |statement, entry: &&JournalEntry| bind_ended(bind_new(statement, entry), entry, now);
    for (statement, entries) in INSERT_ENDED.statements(&ended, bind) {
        let written = statement.execute(&mut *conn).await?.rows_affected();
        refused.extend(unwritten(conn, entries, written).await?);
    }
    Ok(refused)
}

/// Those of a statement's entries that are not among the so many it wrote.
async fn unwritten(
    conn: &mut SqliteConnection,
    entries: &[&JournalEntry],
    written: u64,
) -> Result<Vec<CallKey>, sqlx::Error> {
    if usize::try_from(written) == Ok(entries.len()) {
        return Ok(Vec::new());
    }
    let newest = newest(conn, written).await?;
    Ok(entries.iter().map(|entry| columns::key_of(entry)).filter(|key| !newest.contains(key)).collect())
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
        .bind(rank(if entry.answer.is_some() { RecordState::Ended } else { RecordState::Queued }))
        .bind(entry.accepted_at.0)
}

/// The rest of a record that a handler ended.
fn bind_ended(statement: Statement, entry: &JournalEntry, now: UnixMillis) -> Statement {
    let end = entry.answer.as_ref().map(|body| End::answered(body, now));
    bind_end(statement.bind(TransportKind::Plugin.as_str()).bind(now.0), end.as_ref())
}

/// The keys of the newest records: those just written, since the write lock is held.
async fn newest(conn: &mut SqliteConnection, count: u64) -> Result<Vec<CallKey>, sqlx::Error> {
    let rows = sqlx::query("SELECT product, device, call_id FROM calls ORDER BY seq DESC LIMIT ?")
        .bind(i64::try_from(count).unwrap_or(i64::MAX))
        .fetch_all(conn)
        .await?;
    rows.iter().map(columns::call_key).collect()
}

/// Adds to open records what was noted about them; records that ended stay as they are.
pub(crate) async fn advance(
    conn: &mut SqliteConnection,
    progress: &[(&CallKey, &Progress<'_>)],
) -> Result<(), sqlx::Error> {
    for (statement, _) in ADVANCE.statements(progress, |statement, (key, noted)| bind_progress(statement, key, noted)) {
        statement.execute(&mut *conn).await?;
    }
    Ok(())
}

/// As `advance`; what the records that were open say of their calls.
pub(crate) async fn end(
    conn: &mut SqliteConnection,
    ends: &[(&CallKey, &Progress<'_>)],
) -> Result<HashMap<CallKey, Called>, sqlx::Error> {
    let mut ended = HashMap::with_capacity(ends.len());
    for (statement, _) in END.statements(ends, |statement, (key, end)| bind_progress(statement, key, end)) {
        for row in statement.fetch_all(&mut *conn).await? {
            let called = Called { service: columns::service(&row)?, transport: columns::transport(&row)? };
            ended.insert(columns::call_key(&row)?, called);
        }
    }
    Ok(ended)
}

fn bind_progress(statement: Statement, (device, id): &CallKey, progress: &Progress<'_>) -> Statement {
    let statement = statement
        .bind(device.product.as_str())
        .bind(device.name.as_str())
        .bind(i64::from(id.as_u32()))
        .bind(rank(progress.state()))
        .bind(progress.transport.map(TransportKind::as_str))
        .bind(progress.sent_at.map(|at| at.0))
        .bind(progress.acked_at.map(|at| at.0));
    bind_end(statement, progress.end.as_ref())
}

fn bind_end(statement: Statement, end: Option<&End<'_>>) -> Statement {
    statement
        .bind(end.map(|end| end.outcome.as_str()))
        .bind(end.and_then(|end| end.code))
        .bind(end.and_then(|end| end.message.as_deref()))
        .bind(end.and_then(|end| end.data))
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
    let seqs: Vec<i64> = sqlx::query_scalar(concat!(
        "SELECT seq FROM calls WHERE seq > ? AND due = 0 AND NOT (",
        waiting!(),
        ") ORDER BY seq LIMIT ?"
    ))
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
