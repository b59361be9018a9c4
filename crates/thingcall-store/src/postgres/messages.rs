//! The log of messages: the SQL that writes it. What reads it is in `message_reads`.

use std::collections::HashSet;
use std::ops::RangeInclusive;

use sqlx::{PgConnection, Row};
use thingcall_core::{GivenBack, Lease, MessageId, NewMessage, ReaderName, TraceContext, UnixMillis, Wanted};

use super::leases::held;
use super::lists::{Lists, text};
use super::message_reads::wanted;
use crate::columns::Columns;
use crate::message_rows as rows;
use crate::message_tables::{Again, ClaimRow, ClaimSeen, InHand, MESSAGE_BYTES, Part, bytes_of};
use crate::wishes::{Lines, Wishes};

/// On which it is told that there are messages, and the newest's place.
pub(super) const CHANNEL: &str = "thingcall_messages";

/// Writes messages down in this order, and tells the newest's place. The one row of `message_log` is ours from here to the
/// commit, so places are in the order of the commits.
pub(super) async fn append(
    conn: &mut PgConnection,
    new: &[(MessageId, NewMessage)],
    behind: Option<i64>,
) -> Result<i64, sqlx::Error> {
    let last: i64 = sqlx::query_scalar("SELECT last FROM message_log FOR UPDATE").fetch_one(&mut *conn).await?;
    let there = match behind {
        Some(behind) => written(conn, new, behind).await?,
        None => HashSet::new(),
    };
    let new: Vec<_> = new.iter().filter(|(id, _)| !there.contains(id)).cloned().collect();
    let all = Lists(&new);
    let insert = sqlx::query(
        "INSERT INTO messages (seq, id, kind, product, device, at, topic, body) \
         SELECT $1 + v.place, v.id, v.kind, v.product, v.device, v.at, v.topic, v.body \
         FROM UNNEST($2::BIGINT[], $3::TEXT[], $4::TEXT[], $5::TEXT[], $6::BIGINT[], $7::TEXT[], $8::BYTEA[]) \
         WITH ORDINALITY AS v (id, kind, product, device, at, topic, body, place)",
    );
    insert
        .bind(last)
        .bind(all.list(|(id, _)| id.0.cast_signed()))
        .bind(all.list(|(_, new)| new.kind.as_str()))
        .bind(all.list(|(_, new)| new.device.product.to_string()))
        .bind(all.list(|(_, new)| new.device.name.to_string()))
        .bind(all.list(|(_, new)| new.at.0))
        .bind(all.list(|(_, new)| text(&new.words.topic)))
        .bind(all.list(|(_, new)| new.words.body.to_vec()))
        .execute(&mut *conn)
        .await?;
    if new.iter().any(|(_, new)| new.words.trace.is_some()) {
        let insert = "INSERT INTO message_traces (seq, trace) SELECT $1 + v.place, v.trace \
                      FROM UNNEST($2::TEXT[]) WITH ORDINALITY AS v (trace, place) WHERE v.trace IS NOT NULL";
        let traces = all.list(|(_, new)| new.words.trace.as_ref().map(TraceContext::to_text));
        sqlx::query(insert).bind(last).bind(traces).execute(&mut *conn).await?;
    }
    let counted = sqlx::query_scalar("UPDATE message_log SET last = last + $1, bytes = bytes + $2 RETURNING last");
    let last = counted.bind(count(new.len())).bind(bytes_of(&new)).fetch_one(&mut *conn).await?;
    sqlx::query("SELECT pg_notify($1, $2::BIGINT::TEXT)").bind(CHANNEL).bind(last).execute(conn).await?;
    Ok(last)
}

