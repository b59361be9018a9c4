//! Tokens of calls that are made once: the SQL.
//!
//! **Invariant:** who claims waits for no row that is there: an insert that finds one does nothing, so that who ends calls and
//! who claims never wait for each other in a circle.

use std::collections::HashMap;

use async_trait::async_trait;
use sqlx::{PgConnection, PgPool, Row as _};
use thingcall_core::{OnceClaim, OnceEnd, OnceKey, UnixMillis};

use super::database::Pg;
use super::leases::held;
use super::lists::Lists;
use super::trouble::within;
use super::tx::PgTx;
use crate::failure::Failure;
use crate::once_counts::Held;
use crate::once_table::{self, Claimant, EndRow, OnceReads, OnceRow, OnceWrites, row};

/// Rows, and whether their holders hold their leases.
macro_rules! rows {
    ($from:literal) => {
        concat!(
            "SELECT once.*, EXISTS (SELECT 1 FROM slots WHERE slots.slot = once.slot AND slots.generation = once.generation AND ",
            held!(),
            ") AS lives FROM once ",
            $from
        )
    };
}

#[async_trait]
impl OnceReads for Pg {
    async fn once(&self, key: &OnceKey) -> Result<Option<OnceRow>, Failure> {
        within(&self.patience.answer, one(&self.reads, key)).await
    }

    async fn once_size(&self, now: UnixMillis) -> Result<HashMap<String, Held>, Failure> {
        within(&self.patience.answer, size(&self.reads, now)).await
    }
}

#[async_trait]
impl OnceWrites for PgTx<'_> {
    async fn claim_once(&mut self, claims: &[&OnceClaim], by: &Claimant<'_>) -> Result<Vec<Option<OnceRow>>, Failure> {
        within(self.patience, claim(&mut self.tx, claims, by)).await
    }

    async fn end_once(&mut self, ends: &[&EndRow]) -> Result<Vec<bool>, Failure> {
        within(self.patience, end(&mut self.tx, ends)).await
    }

    async fn forget_once(&mut self, now: UnixMillis, max: i64) -> Result<u64, Failure> {
        within(self.patience, forget(&mut self.tx, now, max)).await
    }
}

async fn one(reads: &PgPool, key: &OnceKey) -> Result<Option<OnceRow>, sqlx::Error> {
    let one = sqlx::query(rows!("WHERE account = $1 AND token = $2")).bind(&key.account).bind(&key.token);
    one.fetch_optional(reads).await?.as_ref().map(row).transpose()
}

async fn size(reads: &PgPool, now: UnixMillis) -> Result<HashMap<String, Held>, sqlx::Error> {
    let size = sqlx::query_as(
        "SELECT account, COUNT(*), COALESCE(SUM(OCTET_LENGTH(answer)), 0)::BIGINT FROM once WHERE ends_at > $1 GROUP BY account",
    );
    Ok(size.bind(now.0).fetch_all(reads).await?.into_iter().map(once_table::held).collect())
}

async fn claim(
    conn: &mut PgConnection,
    claims: &[&OnceClaim],
    by: &Claimant<'_>,
) -> Result<Vec<Option<OnceRow>>, sqlx::Error> {
    let mut all = Vec::with_capacity(claims.len());
    for piece in Lists(claims).pieces(|claim| claim.key.account.len() + claim.key.token.len() + 84) {
        let mut left = insert(conn, piece, by).await?;
        let mut found = if left.is_empty() { HashMap::new() } else { seen(conn, &left).await? };
        let is_over = |claim: &&OnceClaim| found.get(&claim.key).is_none_or(|row| row.ends_at <= by.now);
        let over: Vec<_> = left.iter().copied().filter(is_over).collect();
        if !over.is_empty() {
            drop_over(conn, &over, by.now).await?;
            let again = insert(conn, &over, by).await?;
            left.retain(|claim| !over.contains(claim) || again.contains(claim));
            found.extend(seen(conn, &again).await?);
        }
        all.extend(piece.iter().map(|claim| {
            let row = || found.get(&claim.key).cloned().unwrap_or_else(|| gone(claim, by));
            left.contains(claim).then(row)
        }));
    }
    Ok(all)
}

/// Somebody had it and let go of it in between: whoever asked looks again.
fn gone(claim: &OnceClaim, by: &Claimant<'_>) -> OnceRow {
    OnceRow {
        digest: claim.digest.to_vec(),
        request_id: String::new(),
        holder: by.holder.to_owned(),
        holder_lives: true,
        answer: None,
        ends_at: by.ends_at,
    }
}

