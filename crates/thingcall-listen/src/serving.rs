//! A listener that serves.
//!
//! **Invariant:** nothing serves that nobody holds: with its handle a listener and all its connections are gone.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::figures::Figures;
use crate::http::{self, Limits, Serve};
use crate::tls::Shown;

/// Serves requests that come in here, until it is told to drain or dropped.
pub fn serve<S: Serve>(listener: TcpListener, limits: Limits, figures: Figures, serve: Arc<S>) -> Serving {
    serve_tls(listener, limits, figures, serve, None)
}

/// The same with TLS, where a certificate is shown.
pub fn serve_tls<S: Serve>(
    listener: TcpListener,
    limits: Limits,
    figures: Figures,
    serve: Arc<S>,
    tls: Option<Arc<Shown>>,
) -> Serving {
    // At once: whoever knows that it listens may look at its limits.
    figures.limits(limits.connections_max, limits.unauthenticated_bytes_max);
    let draining = CancellationToken::new();
    let task = tokio::spawn(http::run(listener, limits, figures, (serve, tls), draining.clone()));
    Serving { draining, task }
}

/// A listener that serves. Dropping it cuts all connections.
#[derive(Debug)]
pub struct Serving {
    draining: CancellationToken,
    task: JoinHandle<()>,
}

/// Why a listener did not end by itself.
#[derive(Debug, thiserror::Error)]
pub enum NotEnded {
    /// There were connections still; they were cut.
    #[error("connections were open after {0:?}")]
    Cut(Duration),
    /// It failed.
    #[error(transparent)]
    Failed(#[from] JoinError),
}

impl Serving {
    /// Takes no new connections from now on and closes idle ones; running requests get their answers.
    pub fn drain(&self) {
        self.draining.cancel();
    }

    /// Drains, and waits until running requests have their answers.
    ///
    /// # Errors
    /// If that takes longer than `within`, or the listener failed.
    pub async fn stop(mut self, within: Duration) -> Result<(), NotEnded> {
        self.drain();
        match timeout(within, &mut self.task).await {
            Ok(ended) => Ok(ended?),
            Err(_elapsed) => Err(NotEnded::Cut(within)),
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.task.abort();
    }
}
