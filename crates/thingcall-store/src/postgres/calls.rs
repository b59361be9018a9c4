//! The records of asynchronous calls: the SQL that writes them. Each statement takes any number of rows, as a list for each
//! column, and so has one text; many rows go out in pieces, one statement each.
//!
//! **Invariants:** a record's state only grows, and a record that ended is changed no more, but for a late reply. What is
//! written twice, since nobody knew whether the first time succeeded, is there once.

use std::collections::HashMap;
use std::sync::Arc;

use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{PgConnection, Postgres, Row};
use thingcall_core::{
    CallId, Device, EndedCall, JournalEntry, Outcome, RecordState, ReplyBody, RequestId, TransportKind, UnixMillis,
};

use super::lists::{Lists, count, text};
use crate::calls::{self, CallKey, Called, Candidate, End, NotWritten, Progress};
use crate::columns::{self, Columns, rank, waiting};
use crate::{record_body, rows};

/// A statement and what is bound to it.
type Statement<'q> = Query<'q, Postgres, PgArguments>;

/// New records, except where an open call has their id. One that has ended has no such rule to run against, so it is looked
/// whether it was written before. The devices are held until the commit: who removes one ends its calls after that.
const INSERT: &str = "\
    WITH known AS (SELECT iot_id FROM devices WHERE iot_id = ANY($5) ORDER BY iot_id FOR KEY SHARE) \
    INSERT INTO calls (call_id, request_id, product, device, iot_id, module, service, params, raw, qos, state, accepted_at, \
    transport, sent_at, outcome, code, message, data, ended_at, key_id, action, times) \
    SELECT v.call_id, v.request_id, v.product, v.device, v.iot_id, v.module, v.service, v.params, v.raw, v.qos, v.state, \
    v.accepted_at, v.transport, v.sent_at, v.outcome, v.code, v.message, v.data, v.ended_at, v.key_id, \
    v.action, v.times \
    FROM UNNEST($1::BIGINT[], $2::TEXT[], $3::TEXT[], $4::TEXT[], $5::TEXT[], $6::TEXT[], $7::TEXT[], $8::TEXT[], \
    $9::BYTEA[], $10::SMALLINT[], $11::SMALLINT[], $12::BIGINT[], $13::TEXT[], $14::BIGINT[], $15::TEXT[], $16::BIGINT[], \
    $17::TEXT[], $18::TEXT[], $19::BIGINT[], $20::TEXT[], $21::TEXT[], $22::TEXT[]) WITH ORDINALITY AS v (call_id, request_id, product, device, iot_id, module, \
    service, params, raw, qos, state, accepted_at, transport, sent_at, outcome, code, message, data, ended_at, key_id, \
    action, times, place) \
    WHERE v.iot_id IN (SELECT iot_id FROM known) AND (v.state < 3 OR NOT EXISTS (SELECT 1 FROM calls AS c WHERE c.call_id = v.call_id AND c.product = v.product \
    AND c.device = v.device AND (c.state < 3 OR c.request_id = v.request_id))) \
    ORDER BY v.place ON CONFLICT DO NOTHING";

/// Of new records that are not all written: which are there, and whose device is.
const INSERTED: &str = "\
    SELECT EXISTS (SELECT 1 FROM calls AS c WHERE c.call_id = v.call_id AND c.product = v.product AND c.device = v.device \
    AND c.request_id = v.request_id) AS written, \
    EXISTS (SELECT 1 FROM devices AS d WHERE d.iot_id = v.iot_id) AS known \
    FROM UNNEST($1::BIGINT[], $2::TEXT[], $3::TEXT[], $4::TEXT[], $5::TEXT[]) WITH ORDINALITY \
    AS v (call_id, request_id, product, device, iot_id, place) ORDER BY v.place";

