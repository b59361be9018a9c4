//! Fleet calls in rows, and the SQL that both databases share.
//!
//! **Invariants:** what differs between them is given to [`fleet_sql`] as text: how a moment is told, how a list of names and
//! one of ends are read out of JSON, how an index is named that the database would not choose, and how those who write at once
//! are put in line. What is done again and again for a fleet call that runs looks at the devices it is about, however many there
//! are.

use serde_json::json;
use sqlx::Error;
use thingcall_core::{FleetCall, FleetCallId, FleetDevice, FleetEnd, FleetMark, FleetOrder, Qos, UnixMillis};

use crate::columns::Columns;

/// What is told of a device whose call was under way when its server ended.
pub(crate) const INTERRUPTED: &str = "the server ended while this call was under way; the device may have executed it";

fn wrong(what: &str) -> Error {
    Error::Decode(format!("{what} in a fleet call cannot be read").into())
}

/// A fleet call.
pub(crate) fn fleet_call(row: &impl Columns) -> Result<FleetCall, Error> {
    let count = |name| row.number(name).map(|count| u64::try_from(count).unwrap_or(0));
    let small = |name| row.number(name).map(|number| u32::try_from(number).unwrap_or(u32::MAX));
    let order = FleetOrder {
        account: row.text("account")?.to_owned(),
        key: row.maybe_text("key")?.map(str::to_owned),
        product: row.text("product")?.try_into().map_err(|_| wrong("the product"))?,
        devices: Vec::new(),
        service: row.text("service")?.try_into().map_err(|_| wrong("the service"))?,
        args: row.text("args")?.to_owned(),
        qos: if row.number("qos")? == 0 { Qos::AtMostOnce } else { Qos::AtLeastOnce },
        calls_per_second: small("calls_per_second")?,
        in_flight: small("in_flight")?,
    };
    Ok(FleetCall {
        id: id(row)?,
        order,
        state: row.text("state")?.parse().map_err(|_| wrong("the state"))?,
        reason: row.maybe_text("reason")?.map(str::to_owned),
        total: count("total")?,
        begun: count("begun")?,
        succeeded: count("succeeded")?,
        failed: count("failed")?,
        unknown: count("unknown")?,
        created_at: UnixMillis(row.number("created_at")?),
        ended_at: row.maybe_number("ended_at")?.map(UnixMillis),
    })
}

/// As much of it as tells who may see it.
pub(crate) fn fleet_mark(row: &impl Columns) -> Result<FleetMark, Error> {
    let product = row.text("product")?.try_into().map_err(|_| wrong("the product"))?;
    Ok(FleetMark { id: id(row)?, product, key: row.maybe_text("key")?.map(str::to_owned) })
}

fn id(row: &impl Columns) -> Result<FleetCallId, Error> {
    FleetCallId::read(row.text("id")?).ok_or_else(|| wrong("the id"))
}

/// One of its devices.
pub(crate) fn fleet_device(row: &impl Columns) -> Result<FleetDevice, Error> {
    let maybe = |name| row.maybe_text(name).map(|text| text.map(str::to_owned));
    let end = match row.maybe_text("outcome")? {
        None => None,
        Some(outcome) => Some(FleetEnd {
            outcome: outcome.parse().map_err(|_| wrong("an outcome"))?,
            code: maybe("code")?,
            message: maybe("message")?,
            message_id: maybe("message_id")?,
            result: maybe("result")?,
            at: UnixMillis(row.maybe_number("ended_at")?.unwrap_or(0)),
        }),
    };
    Ok(FleetDevice {
        number: row.number("number")?,
        name: row.text("name")?.try_into().map_err(|_| wrong("a device"))?,
        begun_at: row.maybe_number("begun_at")?.map(UnixMillis),
        end,
    })
}

/// Ends as one text.
pub(crate) fn ends(ends: &[(i64, FleetEnd)]) -> String {
    let each = ends.iter().map(|(number, end)| {
        json!({
            "number": number, "at": end.at.0, "outcome": end.outcome.as_str(), "code": end.code, "message": end.message,
            "message_id": end.message_id, "result": end.result,
        })
    });
    serde_json::Value::Array(each.collect()).to_string()
}