/// Those that were not inserted, since they are there.
async fn insert<'c>(
    conn: &mut PgConnection,
    claims: &[&'c OnceClaim],
    by: &Claimant<'_>,
) -> Result<Vec<&'c OnceClaim>, sqlx::Error> {
    let all = Lists(claims);
    let insert = sqlx::query(
        "INSERT INTO once (account, token, digest, request_id, holder, slot, generation, ends_at) \
         SELECT v.account, v.token, v.digest, v.request_id, $5, $6, $7, $8 \
         FROM UNNEST($1::TEXT[], $2::TEXT[], $3::BYTEA[], $4::TEXT[]) WITH ORDINALITY \
         AS v (account, token, digest, request_id, place) ORDER BY v.place \
         ON CONFLICT DO NOTHING RETURNING request_id",
    )
    .bind(all.list(|claim| claim.key.account.as_str()))
    .bind(all.list(|claim| claim.key.token.as_str()))
    .bind(all.list(|claim| claim.digest.as_slice()))
    .bind(all.list(|claim| claim.request_id.to_string()))
    .bind(by.holder)
    .bind(by.lease.map(|lease| i64::from(lease.slot)))
    .bind(by.lease.map(|lease| lease.generation.cast_signed()))
    .bind(by.ends_at.0);
    let rows = insert.fetch_all(conn).await?;
    let ours: Vec<String> = rows.iter().map(|row| row.try_get("request_id")).collect::<Result<_, _>>()?;
    // Two of one batch may be for the same token.
    Ok(claims.iter().copied().filter(|claim| !ours.contains(&claim.request_id.to_string())).collect())
}

async fn seen(conn: &mut PgConnection, claims: &[&OnceClaim]) -> Result<HashMap<OnceKey, OnceRow>, sqlx::Error> {
    let all = Lists(claims);
    let found = sqlx::query(rows!("JOIN UNNEST($1::TEXT[], $2::TEXT[]) AS v (account, token) USING (account, token)"))
        .bind(all.list(|claim| claim.key.account.as_str()))
        .bind(all.list(|claim| claim.key.token.as_str()))
        .fetch_all(conn)
        .await?;
    keys(&found)?.into_iter().zip(&found).map(|(key, found)| Ok((key, row(found)?))).collect()
}

async fn drop_over(conn: &mut PgConnection, claims: &[&OnceClaim], now: UnixMillis) -> Result<(), sqlx::Error> {
    let all = Lists(claims);
    let delete = sqlx::query(
        "DELETE FROM once USING UNNEST($1::TEXT[], $2::TEXT[]) AS v (account, token) \
         WHERE once.account = v.account AND once.token = v.token AND once.ends_at <= $3",
    );
    let delete = delete.bind(all.list(|claim| claim.key.account.as_str()));
    delete.bind(all.list(|claim| claim.key.token.as_str())).bind(now.0).execute(conn).await.map(drop)
}

fn keys(rows: &[sqlx::postgres::PgRow]) -> Result<Vec<OnceKey>, sqlx::Error> {
    rows.iter().map(|row| Ok(OnceKey { account: row.try_get("account")?, token: row.try_get("token")? })).collect()
}

async fn end(conn: &mut PgConnection, ends: &[&EndRow]) -> Result<Vec<bool>, sqlx::Error> {
    let (mut answers, mut released) = (Vec::new(), Vec::new());
    for row in ends {
        match &row.end {
            OnceEnd::Answer(answer) => answers.push((*row, answer.as_slice())),
            OnceEnd::Release => released.push(*row),
        }
    }
    let mut ended = Vec::new();
    for piece in Lists(&answers).pieces(|(row, answer)| answer.len() + row.key.account.len() + row.key.token.len() + 64)
    {
        let all = Lists(piece);
        let update = sqlx::query(
            "UPDATE once SET answer = v.answer, ends_at = v.ends_at \
             FROM UNNEST($1::TEXT[], $2::TEXT[], $3::TEXT[], $4::BYTEA[], $5::BIGINT[]) \
             AS v (account, token, request_id, answer, ends_at) \
             WHERE once.account = v.account AND once.token = v.token AND once.request_id = v.request_id \
             AND once.answer IS NULL RETURNING once.account, once.token",
        )
        .bind(all.list(|(row, _)| row.key.account.as_str()))
        .bind(all.list(|(row, _)| row.key.token.as_str()))
        .bind(all.list(|(row, _)| row.request_id.as_str()))
        .bind(all.list(|(_, answer)| *answer))
        .bind(all.list(|(row, _)| row.ends_at.0));
        ended.extend(keys(&update.fetch_all(&mut *conn).await?)?);
    }
    for piece in Lists(&released).pieces(|row| row.key.account.len() + row.key.token.len() + 48) {
        let all = Lists(piece);
        let delete = sqlx::query(
            "DELETE FROM once USING UNNEST($1::TEXT[], $2::TEXT[], $3::TEXT[]) AS v (account, token, request_id) \
             WHERE once.account = v.account AND once.token = v.token AND once.request_id = v.request_id \
             AND once.answer IS NULL RETURNING once.account, once.token",
        )
        .bind(all.list(|row| row.key.account.as_str()))
        .bind(all.list(|row| row.key.token.as_str()))
        .bind(all.list(|row| row.request_id.as_str()));
        ended.extend(keys(&delete.fetch_all(&mut *conn).await?)?);
    }
    Ok(ends.iter().map(|row| ended.contains(&row.key)).collect())
}

async fn forget(conn: &mut PgConnection, now: UnixMillis, max: i64) -> Result<u64, sqlx::Error> {
    let delete = "DELETE FROM once WHERE ctid IN (SELECT ctid FROM once WHERE ends_at <= $1 ORDER BY ends_at LIMIT $2 \
                  FOR UPDATE SKIP LOCKED)";
    Ok(sqlx::query(delete).bind(now.0).bind(max).execute(conn).await?.rows_affected())
}
