//! The quota of accounts, one for all instances.
//!
//! **Invariant:** what is asked of an account is settled row by row, each in one step of the database and by its clock, after
//! the rule of [`Want::settle`].

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::{PgConnection, Row};
use thingcall_core::{Grant, SharedError, SharedQuota, Want};

use super::error::PostgresError;
use super::session::Session;
use crate::Config;

/// Rows are locked in one order, so that two instances do not wait for each other.
const SETTLE: &str = "\
    WITH wanted AS (SELECT * FROM UNNEST($1::BYTEA[], $2::BIGINT[], $3::BIGINT[], $4::BIGINT[]) \
        AS w (account, used, unused, ahead)), \
    locked AS MATERIALIZED (SELECT account FROM quotas WHERE account = ANY($1) ORDER BY account FOR UPDATE) \
    UPDATE quotas AS q SET (full_at, asked_at, calls) = (\
        SELECT settled + (calls * 1000000 + $5 - 1) / $5, now, calls \
        FROM (SELECT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::BIGINT AS now) AS clock \
        CROSS JOIN LATERAL (SELECT GREATEST(GREATEST(q.full_at, now) - w.unused * 1000000 / $5, now) \
            + (w.used * 1000000 + $5 - 1) / $5 AS settled) AS before \
        CROSS JOIN LATERAL (SELECT LEAST(GREATEST(now + 1000000 - settled, 0) * $5 / 1000000, w.ahead) AS calls) AS given) \
    FROM wanted AS w JOIN locked USING (account) WHERE q.account = w.account \
    RETURNING q.account, q.calls, q.full_at - q.asked_at AS full_in";

/// The quota in a PostgreSQL.
#[derive(Debug)]
pub struct PostgresQuota(Session);

impl PostgresQuota {
    /// That of the store that is configured; `None` if it is a file, which one server has alone.
    ///
    /// # Errors
    /// If the configuration cannot be used.
    pub fn of(config: &Config) -> Result<Option<Arc<Self>>, PostgresError> {
        let Some(url) = &config.url else { return Ok(None) };
        Ok(Some(Arc::new(Self(Session::new(config, url, false)?))))
    }
}

#[async_trait]
impl SharedQuota for PostgresQuota {
    async fn reserve(&self, wants: &[Want], calls_per_second_max: NonZeroU32) -> Result<Vec<Grant>, SharedError> {
        if wants.is_empty() {
            return Ok(Vec::new());
        }
        let work = async {
            let mut conn = self.0.lend().await?;
            let mut grants = settle(&mut conn, wants, calls_per_second_max).await?;
            let new: Vec<Want> =
                wants.iter().filter(|want| !grants.contains_key(want.account.as_bytes())).cloned().collect();
            if !new.is_empty() {
                make(&mut conn, &new).await?;
                grants.extend(settle(&mut conn, &new, calls_per_second_max).await?);
            }
            conn.keep();
            Ok(grants)
        };
        let grants = self.0.run(work).await.map_err(SharedError)?;
        let of = |want: &Want| grants.get(want.account.as_bytes()).copied();
        let missing = || SharedError("an account's quota is neither there nor can be made".to_owned());
        wants.iter().map(|want| of(want).ok_or_else(missing)).collect()
    }
}

async fn settle(
    conn: &mut PgConnection,
    wants: &[Want],
    calls_per_second_max: NonZeroU32,
) -> Result<HashMap<Vec<u8>, Grant>, sqlx::Error> {
    let column = |of: fn(&Want) -> u32| wants.iter().map(|want| i64::from(of(want))).collect::<Vec<_>>();
    let rows = sqlx::query(SETTLE)
        .bind(accounts(wants))
        .bind(column(|want| want.used))
        .bind(column(|want| want.unused))
        .bind(column(|want| want.ahead))
        .bind(i64::from(calls_per_second_max.get()))
        .fetch_all(conn)
        .await?;
    let mut grants = HashMap::with_capacity(rows.len());
    for row in rows {
        let (calls, full_in): (i64, i64) = (row.try_get("calls")?, row.try_get("full_in")?);
        let full_in = Duration::from_micros(u64::try_from(full_in).unwrap_or(0));
        grants.insert(row.try_get("account")?, Grant { calls: u32::try_from(calls).unwrap_or(0), full_in });
    }
    Ok(grants)
}

/// Accounts that nobody asked for before: full.
async fn make(conn: &mut PgConnection, wants: &[Want]) -> Result<(), sqlx::Error> {
    let insert = "INSERT INTO quotas (account, full_at) SELECT account, 0 FROM UNNEST($1::BYTEA[]) AS new (account) \
                  ORDER BY account ON CONFLICT DO NOTHING";
    sqlx::query(insert).bind(accounts(wants)).execute(conn).await.map(drop)
}

/// As bytes: an account may hold what a text in PostgreSQL cannot.
fn accounts(wants: &[Want]) -> Vec<&[u8]> {
    wants.iter().map(|want| want.account.as_bytes()).collect()
}

#[cfg(test)]
mod tests;