/// Which of them are there already.
async fn written(
    conn: &mut PgConnection,
    new: &[(MessageId, NewMessage)],
    behind: i64,
) -> Result<HashSet<MessageId>, sqlx::Error> {
    let ids = Lists(new).list(|(id, _)| id.0.cast_signed());
    let there = sqlx::query_scalar("SELECT id FROM messages WHERE seq > $1 AND id = ANY($2)");
    let there: Vec<i64> = there.bind(behind).bind(ids).fetch_all(conn).await?;
    Ok(there.into_iter().map(|id| MessageId(id.cast_unsigned())).collect())
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The reader, made where there is none. What others write at this very moment may count for either wish. Rows of readers are
/// locked before that of the log, here as elsewhere: two that wait for each other would both fail.
pub(super) async fn set_reader(conn: &mut PgConnection, name: &ReaderName, wanted: &Wanted) -> Result<(), sqlx::Error> {
    let last: i64 = sqlx::query_scalar("SELECT last FROM message_log").fetch_one(&mut *conn).await?;
    let asked = "SELECT wishes, position, COALESCE((SELECT MIN(first) - 1 FROM claims WHERE reader = name), position) AS \
                 needed FROM readers WHERE name = $1 FOR UPDATE";
    let found = sqlx::query(asked).bind(&name.0).fetch_optional(&mut *conn).await?;
    let (mut wishes, position, needed) = match &found {
        Some(row) => (Wishes::read(row.text("wishes")?), row.number("position")?, row.number("needed")?),
        None => (Wishes::default(), last, last),
    };
    wishes.change(last + 1, wanted.clone(), needed);
    let set = "INSERT INTO readers (name, wishes, position) VALUES ($1, $2, $3) \
               ON CONFLICT (name) DO UPDATE SET wishes = excluded.wishes";
    sqlx::query(set).bind(&name.0).bind(wishes.to_text()).bind(position).execute(conn).await.map(drop)
}

/// There is no such reader any more.
pub(super) async fn remove_reader(conn: &mut PgConnection, name: &ReaderName) -> Result<(), sqlx::Error> {
    for delete in [
        "DELETE FROM readers WHERE name = $1",
        "DELETE FROM claims WHERE reader = $1",
        "DELETE FROM backlog WHERE reader = $1",
    ] {
        sqlx::query(delete).bind(&name.0).execute(&mut *conn).await?;
    }
    Ok(())
}

/// Moves a reader on from this position to the claim's end.
pub(super) async fn claim(conn: &mut PgConnection, from: i64, claim: &ClaimRow) -> Result<bool, sqlx::Error> {
    if !move_on(conn, &claim.reader, from, claim.last).await? {
        return Ok(false);
    }
    let insert = "INSERT INTO claims (reader, first, last, messages, slot, generation) VALUES ($1, $2, $3, $4, $5, $6)";
    sqlx::query(insert)
        .bind(&claim.reader.0)
        .bind(claim.first)
        .bind(claim.last)
        .bind(claim.messages.cast_signed())
        .bind(i64::from(claim.lease.slot))
        .bind(claim.lease.generation.cast_signed())
        .execute(conn)
        .await?;
    Ok(true)
}

/// The same where nothing is handed out.
pub(super) async fn move_on(
    conn: &mut PgConnection,
    reader: &ReaderName,
    from: i64,
    to: i64,
) -> Result<bool, sqlx::Error> {
    let moved = sqlx::query("UPDATE readers SET position = $1 WHERE name = $2 AND position = $3");
    Ok(moved.bind(to).bind(&reader.0).bind(from).execute(conn).await?.rows_affected() > 0)
}

/// These claims are settled.
pub(super) async fn end_claims(conn: &mut PgConnection, claims: &[(ReaderName, i64)]) -> Result<(), sqlx::Error> {
    let end = "DELETE FROM claims USING UNNEST($1::TEXT[], $2::BIGINT[]) AS v (reader, place) \
               WHERE claims.reader = v.reader AND claims.first = v.place";
    places(end, claims).execute(conn).await.map(drop)
}

/// A statement about places of readers.
fn places<'q>(
    statement: &'static str,
    places: &[(ReaderName, i64)],
) -> sqlx::query::Query<'q, sqlx::Postgres, sqlx::postgres::PgArguments> {
    let all = Lists(places);
    sqlx::query(statement).bind(all.list(|(reader, _)| reader.0.clone())).bind(all.list(|(_, place)| *place))
}

/// These came back, or came back once more.
pub(super) async fn give_back(conn: &mut PgConnection, back: &[(ReaderName, GivenBack)]) -> Result<(), sqlx::Error> {
    let all = Lists(back);
    let insert = sqlx::query(
        "INSERT INTO backlog (reader, seq, tries, due_at, dead, why) SELECT v.reader, v.seq, v.tries, v.due_at, v.dead, v.why \
         FROM UNNEST($1::TEXT[], $2::BIGINT[], $3::BIGINT[], $4::BOOLEAN[], $5::TEXT[], $6::BIGINT[]) \
         AS v (reader, seq, due_at, dead, why, tries) \
         WHERE v.seq IN (SELECT seq FROM messages WHERE seq = ANY($2)) \
         ON CONFLICT (reader, seq) DO UPDATE SET tries = backlog.tries + excluded.tries, due_at = excluded.due_at, dead = excluded.dead, \
         why = excluded.why, slot = NULL, generation = NULL",
    );
    let written = insert
        .bind(all.list(|(reader, _)| reader.0.clone()))
        .bind(all.list(|(_, back)| back.place))
        .bind(all.list(|(_, back)| back.again_at.map_or(0, |at| at.0)))
        .bind(all.list(|(_, back)| back.again_at.is_none()))
        .bind(all.list(|(_, back)| text(&back.why)))
        .bind(all.list(|(_, back)| i64::from(back.tried)))
        .execute(&mut *conn)
        .await?
        .rows_affected();
    if written == back.len() as u64 {
        return Ok(());
    }
    // What came back and was dropped meanwhile is lost.
    let lost = sqlx::query(
        "UPDATE readers SET lost = lost + v.lost FROM (SELECT reader, COUNT(*) AS lost FROM \
         UNNEST($1::TEXT[], $2::BIGINT[]) AS u (reader, seq) WHERE seq NOT IN (SELECT seq FROM messages WHERE seq = ANY($2)) \
         GROUP BY reader) AS v WHERE readers.name = v.reader",
    );
    let lost = lost.bind(all.list(|(reader, _)| reader.0.clone())).bind(all.list(|(_, back)| back.place));
    lost.execute(conn).await.map(drop)
}

