//! A connection for one purpose of its own, which nobody else can keep busy.
//!
//! **Invariant:** what failed on it, or was given up in the midst of an answer, is never used again: a server that is silent
//! may answer late, and a network that is cut may never say so.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{Instant, timeout};

use super::error::PostgresError;
use super::open;
use crate::Config;
use crate::store_url::StoreUrl;

/// One that nobody used for so long is asked whether it lives: a server that was started anew ends them all.
const TRUSTED: Duration = Duration::from_secs(1);

/// Where the connection is, and how long its answers may take.
#[derive(Debug)]
pub(super) struct Session {
    url: StoreUrl,
    options: PgConnectOptions,
    durable: bool,
    connect_timeout: Duration,
    answer_timeout: Duration,
    idle: Mutex<Option<Idle>>,
}

#[derive(Debug)]
struct Idle {
    conn: PgConnection,
    since: Instant,
}

/// The connection, for one piece of work; what is not [kept](Self::keep) is closed.
#[derive(Debug)]
pub(super) struct Lent<'s> {
    place: MutexGuard<'s, Option<Idle>>,
    conn: PgConnection,
    /// Whether it was just made.
    pub(super) is_new: bool,
}

impl Session {
    /// Not connected yet. Its transactions are durable only if `durable`.
    pub(super) fn new(config: &Config, url: &StoreUrl, durable: bool) -> Result<Self, PostgresError> {
        let mut options = open::options(config, url)?;
        if !durable {
            options = options.options([("synchronous_commit", "off")]);
        }
        let Config { connect_timeout, answer_timeout, .. } = *config;
        Ok(Self { url: url.clone(), options, durable, connect_timeout, answer_timeout, idle: Mutex::new(None) })
    }

    /// What this work comes to, which borrows the connection, in time; or where it failed, and why.
    pub(super) async fn run<T>(&self, work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, String> {
        let silent = || format!("{}: no answer within {:?}", self.url, self.answer_timeout);
        let done = timeout(self.answer_timeout, work).await.map_err(|_| silent())?;
        done.map_err(|error| format!("{}: {error}", self.url))
    }

    /// The connection, made anew where that is needed. Others wait.
    pub(super) async fn lend(&self) -> Result<Lent<'_>, sqlx::Error> {
        let mut place = self.idle.lock().await;
        if let Some(Idle { mut conn, since }) = place.take()
            && (since.elapsed() < TRUSTED || conn.ping().await.is_ok())
        {
            return Ok(Lent { place, conn, is_new: false });
        }
        let connected = if self.durable {
            timeout(self.connect_timeout, Box::pin(open::connect_durably(&self.options))).await
        } else {
            timeout(self.connect_timeout, Box::pin(self.options.connect())).await
        };
        let conn = connected.map_err(|_| sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()))??;
        Ok(Lent { place, conn, is_new: true })
    }
}

impl Lent<'_> {
    /// All went well: the next piece of work gets it.
    pub(super) fn keep(mut self) {
        *self.place = Some(Idle { conn: self.conn, since: Instant::now() });
    }
}

#[cfg(test)]
impl Lent<'_> {
    /// The connection alone.
    pub(super) fn detached(self) -> PgConnection {
        self.conn
    }
}

impl Deref for Lent<'_> {
    type Target = PgConnection;

    fn deref(&self) -> &Self::Target {
        &self.conn
    }
}

impl DerefMut for Lent<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.conn
    }
}
