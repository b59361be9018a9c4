//! The records of asynchronous calls: the SQL that writes them. What reads them for people is in `records`.
//!
//! **Invariant:** a record's state only grows, and a record that ended is changed no more, but for a late reply.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use sqlx::SqliteConnection;
use thingcall_core::{
    CallId, Device, EndedCall, JournalEntry, Outcome, RecordState, ReplyBody, TransportKind, UnixMillis,
};

use super::many::{Many, Statement};
use crate::calls::{self, CallKey, Called, Candidate, End, NotWritten, Progress};
use crate::columns::{self, rank, waiting};
use crate::{record_body, rows};

/// Writes new records, except where an open call has their id.
static INSERT: LazyLock<Many> = LazyLock::new(|| {
    let before = "INSERT INTO calls (call_id, request_id, product, device, iot_id, module, service, params, raw, qos, \
                  state, accepted_at, key_id, action, times) SELECT * FROM (VALUES ";
    let after = ") WHERE column1 IS NOT NULL AND EXISTS (SELECT 1 FROM devices WHERE devices.iot_id = column5) \
                 ON CONFLICT DO NOTHING";
    Many::new(before, 15, after)
});
/// Writes records of calls that have ended, by the same rule.
static INSERT_ENDED: LazyLock<Many> = LazyLock::new(|| {
    let before = "INSERT INTO calls (call_id, request_id, product, device, iot_id, module, service, params, raw, qos, \
                  state, accepted_at, key_id, action, times, transport, sent_at, outcome, code, message, data, ended_at) \
                  SELECT v.* FROM (VALUES ";
    let after = ") AS v WHERE column1 IS NOT NULL AND NOT EXISTS (SELECT 1 FROM calls WHERE calls.product = v.column3 \
                 AND calls.device = v.column4 AND calls.call_id = v.column1 AND calls.state < 3) \
                 AND EXISTS (SELECT 1 FROM devices WHERE devices.iot_id = v.column5)";
    Many::new(before, 22, after)
});
/// Adds progress to open records.
static ADVANCE: LazyLock<Many> = LazyLock::new(|| advancing(""));
/// The same, and says which there were.
static END: LazyLock<Many> = LazyLock::new(|| {
    advancing(
        " RETURNING seq, product, device, call_id, iot_id, module, service, transport, accepted_at, sent_at, times",
    )
});
static DELETE: LazyLock<Many> = LazyLock::new(|| Many::new("DELETE FROM calls WHERE seq IN (VALUES ", 1, ")"));

static CANDIDATES: LazyLock<Many> = LazyLock::new(|| {
    let before = "SELECT seq, call_id, product, device, iot_id, module, service, transport, outcome, code, ended_at, accepted_at, sent_at, \
                  times FROM calls \
                  WHERE call_id IN (VALUES ";
    Many::new(before, 1, ") ORDER BY seq DESC")
});

static TAKE_OVER: LazyLock<Many> = LazyLock::new(|| {
    let after = ") UPDATE calls SET taken_over_by = v.name, taken_over_at = v.at FROM v WHERE calls.seq = v.seq";
    Many::new("WITH v (seq, name, at) AS (VALUES ", 3, after)
});

fn advancing(returning: &str) -> Many {
    let before = "WITH v (product, device, call_id, state, transport, sent_at, acked_at, outcome, code, message, data, \
                  ended_at) AS (VALUES ";
    let after = ") UPDATE calls SET \
                 state = CASE WHEN v.state > calls.state THEN v.state ELSE calls.state END, \
                 transport = COALESCE(v.transport, calls.transport), \
                 sent_at = COALESCE(calls.sent_at, v.sent_at), \
                 acked_at = COALESCE(calls.acked_at, v.acked_at), \
                 outcome = v.outcome, code = v.code, message = v.message, data = v.data, ended_at = v.ended_at \
                 FROM v WHERE calls.product = v.product AND calls.device = v.device AND calls.call_id = v.call_id \
                 AND calls.state < 3";
    Many::new(before, 12, &[after, returning].concat())
}