macro_rules! advancing {
    ($returning:literal) => {
        concat!(
            "UPDATE calls SET state = GREATEST(v.state, calls.state), \
             transport = COALESCE(v.transport, calls.transport), sent_at = COALESCE(calls.sent_at, v.sent_at), \
             acked_at = COALESCE(calls.acked_at, v.acked_at), outcome = v.outcome, code = v.code, message = v.message, \
             data = v.data, ended_at = v.ended_at \
             FROM UNNEST($1::TEXT[], $2::TEXT[], $3::BIGINT[], $4::SMALLINT[], $5::TEXT[], $6::BIGINT[], $7::BIGINT[], \
             $8::TEXT[], $9::BIGINT[], $10::TEXT[], $11::TEXT[], $12::BIGINT[]) AS v (product, device, call_id, state, \
             transport, sent_at, acked_at, outcome, code, message, data, ended_at) \
             WHERE calls.product = v.product AND calls.device = v.device AND calls.call_id = v.call_id AND calls.state < 3",
            $returning
        )
    };
}

/// Adds progress to open records.
const ADVANCE: &str = advancing!("");
/// The same, and says which there were.
const END: &str = advancing!(
    " RETURNING calls.seq, calls.product, calls.device, calls.call_id, calls.iot_id, calls.module, calls.service, calls.transport, \
     calls.accepted_at, calls.sent_at, calls.times"
);

/// What a new record takes without its texts: 22 columns, the last of which are a key's id, an action and times.
const NEW_BYTES: usize = 260;
/// What progress takes without its texts: 12 columns.
const PROGRESS_BYTES: usize = 110;

/// Writes new records. Those that were not written are returned.
pub(super) async fn insert(
    conn: &mut PgConnection,
    entries: &[&JournalEntry],
    now: UnixMillis,
) -> Result<HashMap<CallKey, NotWritten>, sqlx::Error> {
    let mut refused = HashMap::new();
    for piece in Lists(entries).pieces(|entry| bytes_new(entry)) {
        refused.extend(insert_piece(conn, piece, now).await?);
    }
    Ok(refused)
}

fn bytes_new(entry: &JournalEntry) -> usize {
    let delivery = &entry.delivery;
    let Device { key, iot_id, .. } = &*delivery.device;
    let service =
        delivery.service.service.as_str().len() + delivery.service.module.as_ref().map_or(0, |m| m.as_str().len());
    let called = service + delivery.params.as_str().len() + delivery.raw.as_ref().map_or(0, |raw| raw.len());
    let answer = entry.answer.as_ref().map_or(0, |body| body.data.len() + body.message.as_ref().map_or(0, |m| m.len()));
    let names = key.product.as_str().len() + key.name.as_str().len() + iot_id.as_str().len();
    NEW_BYTES + RequestId::TEXT_LEN + names + called + answer
}

async fn insert_piece(
    conn: &mut PgConnection,
    entries: &[&JournalEntry],
    now: UnixMillis,
) -> Result<HashMap<CallKey, NotWritten>, sqlx::Error> {
    let written = bind_new(sqlx::query(INSERT), entries, now).execute(&mut *conn).await?.rows_affected();
    if usize::try_from(written) == Ok(entries.len()) {
        return Ok(HashMap::new());
    }
    let found = bind_names(sqlx::query(INSERTED), entries).fetch_all(conn).await?;
    let mut refused = HashMap::new();
    for (entry, row) in entries.iter().zip(&found) {
        if !row.flag("written")? {
            let why = if row.flag("known")? { NotWritten::IdInUse } else { NotWritten::NoDevice };
            refused.insert(calls::key_of(entry), why);
        }
    }
    Ok(refused)
}

fn bind_names<'q>(statement: Statement<'q>, entries: &[&JournalEntry]) -> Statement<'q> {
    let all = Lists(entries);
    statement
        .bind(all.list(|entry| i64::from(entry.delivery.id.as_u32())))
        .bind(all.list(|entry| entry.request_id.to_string()))
        .bind(all.list(|entry| entry.delivery.device.key.product.to_string()))
        .bind(all.list(|entry| entry.delivery.device.key.name.to_string()))
        .bind(all.list(|entry| entry.delivery.device.iot_id.to_string()))
}

