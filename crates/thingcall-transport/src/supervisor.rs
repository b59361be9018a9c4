//! The task that owns the connection: connect, run, close; and again.
//!
//! **Invariant:** when a connection ends, first deliveries are refused, then all that was queued on it is dropped, and
//! then the engine is told.

use std::sync::Arc;
use std::time::Duration;

use thingcall_core::PeerText;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::backoff::Backoff;
use crate::metrics::ConnectResult;
use crate::protocol::{Ended, Protocol, Session};
use crate::section::BrokerSection;

/// A connection that lasted so long was a good one: the next one is tried soon. Two instances that share a client id end
/// each other's connections at once, and must not do so all the time.
const GOOD_AFTER: Duration = Duration::from_secs(5);

/// Keeps a connection until it is to stop.
pub(crate) async fn supervise<P: Protocol>(protocol: Arc<P>, stop: CancellationToken) {
    let keys = protocol.config().keys();
    let mut backoff = Backoff::new(keys.reconnect_pause_min, keys.reconnect_pause_max);
    while !stop.is_cancelled() {
        let ended = match connect(&protocol, &stop).await {
            Ok(session) => {
                let began = Instant::now();
                let ended = serve(&*protocol, session, &stop).await;
                if began.elapsed() >= GOOD_AFTER {
                    backoff.begin_anew();
                }
                ended
            }
            Err(ended) => {
                protocol.contact().close(&ended.why);
                if !stop.is_cancelled() {
                    protocol.contact().metrics.connected(ended.result);
                }
                ended
            }
        };
        if stop.is_cancelled() {
            return;
        }
        let why = PeerText::new(&ended.why);
        warn!(broker = %keys.url, %why, retry_ms = backoff.pause().as_millis(), "no connection to the broker");
        tokio::select! {
            () = sleep(backoff.next_wait()) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// Tells the engine of a connection that is gone, with all that was queued on it.
pub(crate) fn lost<P: Protocol>(protocol: &P) {
    if protocol.contact().owes_end() {
        protocol.ended();
        protocol.contact().lost();
    }
}

async fn connect<P: Protocol>(protocol: &Arc<P>, stop: &CancellationToken) -> Result<P::Session, Ended> {
    tokio::select! {
        connected = timeout(protocol.config().keys().connect_timeout, protocol.connect()) => {
            connected.unwrap_or_else(|_| Err(Ended::new(ConnectResult::Timeout, "no answer in time")))
        }
        () = stop.cancelled() => Err(Ended::stopping()),
    }
}

async fn serve<P: Protocol>(protocol: &P, mut session: P::Session, stop: &CancellationToken) -> Ended {
    protocol.contact().open(session.open());
    protocol.look();
    let ended = session.run(stop).await;
    protocol.contact().close(&ended.why);
    session.close().await;
    lost(protocol);
    ended
}

#[cfg(test)]
mod tests;
