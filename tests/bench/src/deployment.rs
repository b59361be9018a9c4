//! What servers keep their data in, what they share, and how many there are.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::Value;
use tempfile::TempDir;
use test_postgres::{Database, Postgres};
use thingcall_store::{Config, StoreUrl};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use crate::registered::scratch;

const REDIS_READY_TIMEOUT: Duration = Duration::from_secs(20);
/// Far more than is called, so that the quota is counted and never refuses.
const CALLS_PER_SECOND_MAX: u32 = 1_000_000;

/// How it is deployed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deployment {
    /// One server on SQLite.
    Alone,
    /// One on PostgreSQL, with nonces of its own and no quota: what the others add is beside this.
    Postgres,
    /// With nonces in PostgreSQL.
    NoncesInStore,
    /// With nonces in Redis.
    NoncesInRedis,
    /// With a quota that is kept in PostgreSQL.
    QuotaInStore,
    /// Three as `Postgres`.
    Three,
    /// Three with nonces and quota in PostgreSQL, as they come.
    ThreeSharing,
    /// One on SQLite that keeps no records of calls.
    RecordsNone,
    /// One on SQLite that keeps records of all calls.
    RecordsAll,
    /// One on SQLite, on so many worker threads.
    Workers(u16),
}

/// One turn's database and Redis.
pub(crate) struct Shared {
    database: Option<Database>,
    redis: Option<(Child, u16, TempDir)>,
    deployment: Deployment,
}

impl Deployment {
    /// All that `--shared` adds.
    pub(crate) const SHARED: [Self; 6] =
        [Self::Postgres, Self::NoncesInStore, Self::NoncesInRedis, Self::QuotaInStore, Self::Three, Self::ThreeSharing];

    /// All that `--records` adds.
    pub(crate) const RECORDS: [Self; 2] = [Self::RecordsNone, Self::RecordsAll];

    /// All that `--scaling` adds: worker threads, as many as there are processors, and three instances beside one.
    pub(crate) fn scaling() -> Vec<Self> {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let workers = [1, 2, 4, 8].into_iter().filter(|threads| usize::from(*threads) <= processors);
        workers.map(Self::Workers).chain([Self::Postgres, Self::Three]).collect()
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Alone => "calls",
            Self::Postgres => "postgres",
            Self::NoncesInStore => "nonces-store",
            Self::NoncesInRedis => "nonces-redis",
            Self::QuotaInStore => "quota-store",
            Self::Three => "three",
            Self::ThreeSharing => "three-sharing",
            Self::RecordsNone => "records-none",
            Self::RecordsAll => "records-all",
            Self::Workers(1) => "workers-1",
            Self::Workers(2) => "workers-2",
            Self::Workers(4) => "workers-4",
            Self::Workers(_) => "workers-8",
        }
    }

    pub(crate) const fn instances(self) -> usize {
        match self {
            Self::Alone
            | Self::Postgres
            | Self::NoncesInStore
            | Self::NoncesInRedis
            | Self::QuotaInStore
            | Self::RecordsNone
            | Self::RecordsAll
            | Self::Workers(_) => 1,
            Self::Three | Self::ThreeSharing => 3,
        }
    }

    const fn nonces(self) -> &'static str {
        match self {
            Self::NoncesInStore | Self::ThreeSharing => "store",
            Self::NoncesInRedis => "redis",
            Self::Alone
            | Self::Postgres
            | Self::QuotaInStore
            | Self::Three
            | Self::RecordsNone
            | Self::RecordsAll
            | Self::Workers(_) => "local",
        }
    }

    const fn quota(self) -> (&'static str, u32) {
        match self {
            Self::QuotaInStore | Self::ThreeSharing => ("store", CALLS_PER_SECOND_MAX),
            Self::Alone
            | Self::Postgres
            | Self::NoncesInStore
            | Self::NoncesInRedis
            | Self::Three
            | Self::RecordsNone
            | Self::RecordsAll
            | Self::Workers(_) => ("local", 0),
        }
    }

    /// Which calls are on record, where that is not left as it comes.
    const fn records(self) -> Option<&'static str> {
        match self {
            Self::RecordsNone => Some("none"),
            Self::RecordsAll => Some("all"),
            Self::Alone
            | Self::Postgres
            | Self::NoncesInStore
            | Self::NoncesInRedis
            | Self::QuotaInStore
            | Self::Three
            | Self::ThreeSharing
            | Self::Workers(_) => None,
        }
    }

    /// On how many threads it runs, where that is not left as it comes.
    const fn worker_threads(self) -> Option<u16> {
        if let Self::Workers(threads) = self { Some(threads) } else { None }
    }

    /// Makes what it needs: an empty database, a Redis.
    ///
    /// # Errors
    /// What cannot be started.
    pub(crate) async fn start(self) -> anyhow::Result<Shared> {
        let on_sqlite = self == Self::Alone || self.records().is_some() || self.worker_threads().is_some();
        let database = (!on_sqlite).then(|| POSTGRES.database());
        let redis = if self.nonces() == "redis" { Some(redis().await?) } else { None };
        Ok(Shared { database, redis, deployment: self })
    }
}