fn bind_new<'q>(statement: Statement<'q>, entries: &[&JournalEntry], now: UnixMillis) -> Statement<'q> {
    let all = Lists(entries);
    let state =
        |entry: &&JournalEntry| rank(if entry.answer.is_some() { RecordState::Ended } else { RecordState::Queued });
    let ends: Vec<Option<End<'_>>> = all.list(|entry| entry.answer.as_ref().map(|body| End::answered(body, now)));
    let ended = Lists(&ends);
    let statement = bind_names(statement, entries)
        .bind(all.list(|entry| entry.delivery.service.module.as_ref().map(ToString::to_string)))
        .bind(all.list(|entry| entry.delivery.service.service.to_string()))
        .bind(all.list(|entry| entry.delivery.params.as_str().to_owned()))
        .bind(all.list(|entry| entry.delivery.raw.as_deref().map(<[u8]>::to_vec)))
        .bind(all.list(|entry| i16::from(entry.delivery.qos.level())))
        .bind(all.list(state))
        .bind(all.list(|entry| entry.accepted_at.0))
        .bind(ended.list(|end| end.as_ref().map(|_| TransportKind::Plugin.as_str())))
        .bind(ended.list(|end| end.as_ref().map(|end| end.at.0)));
    bind_ends(statement, &ends)
        .bind(all.list(|entry| entry.key.as_ref().map(|key| key.id().to_owned())))
        .bind(all.list(|entry| (!entry.action.is_empty()).then_some(entry.action)))
        .bind(all.list(|entry| record_body::beside_text(&entry.times, entry.delivery.trace.as_deref())))
}