/// Hands out what came back and is due; what another instance looks at just now is left to it.
pub(super) async fn take_again(
    conn: &mut PgConnection,
    reader: &ReaderName,
    lease: Lease,
    now: UnixMillis,
    max: usize,
) -> Result<Vec<Again>, sqlx::Error> {
    let taken = sqlx::query(
        "UPDATE backlog SET slot = $1, generation = $2 WHERE reader = $3 AND seq IN (SELECT seq FROM backlog \
         WHERE reader = $3 AND due_at <= $4 AND NOT dead AND slot IS NULL ORDER BY due_at, seq LIMIT $5 \
         FOR UPDATE SKIP LOCKED) RETURNING seq, tries",
    );
    let taken = taken
        .bind(i64::from(lease.slot))
        .bind(lease.generation.cast_signed())
        .bind(&reader.0)
        .bind(now.0)
        .bind(count(max));
    taken.fetch_all(conn).await?.iter().map(rows::again).collect()
}

/// These are settled after they came back.
pub(super) async fn end_backlog(conn: &mut PgConnection, settled: &[(ReaderName, i64)]) -> Result<(), sqlx::Error> {
    let end = "DELETE FROM backlog USING UNNEST($1::TEXT[], $2::BIGINT[]) AS v (reader, place) \
               WHERE backlog.reader = v.reader AND backlog.seq = v.place";
    places(end, settled).execute(conn).await.map(drop)
}

/// The same of those that nobody was given since.
pub(super) async fn end_waiting(conn: &mut PgConnection, settled: &[(ReaderName, i64)]) -> Result<(), sqlx::Error> {
    let end = "DELETE FROM backlog USING UNNEST($1::TEXT[], $2::BIGINT[]) AS v (reader, place) \
               WHERE backlog.reader = v.reader AND backlog.seq = v.place AND backlog.slot IS NULL";
    places(end, settled).execute(conn).await.map(drop)
}

/// Every claim there is.
pub(super) async fn claims(conn: &mut PgConnection) -> Result<Vec<ClaimSeen>, sqlx::Error> {
    let rows = sqlx::query(concat!(
        "SELECT reader, first, last, messages, claims.slot, claims.generation, slots.slot IS NOT NULL AS lives FROM claims \
         LEFT JOIN slots ON slots.slot = claims.slot AND slots.generation = claims.generation AND ",
        held!()
    ));
    rows.fetch_all(conn).await?.iter().map(rows::held).collect()
}

/// What is wanted in these parts of the claim is to be handed out again, unless another instance was quicker.
pub(super) async fn release_claim(
    conn: &mut PgConnection,
    claim: &ClaimRow,
    parts: &[Part],
    now: UnixMillis,
) -> Result<u64, sqlx::Error> {
    let ours = sqlx::query("DELETE FROM claims WHERE reader = $1 AND first = $2 AND slot = $3 AND generation = $4");
    let ours = ours.bind(&claim.reader.0).bind(claim.first).bind(i64::from(claim.lease.slot));
    if ours.bind(claim.lease.generation.cast_signed()).execute(&mut *conn).await?.rows_affected() == 0 {
        return Ok(0);
    }
    let mut found = 0;
    for (places, wish) in parts {
        let Lines { pairs, others, named } = Lines::of(wish);
        let row = sqlx::query(concat!(
            "WITH old AS (SELECT seq FROM messages WHERE ",
            wanted!(),
            "), back AS (INSERT INTO backlog (reader, seq, tries, due_at, dead, why) \
             SELECT $6, seq, 1, $7, FALSE, 'its consumer''s instance is gone' FROM old ON CONFLICT (reader, seq) DO NOTHING) \
             SELECT COUNT(*) AS there FROM old"
        ));
        let row = row.bind(*places.start()).bind(*places.end()).bind(pairs).bind(others).bind(named);
        let row = row.bind(&claim.reader.0).bind(now.0).fetch_one(&mut *conn).await?;
        found += row.try_get::<i64, _>("there")?.cast_unsigned();
    }
    Ok(claim.messages.saturating_sub(found))
}

