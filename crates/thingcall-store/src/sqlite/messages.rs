//! The log of messages: the SQL that writes it. What reads it is in `message_reads`.

use std::ops::RangeInclusive;
use std::sync::LazyLock;

use sqlx::SqliteConnection;
use thingcall_core::{GivenBack, Lease, MessageId, NewMessage, ReaderName, UnixMillis, Wanted};

use super::many::{Many, Statement};
use super::message_reads::{lines, wanted};
use crate::columns::Columns;
use crate::message_rows as rows;
use crate::message_tables::{Again, ClaimRow, ClaimSeen, InHand, MESSAGE_BYTES, Part, bytes_of};
use crate::wishes::Wishes;

static INSERT: LazyLock<Many> = LazyLock::new(|| {
    let before = "INSERT INTO messages (seq, id, kind, product, device, at, topic, body) SELECT * FROM (VALUES ";
    Many::new(before, 8, ") WHERE column1 IS NOT NULL")
});

/// Those of them that belong to a trace.
static INSERT_TRACES: LazyLock<Many> = LazyLock::new(|| {
    Many::new("INSERT INTO message_traces (seq, trace) SELECT * FROM (VALUES ", 2, ") WHERE column1 IS NOT NULL")
});

static GIVE_BACK: LazyLock<Many> = LazyLock::new(|| {
    let before = "WITH v (reader, seq, due_at, dead, why, tries) AS (VALUES ";
    let after = ") INSERT INTO backlog (reader, seq, tries, due_at, dead, why) \
                 SELECT v.reader, v.seq, v.tries, v.due_at, v.dead, v.why FROM v WHERE EXISTS (SELECT 1 FROM messages WHERE messages.seq = v.seq) \
                 ON CONFLICT DO UPDATE SET tries = tries + excluded.tries, due_at = excluded.due_at, dead = excluded.dead, \
                 why = excluded.why, slot = NULL, generation = NULL";
    Many::new(before, 6, after)
});

static END_CLAIMS: LazyLock<Many> =
    LazyLock::new(|| Many::new("DELETE FROM claims WHERE (reader, first) IN (VALUES ", 2, ")"));
static END_BACKLOG: LazyLock<Many> =
    LazyLock::new(|| Many::new("DELETE FROM backlog WHERE (reader, seq) IN (VALUES ", 2, ")"));
static END_WAITING: LazyLock<Many> =
    LazyLock::new(|| Many::new("DELETE FROM backlog WHERE slot IS NULL AND (reader, seq) IN (VALUES ", 2, ")"));
static RELEASE: LazyLock<Many> = LazyLock::new(|| {
    let before = "WITH v (reader, seq, now) AS (VALUES ";
    let after = ") UPDATE backlog SET tries = tries + 1, due_at = v.now, slot = NULL, generation = NULL FROM v \
                 WHERE backlog.reader = v.reader AND backlog.seq = v.seq";
    Many::new(before, 3, after)
});
static REVIVE: LazyLock<Many> = LazyLock::new(|| {
    let before = "WITH v (reader, seq, now) AS (VALUES ";
    let after = ") UPDATE backlog SET dead = FALSE, tries = 0, due_at = v.now FROM v \
                 WHERE backlog.reader = v.reader AND backlog.seq = v.seq AND backlog.dead";
    Many::new(before, 3, after)
});

/// Writes messages down in this order, and tells the newest's place.
pub(super) async fn append(conn: &mut SqliteConnection, new: &[(MessageId, NewMessage)]) -> Result<i64, sqlx::Error> {
    let counted = sqlx::query_scalar("UPDATE message_log SET last = last + ?, bytes = bytes + ? RETURNING last");
    let last: i64 = counted.bind(count(new.len())).bind(bytes_of(new)).fetch_one(&mut *conn).await?;
    let placed: Vec<_> = (last - count(new.len()) + 1..).zip(new).collect();
    for (statement, _) in INSERT.statements(&placed, bind) {
        statement.execute(&mut *conn).await?;
    }
    let traces: Vec<_> =
        placed.iter().filter_map(|(place, (_, new))| Some((*place, new.words.trace.as_ref()?.to_text()))).collect();
    for (statement, _) in
        INSERT_TRACES.statements(&traces, |statement, (place, trace)| statement.bind(*place).bind(trace.clone()))
    {
        statement.execute(&mut *conn).await?;
    }
    Ok(last)
}