/// Writes new records. Those that were not written are returned.
pub(crate) async fn insert(
    conn: &mut SqliteConnection,
    entries: &[&JournalEntry],
    now: UnixMillis,
) -> Result<HashMap<CallKey, NotWritten>, sqlx::Error> {
    let (ended, open): (Vec<&JournalEntry>, Vec<_>) = entries.iter().partition(|entry| entry.answer.is_some());
    let mut refused = HashMap::new();
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

/// Those of a statement's entries that are not among the so many it wrote, and why.
async fn unwritten(
    conn: &mut SqliteConnection,
    entries: &[&JournalEntry],
    written: u64,
) -> Result<Vec<(CallKey, NotWritten)>, sqlx::Error> {
    if usize::try_from(written) == Ok(entries.len()) {
        return Ok(Vec::new());
    }
    let newest = newest(conn, written).await?;
    let mut refused = Vec::new();
    for entry in entries {
        let key = calls::key_of(entry);
        if !newest.contains(&key) {
            let iot_id = entry.delivery.device.iot_id.as_str();
            let known = sqlx::query("SELECT 1 FROM devices WHERE iot_id = ?").bind(iot_id).fetch_optional(&mut *conn);
            let why = if known.await?.is_some() { NotWritten::IdInUse } else { NotWritten::NoDevice };
            refused.push((key, why));
        }
    }
    Ok(refused)
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
        .bind(i64::from(rank(if entry.answer.is_some() { RecordState::Ended } else { RecordState::Queued })))
        .bind(entry.accepted_at.0)
        .bind(entry.key.as_ref().map(|key| key.id().to_owned()))
        .bind((!entry.action.is_empty()).then_some(entry.action))
        .bind(record_body::beside_text(&entry.times, entry.delivery.trace.as_deref()))
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
            ended.insert(columns::call_key(&row)?, rows::called(&row)?);
        }
    }
    Ok(ended)
}

fn bind_progress(statement: Statement, (device, id): &CallKey, progress: &Progress<'_>) -> Statement {
    let statement = statement
        .bind(device.product.as_str())
        .bind(device.name.as_str())
        .bind(i64::from(id.as_u32()))
        .bind(i64::from(rank(progress.state())))
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

/// Ends the open calls of devices that are gone, and tells which.
pub(crate) async fn end_all(
    conn: &mut SqliteConnection,
    devices: &[Arc<Device>],
    at: UnixMillis,
) -> Result<Vec<EndedCall>, sqlx::Error> {
    let mut ended = Vec::new();
    for device in devices {
        ended.extend(end_all_of(conn, device, at).await?);
    }
    Ok(ended)
}

async fn end_all_of(
    conn: &mut SqliteConnection,
    device: &Device,
    at: UnixMillis,
) -> Result<Vec<EndedCall>, sqlx::Error> {
    let ended = sqlx::query(
        "UPDATE calls SET state = 3, outcome = ?, message = ?, ended_at = ? \
         WHERE product = ? AND device = ? AND iot_id = ? AND state < 3 RETURNING *",
    )
    .bind(Outcome::UnknownTarget.as_str())
    .bind("the device was removed")
    .bind(at.0)
    .bind(device.key.product.as_str())
    .bind(device.key.name.as_str())
    .bind(device.iot_id.as_str())
    .fetch_all(conn)
    .await?;
    ended.iter().map(rows::ended_call).collect()
}

/// Notes who brings the calls at these places on.
pub(crate) async fn take_over(
    conn: &mut SqliteConnection,
    places: &[i64],
    by: &str,
    at: UnixMillis,
) -> Result<(), sqlx::Error> {
    let by = by.to_owned();
    let row = |statement: Statement, place: &i64| statement.bind(*place).bind(by.clone()).bind(at.0);
    for (statement, _) in TAKE_OVER.statements(places, row) {
        statement.execute(&mut *conn).await?;
    }
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

/// Keeps a reply that came too late, where none was kept yet.
pub(crate) async fn attach(conn: &mut SqliteConnection, seq: i64, body: &ReplyBody) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE calls SET code = ?, data = ? WHERE seq = ? AND code IS NULL")
        .bind(body.code)
        .bind(&body.data)
        .bind(seq)
        .execute(conn)
        .await?;
    Ok(())
}

/// The calls with these ids, newest first.
pub(crate) async fn candidates(
    conn: &mut SqliteConnection,
    ids: &[CallId],
) -> Result<HashMap<CallId, Vec<Candidate>>, sqlx::Error> {
    let mut found: HashMap<CallId, Vec<Candidate>> = HashMap::with_capacity(ids.len());
    for (statement, _) in CANDIDATES.statements(ids, |statement, id| statement.bind(i64::from(id.as_u32()))) {
        for row in statement.fetch_all(&mut *conn).await? {
            found.entry(columns::call_id(&row)?).or_default().push(rows::candidate(&row)?);
        }
    }
    Ok(found)
}
