//! Connecting: where, as whom, how long it may take, and what is said where it fails.
//!
//! **Invariant:** no error shows a password. A session ends what it began and does not go on with: an instance that stands
//! still in the midst of a transaction holds the others up for [`IDLE_IN_TRANSACTION_MAX`] at most.

use std::io::ErrorKind;
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, PgConnection};
use tokio::time::timeout;

use super::error::{PostgresError, Why};
use super::schema;
use crate::Config;
use crate::store_url::StoreUrl;

/// How long a transaction may stand still: less than a lease lasts, so that one that died in it holds no take-over up.
const IDLE_IN_TRANSACTION_MAX: &str = "5000";
/// How long a statement waits for another transaction.
const LOCK_TIMEOUT_MS: &str = "5000";
/// How many texts a connection keeps prepared.
const PREPARED_STATEMENTS_MAX: usize = 200;
/// A connection for reading that nobody used for so long is closed.
const IDLE_TIMEOUT: Duration = Duration::from_mins(10);

/// Connects, and brings the schema up to date. The pool is for reading; how to connect it says too.
pub(crate) async fn open(config: &Config, url: &StoreUrl) -> Result<PgPool, PostgresError> {
    let options = options(config, url)?;
    let mut conn = connect_alone(config, url).await?;
    if let Some(of) = schema::half_of(&mut conn).await.map_err(|source| PostgresError::of(url, source))? {
        return Err(PostgresError::Half { url: url.clone(), of });
    }
    drop(conn);
    let pool = PgPoolOptions::new().max_connections(config.read_connections_max.get());
    let pool = pool.acquire_timeout(config.answer_timeout).idle_timeout(IDLE_TIMEOUT);
    Ok(pool.connect_lazy_with(options))
}

/// The same for who needs one connection, also to a database that is half a copy.
pub(crate) async fn connect_alone(config: &Config, url: &StoreUrl) -> Result<PgConnection, PostgresError> {
    let mut conn = connect(config, url, &options(config, url)?).await?;
    let server = schema::server(&mut conn).await.map_err(|source| PostgresError::of(url, source))?;
    server.check(url)?;
    schema::migrate(&mut conn, url).await?;
    Ok(conn)
}

/// A connection whose commits are kept whatever happens to the server: that is asked for where database, user or URL have
/// switched it off, and what is stronger is left as it is.
pub(super) async fn connect_durably(options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    let mut conn = options.connect().await?;
    let durable =
        "SELECT set_config('synchronous_commit', 'on', FALSE) WHERE current_setting('synchronous_commit') = 'off'";
    sqlx::query(durable).execute(&mut conn).await?;
    Ok(conn)
}

/// One connection, within the time that may take.
pub(super) async fn connect(
    config: &Config,
    url: &StoreUrl,
    options: &PgConnectOptions,
) -> Result<PgConnection, PostgresError> {
    match timeout(config.connect_timeout, connect_durably(options)).await {
        Ok(connected) => connected.map_err(|source| PostgresError::of(url, source)),
        Err(_) => {
            let source = Some(sqlx::Error::Io(ErrorKind::TimedOut.into()));
            Err(PostgresError::Failed { url: url.clone(), why: Why::Unreachable, source })
        }
    }
}

/// How to connect. What a session waits for is bounded, so that no instance holds another up for long.
pub(super) fn options(config: &Config, url: &StoreUrl) -> Result<PgConnectOptions, PostgresError> {
    let invalid = |source: sqlx::Error| PostgresError::of(url, source);
    let mut options = PgConnectOptions::from_str(url.expose()).map_err(invalid)?;
    if let Some(password) = &config.password {
        options = options.password(password.expose());
    }
    if options.get_application_name().is_none() {
        options = options.application_name("thingcall");
    }
    Ok(options
        .statement_cache_capacity(PREPARED_STATEMENTS_MAX)
        .options([("idle_in_transaction_session_timeout", IDLE_IN_TRANSACTION_MAX), ("lock_timeout", LOCK_TIMEOUT_MS)])
        .disable_statement_logging())
}