/// Its commits reach the disk, as a user's do.
static POSTGRES: std::sync::LazyLock<Postgres> =
    std::sync::LazyLock::new(|| Postgres::start_with("shared_buffers = 256MB\nmax_wal_size = 4GB\n"));

impl Shared {
    /// Where the store of all its servers is.
    pub(crate) fn store(&self) -> Config {
        let url = self.database.as_ref().map(|database| StoreUrl::new(&database.url()));
        Config { url, ..Config::default() }
    }

    /// Its part of the configuration. JSON's quoting is TOML's.
    pub(crate) fn configuration(&self) -> String {
        let (quota, calls_per_second_max) = self.deployment.quota();
        let mut text = format!("[api]\ncalls_per_second_max = {calls_per_second_max}\nnonces_max = 100000000\n");
        if let Some(threads) = self.deployment.worker_threads() {
            text.push_str(&format!("[runtime]\nworker_threads = {threads}\n"));
        }
        if let Some(keep) = self.deployment.records() {
            text.push_str(&format!("[records]\nkeep = \"{keep}\"\n"));
        }
        if let Some(database) = &self.database {
            let nonces = self.deployment.nonces();
            text.push_str(&format!("[store]\nurl = {}\n", Value::from(database.url())));
            text.push_str(&format!("[shared]\nnonces = \"{nonces}\"\nquota = \"{quota}\"\n"));
        }
        if let Some((_, port, _)) = &self.redis {
            text.push_str(&format!("redis = \"redis://127.0.0.1:{port}/0\"\n"));
        }
        text
    }

    /// Ends what it started; the PostgreSQL stays, and goes with this program.
    pub(crate) async fn stop(self) {
        if let Some((mut redis, ..)) = self.redis {
            // Already ended.
            drop(redis.kill().await);
        }
    }
}

/// A Redis without a disk, on a free port.
async fn redis() -> anyhow::Result<(Child, u16, TempDir)> {
    let folder = scratch()?;
    let port = std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
    let config = folder.path().join("redis.conf");
    std::fs::write(&config, configuration(folder.path(), port))?;
    let mut command = Command::new("redis-server");
    command.arg(&config).stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
    let mut child = command.spawn().context("redis-server cannot be started")?;
    let deadline = Instant::now() + REDIS_READY_TIMEOUT;
    while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        if let Some(status) = child.try_wait()? {
            bail!("redis-server ended: {status}");
        }
        anyhow::ensure!(Instant::now() < deadline, "redis-server does not listen after {REDIS_READY_TIMEOUT:?}");
        sleep(Duration::from_millis(20)).await;
    }
    Ok((child, port, folder))
}

fn configuration(folder: &Path, port: u16) -> String {
    format!("port {port}\nbind 127.0.0.1\ndir {}\nsave \"\"\nappendonly no\n", folder.display())
}