fn bind(statement: Statement, (place, (id, new)): &(i64, &(MessageId, NewMessage))) -> Statement {
    statement
        .bind(*place)
        .bind(id.0.cast_signed())
        .bind(new.kind.as_str())
        .bind(new.device.product.to_string())
        .bind(new.device.name.to_string())
        .bind(new.at.0)
        .bind(new.words.topic.clone())
        .bind(new.words.body.to_vec())
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The reader, made where there is none.
pub(super) async fn set_reader(
    conn: &mut SqliteConnection,
    name: &ReaderName,
    wanted: &Wanted,
) -> Result<(), sqlx::Error> {
    let last: i64 = sqlx::query_scalar("SELECT last FROM message_log").fetch_one(&mut *conn).await?;
    let asked = "SELECT wishes, position, COALESCE((SELECT MIN(first) - 1 FROM claims WHERE reader = name), position) AS \
                 needed FROM readers WHERE name = ?";
    let found = sqlx::query(asked).bind(name.0.clone()).fetch_optional(&mut *conn).await?;
    let (mut wishes, position, needed) = match &found {
        Some(row) => (Wishes::read(row.text("wishes")?), row.number("position")?, row.number("needed")?),
        None => (Wishes::default(), last, last),
    };
    wishes.change(last + 1, wanted.clone(), needed);
    let set = "INSERT INTO readers (name, wishes, position) VALUES (?, ?, ?) \
               ON CONFLICT DO UPDATE SET wishes = excluded.wishes";
    sqlx::query(set).bind(name.0.clone()).bind(wishes.to_text()).bind(position).execute(conn).await.map(drop)
}

/// There is no such reader any more.
pub(super) async fn remove_reader(conn: &mut SqliteConnection, name: &ReaderName) -> Result<(), sqlx::Error> {
    for delete in [
        "DELETE FROM readers WHERE name = ?",
        "DELETE FROM claims WHERE reader = ?",
        "DELETE FROM backlog WHERE reader = ?",
    ] {
        sqlx::query(delete).bind(name.0.clone()).execute(&mut *conn).await?;
    }
    Ok(())
}

/// Moves a reader on from this position to the claim's end.
pub(super) async fn claim(conn: &mut SqliteConnection, from: i64, claim: &ClaimRow) -> Result<bool, sqlx::Error> {
    if !move_on(conn, &claim.reader, from, claim.last).await? {
        return Ok(false);
    }
    let insert = "INSERT INTO claims (reader, first, last, messages, slot, generation) VALUES (?, ?, ?, ?, ?, ?)";
    sqlx::query(insert)
        .bind(claim.reader.0.clone())
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
    conn: &mut SqliteConnection,
    reader: &ReaderName,
    from: i64,
    to: i64,
) -> Result<bool, sqlx::Error> {
    let moved = sqlx::query("UPDATE readers SET position = ? WHERE name = ? AND position = ?");
    Ok(moved.bind(to).bind(reader.0.clone()).bind(from).execute(conn).await?.rows_affected() > 0)
}

/// These claims are settled.
pub(super) async fn end_claims(conn: &mut SqliteConnection, claims: &[(ReaderName, i64)]) -> Result<(), sqlx::Error> {
    for (statement, _) in END_CLAIMS.statements(claims, bind_place) {
        statement.execute(&mut *conn).await?;
    }
    Ok(())
}

fn bind_place(statement: Statement, (reader, place): &(ReaderName, i64)) -> Statement {
    statement.bind(reader.0.clone()).bind(*place)
}

/// These came back, or came back once more.
pub(super) async fn give_back(
    conn: &mut SqliteConnection,
    back: &[(ReaderName, GivenBack)],
) -> Result<(), sqlx::Error> {
    let bind = |statement: Statement, (reader, back): &(ReaderName, GivenBack)| {
        statement
            .bind(reader.0.clone())
            .bind(back.place)
            .bind(back.again_at.map_or(0, |at| at.0))
            .bind(back.again_at.is_none())
            .bind(back.why.clone())
            .bind(i64::from(back.tried))
    };
    for (statement, rows) in GIVE_BACK.statements(back, bind) {
        if statement.execute(&mut *conn).await?.rows_affected() < rows.len() as u64 {
            count_missing(conn, rows).await?;
        }
    }
    Ok(())
}

/// What came back and was dropped meanwhile is lost.
async fn count_missing(conn: &mut SqliteConnection, back: &[(ReaderName, GivenBack)]) -> Result<(), sqlx::Error> {
    for (reader, back) in back {
        let lost =
            "UPDATE readers SET lost = lost + 1 WHERE name = ? AND NOT EXISTS (SELECT 1 FROM messages WHERE seq = ?)";
        sqlx::query(lost).bind(reader.0.clone()).bind(back.place).execute(&mut *conn).await?;
    }
    Ok(())
}

/// Hands out what came back and is due.
pub(super) async fn take_again(
    conn: &mut SqliteConnection,
    reader: &ReaderName,
    lease: Lease,
    now: UnixMillis,
    max: usize,
) -> Result<Vec<Again>, sqlx::Error> {
    let taken = sqlx::query(
        "UPDATE backlog SET slot = ?, generation = ? WHERE reader = ? AND seq IN (SELECT seq FROM backlog \
         WHERE reader = ? AND due_at <= ? AND NOT dead AND slot IS NULL ORDER BY due_at, seq LIMIT ?) RETURNING seq, tries",
    );
    let taken = taken
        .bind(i64::from(lease.slot))
        .bind(lease.generation.cast_signed())
        .bind(reader.0.clone())
        .bind(reader.0.clone())
        .bind(now.0)
        .bind(count(max));
    taken.fetch_all(conn).await?.iter().map(rows::again).collect()
}

/// These are settled after they came back.
pub(super) async fn end_backlog(conn: &mut SqliteConnection, settled: &[(ReaderName, i64)]) -> Result<(), sqlx::Error> {
    for (statement, _) in END_BACKLOG.statements(settled, bind_place) {
        statement.execute(&mut *conn).await?;
    }
    Ok(())
}

/// The same of those that nobody was given since.
pub(super) async fn end_waiting(conn: &mut SqliteConnection, settled: &[(ReaderName, i64)]) -> Result<(), sqlx::Error> {
    for (statement, _) in END_WAITING.statements(settled, bind_place) {
        statement.execute(&mut *conn).await?;
    }
    Ok(())
}

/// Every claim there is. A file has one server, whose claims those in memory are.
pub(super) async fn claims(conn: &mut SqliteConnection) -> Result<Vec<ClaimSeen>, sqlx::Error> {
    let rows = sqlx::query("SELECT reader, first, last, messages, slot, generation, FALSE AS lives FROM claims");
    rows.fetch_all(conn).await?.iter().map(rows::held).collect()
}

/// What is wanted in these parts of the claim is to be handed out again.
pub(super) async fn release_claim(
    conn: &mut SqliteConnection,
    claim: &ClaimRow,
    parts: &[Part],
    now: UnixMillis,
) -> Result<u64, sqlx::Error> {
    let mut found = 0;
    for (places, wish) in parts {
        let [pairs, others, named] = lines(wish);
        let counted = sqlx::query_scalar(concat!("SELECT COUNT(*) FROM messages WHERE ", wanted!()));
        let there: i64 = counted
            .bind(*places.start())
            .bind(*places.end())
            .bind(pairs.clone())
            .bind(others.clone())
            .bind(named.clone())
            .fetch_one(&mut *conn)
            .await?;
        found += there.cast_unsigned();
        let insert = sqlx::query(concat!(
            "INSERT INTO backlog (reader, seq, tries, due_at, dead, why) \
             SELECT ?6, seq, 1, ?7, FALSE, 'its consumer''s instance is gone' FROM messages WHERE ",
            wanted!(),
            " ON CONFLICT DO NOTHING"
        ));
        let insert = insert.bind(*places.start()).bind(*places.end()).bind(pairs).bind(others).bind(named);
        insert.bind(claim.reader.0.clone()).bind(now.0).execute(&mut *conn).await?;
    }
    end_claims(conn, &[(claim.reader.clone(), claim.first)]).await?;
    Ok(claim.messages.saturating_sub(found))
}

/// What came back and is in hands.
pub(super) async fn in_hands(conn: &mut SqliteConnection) -> Result<Vec<InHand>, sqlx::Error> {
    let rows = sqlx::query("SELECT reader, seq, slot, generation, FALSE AS lives FROM backlog WHERE slot IS NOT NULL");
    rows.fetch_all(conn).await?.iter().map(rows::in_hand).collect()
}

/// These are in nobody's hands.
pub(super) async fn release_backlog(
    conn: &mut SqliteConnection,
    places: &[(ReaderName, i64)],
    now: UnixMillis,
) -> Result<(), sqlx::Error> {
    for (statement, _) in RELEASE.statements(places, |statement, place| bind_place(statement, place).bind(now.0)) {
        statement.execute(&mut *conn).await?;
    }
    Ok(())
}

/// These dead letters are due now, with no try behind them; all if `None`.
pub(super) async fn revive(
    conn: &mut SqliteConnection,
    reader: &ReaderName,
    places: Option<&[i64]>,
    now: UnixMillis,
) -> Result<u64, sqlx::Error> {
    let Some(places) = places else {
        let all = sqlx::query("UPDATE backlog SET dead = FALSE, tries = 0, due_at = ? WHERE reader = ? AND dead");
        return Ok(all.bind(now.0).bind(reader.0.clone()).execute(conn).await?.rows_affected());
    };
    let mut revived = 0;
    let bind = |statement: Statement, place: &i64| statement.bind(reader.0.clone()).bind(*place).bind(now.0);
    let statements: Vec<_> = REVIVE.statements(places, bind).map(|(statement, _)| statement).collect();
    for statement in statements {
        revived += statement.execute(&mut *conn).await?.rows_affected();
    }
    Ok(revived)
}

/// The reader stands behind the newest message, and what came back is dropped.
pub(super) async fn skip(
    conn: &mut SqliteConnection,
    reader: &ReaderName,
) -> Result<(RangeInclusive<i64>, u64), sqlx::Error> {
    let stood = "SELECT position, (SELECT last FROM message_log) AS last FROM readers WHERE name = ?";
    let found = sqlx::query(stood).bind(reader.0.clone()).fetch_optional(&mut *conn).await?;
    let Some(found) = found else { return Ok((RangeInclusive::new(1, 0), 0)) };
    let (stood, last) = (found.number("position")?, found.number("last")?);
    move_on(conn, reader, stood, last).await?;
    let back = sqlx::query("DELETE FROM backlog WHERE reader = ? AND slot IS NULL AND NOT dead");
    let back = back.bind(reader.0.clone()).execute(conn).await?.rows_affected();
    Ok((stood + 1..=last, back))
}

/// Drops what stands up to this place.
pub(super) async fn drop_messages(
    conn: &mut SqliteConnection,
    up_to: i64,
) -> Result<Vec<(ReaderName, u64)>, sqlx::Error> {
    let bytes = "UPDATE message_log SET bytes = MAX(0, bytes - (SELECT COALESCE(SUM(LENGTH(CAST(topic AS BLOB)) + \
                 LENGTH(body) + ?), 0) FROM messages WHERE seq <= ?))";
    sqlx::query(bytes).bind(MESSAGE_BYTES).bind(up_to).execute(&mut *conn).await?;
    sqlx::query("DELETE FROM messages WHERE seq <= ?").bind(up_to).execute(&mut *conn).await?;
    sqlx::query("DELETE FROM message_traces WHERE seq <= ?").bind(up_to).execute(&mut *conn).await?;
    let lost = sqlx::query("SELECT reader, COUNT(*) AS lost FROM backlog WHERE seq <= ? GROUP BY reader");
    let lost = lost.bind(up_to).fetch_all(&mut *conn).await?;
    sqlx::query("DELETE FROM backlog WHERE seq <= ?").bind(up_to).execute(conn).await?;
    let lost =
        lost.iter().map(|row| Ok((ReaderName(row.text("reader")?.to_owned()), row.number("lost")?.cast_unsigned())));
    lost.collect()
}

/// So many were dropped that the reader had not read.
pub(super) async fn lose(conn: &mut SqliteConnection, reader: &ReaderName, lost: u64) -> Result<(), sqlx::Error> {
    let add = sqlx::query("UPDATE readers SET lost = lost + ? WHERE name = ?");
    add.bind(lost.cast_signed()).bind(reader.0.clone()).execute(conn).await.map(drop)
}
