//! The log of messages: the SQL that reads it.

use std::ops::RangeInclusive;

use sqlx::SqlitePool;
use thingcall_core::{Message, ReaderName, Wanted};

use crate::columns::Columns;
use crate::message_rows as rows;
use crate::message_tables::{Dead, Limits, ReaderRow, cut};
use crate::wishes::Lines;

/// What is read of a message.
macro_rules! message {
    () => {
        "SELECT seq, id, kind, product, device, at, topic, body, \
         (SELECT trace FROM message_traces AS t WHERE t.seq = messages.seq) AS trace"
    };
}

/// Which messages at the places from ?1 to ?2 are wanted; ?3 to ?5 are [`lines`].
macro_rules! wanted {
    () => {
        "seq BETWEEN ?1 AND ?2 AND (product || ' ' || kind IN (SELECT value FROM json_each(?3)) \
         OR kind IN (SELECT value FROM json_each(?4)) AND product NOT IN (SELECT value FROM json_each(?5)))"
    };
}
pub(super) use wanted;

/// What [`wanted`] is asked with.
pub(super) fn lines(wanted: &Wanted) -> [String; 3] {
    let Lines { pairs, others, named } = Lines::of(wanted);
    // Texts can always be written.
    [pairs, others, named].map(|texts| serde_json::to_string(&texts).unwrap_or_default())
}

/// Every reader, by name.
pub(super) async fn readers(reads: &SqlitePool) -> Result<Vec<ReaderRow>, sqlx::Error> {
    let all = sqlx::query("SELECT name, wishes, position, lost FROM readers ORDER BY name").fetch_all(reads).await?;
    all.iter().map(rows::reader).collect()
}

/// Only their names.
pub(super) async fn reader_names(reads: &SqlitePool) -> Result<Vec<ReaderName>, sqlx::Error> {
    let names: Vec<String> = sqlx::query_scalar("SELECT name FROM readers ORDER BY name").fetch_all(reads).await?;
    Ok(names.into_iter().map(ReaderName).collect())
}

/// One of them.
pub(super) async fn reader(reads: &SqlitePool, name: &ReaderName) -> Result<Option<ReaderRow>, sqlx::Error> {
    let one = sqlx::query("SELECT name, wishes, position, lost FROM readers WHERE name = ?");
    one.bind(name.0.clone()).fetch_optional(reads).await?.as_ref().map(rows::reader).transpose()
}

/// The oldest messages at these places that are wanted.
pub(super) async fn messages(
    reads: &SqlitePool,
    places: &RangeInclusive<i64>,
    wish: &Wanted,
    max: usize,
) -> Result<Vec<Message>, sqlx::Error> {
    let [pairs, others, named] = lines(wish);
    let found = sqlx::query(concat!(message!(), " FROM messages WHERE ", wanted!(), " ORDER BY seq LIMIT ?6"));
    let found = found.bind(*places.start()).bind(*places.end()).bind(pairs).bind(others).bind(named);
    let max = i64::try_from(max).unwrap_or(i64::MAX);
    found.bind(max).fetch_all(reads).await?.iter().map(rows::message).collect()
}

/// Those at just these places.
pub(super) async fn messages_at(reads: &SqlitePool, places: &[i64]) -> Result<Vec<Message>, sqlx::Error> {
    let found = sqlx::query(concat!(
        message!(),
        " FROM messages \
         WHERE seq IN (SELECT value FROM json_each(?)) ORDER BY seq",
    ));
    let places = serde_json::to_string(places).unwrap_or_default();
    found.bind(places).fetch_all(reads).await?.iter().map(rows::message).collect()
}

/// How many at these places are wanted.
pub(super) async fn count(reads: &SqlitePool, places: &RangeInclusive<i64>, wish: &Wanted) -> Result<u64, sqlx::Error> {
    let [pairs, others, named] = lines(wish);
    let found = sqlx::query_scalar(concat!("SELECT COUNT(*) FROM messages WHERE ", wanted!()));
    let found = found.bind(*places.start()).bind(*places.end()).bind(pairs).bind(others).bind(named);
    found.fetch_one(reads).await.map(i64::cast_unsigned)
}

/// The oldest message's place and the newest's.
pub(super) async fn places(reads: &SqlitePool) -> Result<RangeInclusive<i64>, sqlx::Error> {
    let found =
        sqlx::query("SELECT last, COALESCE((SELECT MIN(seq) FROM messages), last + 1) AS first FROM message_log");
    let row = found.fetch_one(reads).await?;
    Ok(row.number("first")?..=row.number("last")?)
}

/// What all messages count together.
pub(super) async fn bytes(reads: &SqlitePool) -> Result<u64, sqlx::Error> {
    sqlx::query_scalar("SELECT bytes FROM message_log").fetch_one(reads).await.map(i64::cast_unsigned)
}

/// How many wait to be tried again, and how many are dead.
pub(super) async fn count_backlog(reads: &SqlitePool, reader: &ReaderName) -> Result<(u64, u64), sqlx::Error> {
    let found = "SELECT COUNT(*) AS there, COALESCE(SUM(dead), 0) AS dead FROM backlog WHERE reader = ?";
    let row = sqlx::query(found).bind(reader.0.clone()).fetch_one(reads).await?;
    let (there, dead) = (row.number("there")?.cast_unsigned(), row.number("dead")?.cast_unsigned());
    Ok((there - dead, dead))
}

/// How far the log is over its limits.
pub(super) async fn excess(reads: &SqlitePool, limits: &Limits, at_most: i64) -> Result<Option<i64>, sqlx::Error> {
    let found = "SELECT (SELECT MIN(seq) FROM messages) AS first, last, bytes FROM message_log";
    let row = sqlx::query(found).fetch_one(reads).await?;
    let Some(first) = row.maybe_number("first")? else { return Ok(None) };
    let young = "SELECT MIN(seq) AS seq FROM messages WHERE seq < ? AND at >= ?";
    let young = sqlx::query(young).bind(first + at_most).bind(limits.since.0).fetch_one(reads).await?;
    let young = young.maybe_number("seq")?;
    Ok(cut(limits, (first, row.number("last")?, row.number("bytes")?), young, at_most))
}

/// Dead letters, oldest first.
pub(super) async fn dead(
    reads: &SqlitePool,
    reader: &ReaderName,
    after: i64,
    max: usize,
) -> Result<Vec<Dead>, sqlx::Error> {
    let found = "SELECT seq, tries, why FROM backlog WHERE reader = ? AND dead AND seq > ? ORDER BY seq LIMIT ?";
    let found = sqlx::query(found).bind(reader.0.clone()).bind(after).bind(i64::try_from(max).unwrap_or(i64::MAX));
    found.fetch_all(reads).await?.iter().map(rows::dead).collect()
}
