//! The one connection that all questions share, made anew where it was lost.
//!
//! Many questions are under way on it at once, in one stream. Which Redis answers is known by its run id: it is another one
//! after each restart.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, ErrorKind, InfoDict, RedisError};
use thingcall_core::{Problem, SharedError};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::config::Config;

/// Who asks within this time after a failed attempt gets its error.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// A Redis that instances share.
pub struct Redis {
    client: redis::Client,
    place: String,
    within: Duration,
    open: ArcSwapOption<Open>,
    /// One at a time connects; why it failed last, and when.
    opening: Mutex<Option<(Instant, SharedError)>>,
}

/// A connection that was made.
pub(crate) struct Open {
    connection: MultiplexedConnection,
    run_id: String,
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").field("place", &self.place).finish_non_exhaustive()
    }
}

impl Redis {
    /// A Redis that is connected to when it is first asked.
    ///
    /// # Errors
    /// What is wrong with its configuration or a file.
    pub fn new(config: &Config) -> Result<Arc<Self>, Problem> {
        // With several of them in one program, rustls takes none by itself.
        let _there_is_one = tokio_rustls::rustls::crypto::aws_lc_rs::default_provider().install_default();
        Ok(Arc::new(Self {
            client: config.client()?,
            place: config.place(),
            within: config.ask_timeout,
            open: ArcSwapOption::empty(),
            opening: Mutex::default(),
        }))
    }

    /// The connection.
    pub(crate) async fn open(&self) -> Result<Arc<Open>, SharedError> {
        if let Some(open) = self.open.load_full() {
            return Ok(open);
        }
        let mut failed = self.opening.lock().await;
        if let Some(open) = self.open.load_full() {
            return Ok(open);
        }
        if let Some((at, why)) = &*failed
            && at.elapsed() < RETRY_PAUSE
        {
            return Err(why.clone());
        }
        match self.connect().await {
            Ok(open) => {
                let open = Arc::new(open);
                self.open.store(Some(open.clone()));
                *failed = None;
                Ok(open)
            }
            Err(why) => {
                *failed = Some((Instant::now(), why.clone()));
                Err(why)
            }
        }
    }

    /// What an error on this connection says. Where it may be the connection's, the next question makes another one.
    pub(crate) fn told(&self, open: &Arc<Open>, error: &RedisError) -> SharedError {
        // A replica: the one that may be written to is elsewhere by now.
        let replica = error.code() == Some("READONLY");
        if replica || error.is_unrecoverable_error() || error.is_timeout() || error.is_io_error() {
            let seen = self.open.load();
            if seen.as_ref().is_some_and(|seen| Arc::ptr_eq(seen, open)) {
                self.open.store(None);
            }
        }
        self.error(error)
    }

    async fn connect(&self) -> Result<Open, SharedError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.within))
            .set_response_timeout(Some(self.within));
        let connected = self.client.get_multiplexed_async_connection_with_config(&config).await;
        let mut connection = connected.map_err(|error| self.error(&error))?;
        let info: Result<InfoDict, _> = redis::cmd("INFO").query_async(&mut connection).await;
        let info = info.map_err(|error| self.error(&error))?;
        let (bytes_max, policy): (Option<u64>, Option<String>) = (info.get("maxmemory"), info.get("maxmemory_policy"));
        if bytes_max.is_some_and(|max| max > 0)
            && let Some(policy) = policy.filter(|policy| policy != "noeviction")
        {
            let right = "right is noeviction, since a nonce that is forgotten lets a request in twice";
            return Err(SharedError(format!("redis at {}: its maxmemory-policy is {policy}; {right}", self.place)));
        }
        let run_id: Option<String> = info.get("run_id");
        let run_id = run_id.ok_or_else(|| SharedError(format!("redis at {}: INFO tells no run_id", self.place)))?;
        Ok(Open { connection, run_id })
    }

    fn error(&self, error: &RedisError) -> SharedError {
        let hint = if error.kind() == ErrorKind::AuthenticationFailed {
            " (right are redis_username and redis_password of a user that may do INFO, GET, SET, DEL, TIME and EVALSHA)"
        } else {
            ""
        };
        SharedError(format!("redis at {}: {error}{hint}", self.place))
    }
}

impl Open {
    /// It, to ask something.
    pub(crate) fn connection(&self) -> MultiplexedConnection {
        self.connection.clone()
    }

    /// Which Redis answers.
    pub(crate) fn run_id(&self) -> &str {
        &self.run_id
    }
}