fn bind_ends<'q>(statement: Statement<'q>, ends: &[Option<End<'_>>]) -> Statement<'q> {
    let all = Lists(ends);
    statement
        .bind(all.list(|end| end.as_ref().map(|end| end.outcome.as_str())))
        .bind(all.list(|end| end.as_ref().and_then(|end| end.code)))
        .bind(all.list(|end| end.as_ref().and_then(|end| end.message.as_deref().map(text))))
        .bind(all.list(|end| end.as_ref().and_then(|end| end.data.map(text))))
        .bind(all.list(|end| end.as_ref().map(|end| end.at.0)))
}

/// Adds to open records what was noted about them; records that ended stay as they are.
pub(super) async fn advance(
    conn: &mut PgConnection,
    progress: &[(&CallKey, &Progress<'_>)],
) -> Result<(), sqlx::Error> {
    for piece in Lists(progress).pieces(bytes_of_progress) {
        bind_progress(sqlx::query(ADVANCE), piece).execute(&mut *conn).await?;
    }
    Ok(())
}

/// As `advance`; what the records that were open say of their calls.
pub(super) async fn end(
    conn: &mut PgConnection,
    ends: &[(&CallKey, &Progress<'_>)],
) -> Result<HashMap<CallKey, Called>, sqlx::Error> {
    let mut ended = HashMap::with_capacity(ends.len());
    for piece in Lists(ends).pieces(bytes_of_progress) {
        for row in bind_progress(sqlx::query(END), piece).fetch_all(&mut *conn).await? {
            ended.insert(columns::call_key(&row)?, rows::called(&row)?);
        }
    }
    Ok(ended)
}

fn bytes_of_progress(((device, _), progress): &(&CallKey, &Progress<'_>)) -> usize {
    let said = progress
        .end
        .as_ref()
        .map_or(0, |end| end.data.map_or(0, str::len) + end.message.as_ref().map_or(0, |message| message.len()));
    PROGRESS_BYTES + device.product.as_str().len() + device.name.as_str().len() + said
}

fn bind_progress<'q>(statement: Statement<'q>, progress: &[(&CallKey, &Progress<'_>)]) -> Statement<'q> {
    let all = Lists(progress);
    let statement = statement
        .bind(all.list(|((device, _), _)| device.product.to_string()))
        .bind(all.list(|((device, _), _)| device.name.to_string()))
        .bind(all.list(|((_, id), _)| i64::from(id.as_u32())))
        .bind(all.list(|(_, progress)| rank(progress.state())))
        .bind(all.list(|(_, progress)| progress.transport.map(TransportKind::as_str)))
        .bind(all.list(|(_, progress)| progress.sent_at.map(|at| at.0)))
        .bind(all.list(|(_, progress)| progress.acked_at.map(|at| at.0)));
    bind_ends(statement, &all.list(|(_, progress)| progress.end.clone()))
}

/// The calls with these ids, newest first.
pub(super) async fn candidates(
    conn: &mut PgConnection,
    ids: &[CallId],
) -> Result<HashMap<CallId, Vec<Candidate>>, sqlx::Error> {
    let ids: Vec<_> = ids.iter().map(|id| i64::from(id.as_u32())).collect();
    let rows = sqlx::query(
        "SELECT seq, call_id, product, device, iot_id, module, service, transport, outcome, code, ended_at, accepted_at, \
         sent_at, times FROM calls \
         WHERE call_id = ANY($1) ORDER BY seq DESC",
    );
    let mut found: HashMap<CallId, Vec<Candidate>> = HashMap::with_capacity(ids.len());
    for row in rows.bind(ids).fetch_all(conn).await? {
        found.entry(columns::call_id(&row)?).or_default().push(rows::candidate(&row)?);
    }
    Ok(found)
}

/// Keeps a reply that came too late, where none was kept yet.
pub(super) async fn attach(conn: &mut PgConnection, seq: i64, body: &ReplyBody) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE calls SET code = $1, data = $2 WHERE seq = $3 AND code IS NULL")
        .bind(body.code)
        .bind(text(&body.data))
        .bind(seq)
        .execute(conn)
        .await
        .map(drop)
}

/// Ends the open calls of devices that are gone, and tells which.
pub(super) async fn end_all(
    conn: &mut PgConnection,
    devices: &[Arc<Device>],
    at: UnixMillis,
) -> Result<Vec<EndedCall>, sqlx::Error> {
    let all = Lists(devices);
    let ended = sqlx::query(
        "UPDATE calls SET state = 3, outcome = $1, message = $2, ended_at = $3 \
         FROM UNNEST($4::TEXT[], $5::TEXT[], $6::TEXT[]) AS v (product, device, iot_id) \
         WHERE calls.product = v.product AND calls.device = v.device AND calls.iot_id = v.iot_id AND calls.state < 3 RETURNING calls.*",
    )
    .bind(Outcome::UnknownTarget.as_str())
    .bind("the device was removed")
    .bind(at.0)
    .bind(all.list(|device| device.key.product.to_string()))
    .bind(all.list(|device| device.key.name.to_string()))
    .bind(all.list(|device| device.iot_id.to_string()))
    .fetch_all(conn)
    .await?;
    ended.iter().map(rows::ended_call).collect()
}

/// Notes who brings the calls at these places on.
pub(super) async fn take_over(
    conn: &mut PgConnection,
    places: &[i64],
    by: &str,
    at: UnixMillis,
) -> Result<(), sqlx::Error> {
    let noted = sqlx::query("UPDATE calls SET taken_over_by = $1, taken_over_at = $2 WHERE seq = ANY($3)");
    noted.bind(by).bind(at.0).bind(places).execute(conn).await.map(drop)
}

/// Drops up to `wanted` of the oldest records that wait for no device, beginning after the record `after`. Those that another
/// instance writes or drops just now are left to it.
pub(super) async fn prune(conn: &mut PgConnection, after: i64, wanted: u64) -> Result<(u64, i64), sqlx::Error> {
    let row = sqlx::query(concat!(
        "WITH old AS (SELECT seq FROM calls WHERE seq > $1 AND NOT due AND NOT (",
        waiting!(),
        ") ORDER BY seq LIMIT $2 FOR UPDATE SKIP LOCKED), \
         gone AS (DELETE FROM calls USING old WHERE calls.seq = old.seq RETURNING calls.seq) \
         SELECT COUNT(*) AS dropped, MAX(seq) AS last FROM gone"
    ))
    .bind(after)
    .bind(i64::try_from(wanted).unwrap_or(i64::MAX))
    .fetch_one(conn)
    .await?;
    let dropped = count(row.try_get("dropped")?);
    // Fewer than asked for: the end is reached, and what waited on the way may have ended since.
    let next = if dropped < wanted { 0 } else { row.maybe_number("last")?.unwrap_or(0) };
    Ok((dropped, next))
}
