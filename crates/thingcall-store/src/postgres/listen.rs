//! Listening for changes and for messages of the log, on a connection of its own.
//!
//! **Invariant:** where the connection was lost, or does not answer, that is said before another is made: whoever looks for
//! changes does not rely on it meanwhile.

use std::convert::Infallible;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use tokio::time::{sleep, timeout};
use tracing::{debug, info, warn};

use super::connection::Patience;
use super::trouble::{failure, within};
use super::{directory, messages};
use crate::failure::Failure;
use crate::told::Told;

/// How long after the connection was lost another is made.
const AGAIN: Duration = Duration::from_secs(1);
/// A connection that was silent for so long is asked whether it lives: a network that is cut may never say so.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// Tells of changes, without an end.
pub(super) async fn tell(options: &PgConnectOptions, patience: &Patience, told: &Told) {
    loop {
        let Err(problem) = listen(options, patience, told).await;
        if told.ends() {
            warn!(%problem, "the store tells of changes no more; they are looked for until it does again");
        } else {
            debug!(%problem, "the store cannot be listened to");
        }
        sleep(AGAIN).await;
    }
}

/// Tells of changes until the connection is lost.
async fn listen(options: &PgConnectOptions, patience: &Patience, told: &Told) -> Result<Infallible, Failure> {
    let mut listener = within(&patience.connect, connect(options, patience.connect.time)).await?;
    if told.begun() > 0 {
        info!("the store tells of changes again");
    }
    told.begins();
    loop {
        match timeout(SILENCE_MAX, listener.try_recv()).await {
            // Without a place, messages are seen when they are looked for.
            Ok(Ok(Some(said))) if said.channel() == messages::CHANNEL => {
                said.payload().parse().into_iter().for_each(|newest| told.appended(newest));
            }
            Ok(Ok(Some(_))) => told.changed(),
            Ok(Ok(None)) => return Err(failure(sqlx::Error::Io(std::io::ErrorKind::ConnectionAborted.into()))),
            Ok(Err(error)) => return Err(failure(error)),
            // What is told in between is kept for the next look.
            Err(_) => {
                let _lives = within(&patience.answer, sqlx::query("SELECT 1").execute(&mut listener)).await?;
            }
        }
    }
}

/// The library listens on a pool's connection; this pool is for that one.
async fn connect(options: &PgConnectOptions, limit: Duration) -> Result<PgListener, sqlx::Error> {
    let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(limit).connect_lazy_with(options.clone());
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.eager_reconnect(false);
    listener.listen_all([directory::CHANNEL, messages::CHANNEL]).await?;
    Ok(listener)
}