/// Names as one text.
pub(crate) fn names(order: &FleetOrder) -> String {
    json!(order.devices.iter().map(|name| name.as_str()).collect::<Vec<_>>()).to_string()
}

/// A number as databases have it.
pub(crate) fn narrow(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The columns of a fleet call, with the counts of its devices.
macro_rules! calls {
    ($which:literal) => {
        concat!(
            "SELECT c.*, (SELECT COUNT(*) FROM fleet_devices WHERE fleet_call = c.id) AS total, \
             (SELECT COUNT(begun_at) FROM fleet_devices WHERE fleet_call = c.id) AS begun, \
             (SELECT COUNT(*) FROM fleet_devices WHERE fleet_call = c.id AND outcome = 'SUCCEEDED') AS succeeded, \
             (SELECT COUNT(*) FROM fleet_devices WHERE fleet_call = c.id AND outcome = 'FAILED') AS failed, \
             (SELECT COUNT(*) FROM fleet_devices WHERE fleet_call = c.id AND outcome = 'UNKNOWN') AS unknown \
             FROM fleet_calls AS c WHERE ",
            $which
        )
    };
}

/// The SQL, for one kind of connection.
macro_rules! fleet_sql {
    ($conn:ty, now: $now:literal, names: $names:literal, end: $end:literal, waiting: $waiting:literal,
     under_way: $under_way:literal, lock: $lock:literal) => {
        /// What is done again and again.
        const SETTLE: &str = concat!(
            "UPDATE fleet_devices ",
            $under_way,
            " SET ended_at = ",
            $now,
            ", outcome = 'UNKNOWN', code = 'interrupted', message = $2 WHERE begun_at IS NOT NULL AND ended_at IS NULL \
             AND fleet_call IN (SELECT id FROM fleet_calls WHERE state <> 'ENDED' AND (runner IS NULL OR (runner <> $1 \
             AND runner_until < ",
            $now,
            ")))"
        );
        const TAKE: &str = concat!(
            "UPDATE fleet_calls SET runner = $1, runner_until = ",
            $now,
            " + $2 WHERE (runner IS NULL OR runner = $1 OR runner_until < ",
            $now,
            ") AND (state = 'RUNNING' OR (state = 'CANCELLED' AND EXISTS (SELECT 1 FROM fleet_devices ",
            $under_way,
            " WHERE fleet_call = id AND begun_at IS NOT NULL AND fleet_devices.ended_at IS NULL)))"
        );
        const OURS: &str = "SELECT c.*, (SELECT COUNT(*) FROM fleet_devices WHERE fleet_call = c.id) AS total, \
                            CAST(0 AS BIGINT) AS begun, CAST(0 AS BIGINT) AS succeeded, CAST(0 AS BIGINT) AS failed, \
                            CAST(0 AS BIGINT) AS unknown FROM fleet_calls AS c WHERE c.runner = $1 AND \
                            c.state = 'RUNNING' ORDER BY c.created_at, c.id";
        const BEGIN: &str = concat!(
            "UPDATE fleet_devices SET begun_at = ",
            $now,
            " WHERE fleet_call = $1 AND number IN (SELECT number FROM fleet_devices ",
            $waiting,
            " WHERE fleet_call = $1 AND begun_at IS NULL ORDER BY number LIMIT $3) AND EXISTS (SELECT 1 FROM fleet_calls \
             WHERE id = $1 AND runner = $2 AND state = 'RUNNING' AND runner_until > ",
            $now,
            ") RETURNING *"
        );
        const ENDED: &str = concat!(
            "UPDATE fleet_calls SET state = 'ENDED', ended_at = ",
            $now,
            " WHERE id = $1 AND runner = $2 AND state = 'RUNNING' AND NOT EXISTS (SELECT 1 FROM fleet_devices WHERE \
             fleet_call = $1 AND outcome IS NULL)"
        );
        const END: &str = $end;

        pub(super) async fn fleet_call(
            conn: &mut $conn,
            account: &str,
            id: &FleetCallId,
        ) -> Result<Option<FleetCall>, sqlx::Error> {
            let find = sqlx::query(calls!("c.id = $1 AND c.account = $2"));
            let found = find.bind(id.to_string()).bind(account.to_owned()).fetch_optional(conn).await?;
            found.as_ref().map(rows::fleet_call).transpose()
        }

        pub(super) async fn fleet_calls(
            conn: &mut $conn,
            account: &str,
            skip: u64,
            max: u64,
        ) -> Result<Part<FleetCall>, sqlx::Error> {
            let total = count(conn, account).await?;
            let page = sqlx::query(calls!("c.account = $1 ORDER BY c.created_at DESC, c.id LIMIT $2 OFFSET $3"));
            let page = page.bind(account.to_owned()).bind(rows::narrow(max)).bind(rows::narrow(skip));
            let shown = page.fetch_all(conn).await?;
            Ok(Part { shown: shown.iter().map(rows::fleet_call).collect::<Result<_, _>>()?, total })
        }

        pub(super) async fn fleet_devices(
            conn: &mut $conn,
            id: &FleetCallId,
            outcome: Option<FleetOutcome>,
            skip: u64,
            max: u64,
        ) -> Result<Part<FleetDevice>, sqlx::Error> {
            let outcome = outcome.map(|outcome| outcome.as_str().to_owned());
            let which = "SELECT COUNT(*) FROM fleet_devices WHERE fleet_call = $1 AND (CAST($2 AS TEXT) IS NULL OR outcome = $2)";
            let total: i64 =
                sqlx::query_scalar(which).bind(id.to_string()).bind(outcome.clone()).fetch_one(&mut *conn).await?;
            let page = "SELECT * FROM fleet_devices WHERE fleet_call = $1 AND (CAST($2 AS TEXT) IS NULL OR outcome = $2) \
                        ORDER BY number LIMIT $3 OFFSET $4";
            let page = sqlx::query(page).bind(id.to_string()).bind(outcome);
            let shown = page.bind(rows::narrow(max)).bind(rows::narrow(skip)).fetch_all(conn).await?;
            let shown = shown.iter().map(rows::fleet_device).collect::<Result<_, _>>()?;
            Ok(Part { shown, total: u64::try_from(total).unwrap_or(0) })
        }

        pub(super) async fn fleet_marks(conn: &mut $conn, account: &str) -> Result<Vec<FleetMark>, sqlx::Error> {
            let all = "SELECT id, product, key FROM fleet_calls WHERE account = $1 ORDER BY created_at DESC, id";
            let all = sqlx::query(all).bind(account.to_owned()).fetch_all(conn).await?;
            all.iter().map(rows::fleet_mark).collect()
        }

        async fn count(conn: &mut $conn, account: &str) -> Result<u64, sqlx::Error> {
            let count = "SELECT COUNT(*) FROM fleet_calls WHERE account = $1";
            let count: i64 = sqlx::query_scalar(count).bind(account.to_owned()).fetch_one(conn).await?;
            Ok(u64::try_from(count).unwrap_or(0))
        }

        pub(super) async fn count_locked(conn: &mut $conn, account: &str) -> Result<u64, sqlx::Error> {
            sqlx::query($lock).execute(&mut *conn).await?;
            count(conn, account).await
        }

        pub(super) async fn insert(
            conn: &mut $conn,
            id: &FleetCallId,
            order: &FleetOrder,
            devices_max: u64,
            at: UnixMillis,
        ) -> Result<u64, sqlx::Error> {
            let call = "INSERT INTO fleet_calls (id, account, product, service, args, qos, calls_per_second, in_flight, \
                        state, created_at, key) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'RUNNING', $9, $10)";
            let call = sqlx::query(call).bind(id.to_string()).bind(order.account.clone());
            let call = call.bind(order.product.to_string()).bind(order.service.to_string()).bind(order.args.clone());
            let call = call.bind(i64::from(order.qos.level())).bind(i64::from(order.calls_per_second));
            let call = call.bind(i64::from(order.in_flight)).bind(at.0).bind(order.key.clone());
            call.execute(&mut *conn).await?;
            let max = rows::narrow(devices_max.saturating_add(1));
            let devices = if order.devices.is_empty() {
                let all = "INSERT INTO fleet_devices (fleet_call, number, name) SELECT CAST($1 AS TEXT), ROW_NUMBER() OVER \
                           (ORDER BY name), name FROM devices WHERE product = $2 ORDER BY name LIMIT $3";
                sqlx::query(all).bind(id.to_string()).bind(order.product.to_string()).bind(max).execute(conn).await?
            } else {
                let some = concat!(
                    "INSERT INTO fleet_devices (fleet_call, number, name) SELECT CAST($1 AS TEXT), ROW_NUMBER() OVER \
                     (ORDER BY name), name FROM devices WHERE product = $2 AND name IN (",
                    $names,
                    ") ORDER BY name LIMIT $3"
                );
                let some = sqlx::query(some).bind(id.to_string()).bind(order.product.to_string()).bind(max);
                some.bind(rows::names(order)).execute(conn).await?
            };
            Ok(devices.rows_affected())
        }

        pub(super) async fn cancel(
            conn: &mut $conn,
            id: &FleetCallId,
            reason: Option<&str>,
        ) -> Result<(), sqlx::Error> {
            let cancel = concat!(
                "UPDATE fleet_calls SET state = 'CANCELLED', reason = $2, ended_at = ",
                $now,
                " WHERE id = $1 AND state = 'RUNNING'"
            );
            sqlx::query(cancel).bind(id.to_string()).bind(reason.map(str::to_owned)).execute(conn).await.map(drop)
        }

        pub(super) async fn make_room(conn: &mut $conn, account: &str) -> Result<bool, sqlx::Error> {
            let oldest = "DELETE FROM fleet_calls WHERE id = (SELECT id FROM fleet_calls WHERE account = $1 AND state <> \
                          'RUNNING' ORDER BY ended_at, id LIMIT 1)";
            Ok(sqlx::query(oldest).bind(account.to_owned()).execute(conn).await?.rows_affected() > 0)
        }

        pub(super) async fn take(
            conn: &mut $conn,
            by: &str,
            lease: Duration,
        ) -> Result<Vec<FleetCall>, sqlx::Error> {
            sqlx::query($lock).execute(&mut *conn).await?;
            sqlx::query(SETTLE).bind(by.to_owned()).bind(rows::INTERRUPTED).execute(&mut *conn).await?;
            let lease_ms = i64::try_from(lease.as_millis()).unwrap_or(i64::MAX);
            sqlx::query(TAKE).bind(by.to_owned()).bind(lease_ms).execute(&mut *conn).await?;
            let ours = sqlx::query(OURS).bind(by.to_owned()).fetch_all(conn).await?;
            ours.iter().map(rows::fleet_call).collect()
        }

        pub(super) async fn begin(
            conn: &mut $conn,
            id: &FleetCallId,
            by: &str,
            max: u32,
        ) -> Result<Vec<FleetDevice>, sqlx::Error> {
            let begin = sqlx::query(BEGIN).bind(id.to_string()).bind(by.to_owned()).bind(i64::from(max));
            let begun = begin.fetch_all(&mut *conn).await?;
            if begun.is_empty() {
                sqlx::query(ENDED).bind(id.to_string()).bind(by.to_owned()).execute(conn).await?;
            }
            let mut begun: Vec<_> = begun.iter().map(rows::fleet_device).collect::<Result<_, _>>()?;
            begun.sort_by_key(|device| device.number);
            Ok(begun)
        }

        pub(super) async fn end(
            conn: &mut $conn,
            id: &FleetCallId,
            ends: &[(i64, FleetEnd)],
        ) -> Result<(), sqlx::Error> {
            sqlx::query(END).bind(id.to_string()).bind(rows::ends(ends)).execute(conn).await.map(drop)
        }

        pub(super) async fn let_go(conn: &mut $conn, by: &str) -> Result<(), sqlx::Error> {
            let let_go = "UPDATE fleet_calls SET runner = NULL, runner_until = NULL WHERE runner = $1";
            sqlx::query(let_go).bind(by.to_owned()).execute(conn).await.map(drop)
        }

        pub(super) async fn forget(conn: &mut $conn, before: UnixMillis) -> Result<u64, sqlx::Error> {
            let forget = "DELETE FROM fleet_calls WHERE state <> 'RUNNING' AND ended_at < $1";
            Ok(sqlx::query(forget).bind(before.0).execute(conn).await?.rows_affected())
        }
    };
}

pub(crate) use {calls, fleet_sql};
