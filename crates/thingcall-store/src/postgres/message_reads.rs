//! The log of messages: the SQL that reads it.

use std::ops::RangeInclusive;

use sqlx::PgPool;
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

/// Which messages at the places from $1 to $2 are wanted; $3 to $5 are [`Lines`].
macro_rules! wanted {
    () => {
        "seq BETWEEN $1 AND $2 AND (product || ' ' || kind = ANY($3::TEXT[]) \
         OR kind = ANY($4::TEXT[]) AND product <> ALL($5::TEXT[]))"
    };
}
pub(super) use wanted;

/// Every reader, by name.
pub(super) async fn readers(reads: &PgPool) -> Result<Vec<ReaderRow>, sqlx::Error> {
    let all = sqlx::query("SELECT name, wishes, position, lost FROM readers ORDER BY name").fetch_all(reads).await?;
    all.iter().map(rows::reader).collect()
}

/// Only their names.
pub(super) async fn reader_names(reads: &PgPool) -> Result<Vec<ReaderName>, sqlx::Error> {
    let names: Vec<String> = sqlx::query_scalar("SELECT name FROM readers ORDER BY name").fetch_all(reads).await?;
    Ok(names.into_iter().map(ReaderName).collect())
}

/// One of them.
pub(super) async fn reader(reads: &PgPool, name: &ReaderName) -> Result<Option<ReaderRow>, sqlx::Error> {
    let one = sqlx::query("SELECT name, wishes, position, lost FROM readers WHERE name = $1");
    one.bind(&name.0).fetch_optional(reads).await?.as_ref().map(rows::reader).transpose()
}

/// The oldest messages at these places that are wanted.
pub(super) async fn messages(
    reads: &PgPool,
    places: &RangeInclusive<i64>,
    wish: &Wanted,
    max: usize,
) -> Result<Vec<Message>, sqlx::Error> {
    let Lines { pairs, others, named } = Lines::of(wish);
    let found = sqlx::query(concat!(message!(), " FROM messages WHERE ", wanted!(), " ORDER BY seq LIMIT $6"));
    let found = found.bind(*places.start()).bind(*places.end()).bind(pairs).bind(others).bind(named);
    let max = i64::try_from(max).unwrap_or(i64::MAX);
    found.bind(max).fetch_all(reads).await?.iter().map(rows::message).collect()
}

/// Those at just these places.
pub(super) async fn messages_at(reads: &PgPool, places: &[i64]) -> Result<Vec<Message>, sqlx::Error> {
    let found = sqlx::query(concat!(message!(), " FROM messages WHERE seq = ANY($1) ORDER BY seq",));
    found.bind(places.to_vec()).fetch_all(reads).await?.iter().map(rows::message).collect()
}

/// How many at these places are wanted.
pub(super) async fn count(reads: &PgPool, places: &RangeInclusive<i64>, wish: &Wanted) -> Result<u64, sqlx::Error> {
    let Lines { pairs, others, named } = Lines::of(wish);
    let found = sqlx::query_scalar(concat!("SELECT COUNT(*) FROM messages WHERE ", wanted!()));
    let found = found.bind(*places.start()).bind(*places.end()).bind(pairs).bind(others).bind(named);
    found.fetch_one(reads).await.map(i64::cast_unsigned)
}

/// The oldest message's place and the newest's.
pub(super) async fn places(reads: &PgPool) -> Result<RangeInclusive<i64>, sqlx::Error> {
    let found =
        sqlx::query("SELECT last, COALESCE((SELECT MIN(seq) FROM messages), last + 1) AS first FROM message_log");
    let row = found.fetch_one(reads).await?;
    Ok(row.number("first")?..=row.number("last")?)
}

/// What all messages count together.
pub(super) async fn bytes(reads: &PgPool) -> Result<u64, sqlx::Error> {
    sqlx::query_scalar("SELECT bytes FROM message_log").fetch_one(reads).await.map(i64::cast_unsigned)
}

/// How many wait to be tried again, and how many are dead.
pub(super) async fn count_backlog(reads: &PgPool, reader: &ReaderName) -> Result<(u64, u64), sqlx::Error> {
    let found = "SELECT COUNT(*) FILTER (WHERE NOT dead) AS again, COUNT(*) FILTER (WHERE dead) AS dead FROM backlog \
                 WHERE reader = $1";
    let row = sqlx::query(found).bind(&reader.0).fetch_one(reads).await?;
    Ok((row.number("again")?.cast_unsigned(), row.number("dead")?.cast_unsigned()))
}

/// How far the log is over its limits.
pub(super) async fn excess(reads: &PgPool, limits: &Limits, at_most: i64) -> Result<Option<i64>, sqlx::Error> {
    let found = "SELECT (SELECT MIN(seq) FROM messages) AS first, last, bytes FROM message_log";
    let row = sqlx::query(found).fetch_one(reads).await?;
    let Some(first) = row.maybe_number("first")? else { return Ok(None) };
    let young = "SELECT MIN(seq) AS seq FROM messages WHERE seq < $1 AND at >= $2";
    let young = sqlx::query(young).bind(first + at_most).bind(limits.since.0).fetch_one(reads).await?;
    let young = young.maybe_number("seq")?;
    Ok(cut(limits, (first, row.number("last")?, row.number("bytes")?), young, at_most))
}

/// Dead letters, oldest first.
pub(super) async fn dead(
    reads: &PgPool,
    reader: &ReaderName,
    after: i64,
    max: usize,
) -> Result<Vec<Dead>, sqlx::Error> {
    let found = "SELECT seq, tries, why FROM backlog WHERE reader = $1 AND dead AND seq > $2 ORDER BY seq LIMIT $3";
    let found = sqlx::query(found).bind(&reader.0).bind(after).bind(i64::try_from(max).unwrap_or(i64::MAX));
    found.fetch_all(reads).await?.iter().map(rows::dead).collect()
}