/// What came back and is in hands.
pub(super) async fn in_hands(conn: &mut PgConnection) -> Result<Vec<InHand>, sqlx::Error> {
    let rows = sqlx::query(concat!(
        "SELECT reader, seq, backlog.slot, backlog.generation, slots.slot IS NOT NULL AS lives FROM backlog \
         LEFT JOIN slots ON slots.slot = backlog.slot AND slots.generation = backlog.generation AND ",
        held!(),
        " WHERE backlog.slot IS NOT NULL"
    ));
    rows.fetch_all(conn).await?.iter().map(rows::in_hand).collect()
}

/// These are in nobody's hands.
pub(super) async fn release_backlog(
    conn: &mut PgConnection,
    back: &[(ReaderName, i64)],
    now: UnixMillis,
) -> Result<(), sqlx::Error> {
    let release = "UPDATE backlog SET tries = tries + 1, due_at = $3, slot = NULL, generation = NULL \
                   FROM UNNEST($1::TEXT[], $2::BIGINT[]) AS v (reader, place) \
                   WHERE backlog.reader = v.reader AND backlog.seq = v.place";
    places(release, back).bind(now.0).execute(conn).await.map(drop)
}

/// These dead letters are due now, with no try behind them; all if `None`.
pub(super) async fn revive(
    conn: &mut PgConnection,
    reader: &ReaderName,
    places: Option<&[i64]>,
    now: UnixMillis,
) -> Result<u64, sqlx::Error> {
    let revive = "UPDATE backlog SET dead = FALSE, tries = 0, due_at = $1 WHERE reader = $2 AND dead \
                  AND ($3::BIGINT[] IS NULL OR seq = ANY($3))";
    let revive = sqlx::query(revive).bind(now.0).bind(&reader.0).bind(places.map(<[i64]>::to_vec));
    Ok(revive.execute(conn).await?.rows_affected())
}

/// The reader stands behind the newest message, and what came back is dropped.
pub(super) async fn skip(
    conn: &mut PgConnection,
    reader: &ReaderName,
) -> Result<(RangeInclusive<i64>, u64), sqlx::Error> {
    let stood = "SELECT position, (SELECT last FROM message_log) AS last FROM readers WHERE name = $1 FOR UPDATE";
    let found = sqlx::query(stood).bind(&reader.0).fetch_optional(&mut *conn).await?;
    let Some(found) = found else { return Ok((RangeInclusive::new(1, 0), 0)) };
    let (stood, last) = (found.number("position")?, found.number("last")?);
    move_on(conn, reader, stood, last).await?;
    let back = sqlx::query("DELETE FROM backlog WHERE reader = $1 AND slot IS NULL AND NOT dead");
    let back = back.bind(&reader.0).execute(conn).await?.rows_affected();
    Ok((stood + 1..=last, back))
}

/// Drops what stands up to this place.
pub(super) async fn drop_messages(conn: &mut PgConnection, up_to: i64) -> Result<Vec<(ReaderName, u64)>, sqlx::Error> {
    let gone = "WITH gone AS (DELETE FROM messages WHERE seq <= $1 RETURNING OCTET_LENGTH(topic) + LENGTH(body) + $2 AS bytes) \
                SELECT COALESCE(SUM(bytes), 0)::BIGINT AS bytes FROM gone";
    let bytes: i64 = sqlx::query_scalar(gone).bind(up_to).bind(MESSAGE_BYTES).fetch_one(&mut *conn).await?;
    sqlx::query("DELETE FROM message_traces WHERE seq <= $1").bind(up_to).execute(&mut *conn).await?;
    let lost = sqlx::query(
        "WITH gone AS (DELETE FROM backlog WHERE seq <= $1 RETURNING reader) \
         SELECT reader, COUNT(*) AS lost FROM gone GROUP BY reader",
    );
    let lost = lost.bind(up_to).fetch_all(&mut *conn).await?;
    // The last one: whoever writes messages waits for it.
    sqlx::query("UPDATE message_log SET bytes = GREATEST(0, bytes - $1)").bind(bytes).execute(conn).await?;
    let lost =
        lost.iter().map(|row| Ok((ReaderName(row.text("reader")?.to_owned()), row.number("lost")?.cast_unsigned())));
    lost.collect()
}

/// So many were dropped that the reader had not read.
pub(super) async fn lose(conn: &mut PgConnection, reader: &ReaderName, lost: u64) -> Result<(), sqlx::Error> {
    let add = sqlx::query("UPDATE readers SET lost = lost + $1 WHERE name = $2");
    add.bind(lost.cast_signed()).bind(&reader.0).execute(conn).await.map(drop)
}
