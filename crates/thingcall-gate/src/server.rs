//! Connections of brokers: accepting, serving, closing.
//!
//! **Invariant:** a connection's future owns everything that is done for it. No more than `connections_max` are open.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use thingcall_core::{Credentials, PresenceSink};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::client_ids::ClientIds;
use crate::config::Config;
use crate::metrics::Metrics;
use crate::request;
use crate::who::App;

/// What the gate works with.
pub struct Parts {
    /// What devices must prove.
    pub credentials: Arc<dyn Credentials>,
    /// Takes note of devices that connect or publish.
    pub presence: Arc<dyn PresenceSink>,
}

/// Answers brokers' questions about devices.
pub struct Gate {
    pub(crate) app: Arc<App>,
}

/// How long accepting rests after the system refused a connection: it is out of files or memory.
const ACCEPT_REST: Duration = Duration::from_millis(100);

/// Room for a request's line and headers beside a query of `body_bytes_max`.
const HEAD_BYTES: usize = 16 * 1024;

impl Gate {
    /// A gate that does not listen yet.
    ///
    /// # Errors
    /// If its metrics are registered already.
    pub fn new(config: Config, parts: Parts, registry: &prometheus::Registry) -> Result<Self, prometheus::Error> {
        let app = App {
            credentials: parts.credentials,
            presence: parts.presence,
            client_ids: ClientIds::new(config.client_ids_max, config.client_id_hold),
            metrics: Metrics::register(registry, config.client_ids_max)?,
            config,
        };
        Ok(Self { app: Arc::new(app) })
    }

    /// All its paths, to be served with others.
    pub fn router(&self) -> Router {
        Router::new().fallback(request::handle).with_state(self.app.clone())
    }

    /// Serves until `drain` resolves; then takes no new connections and returns when running questions have their
    /// answers. Dropping the future cuts all connections.
    pub async fn serve(self, listener: TcpListener, drain: impl Future<Output = ()>) {
        let slots = Arc::new(Semaphore::new(self.app.config.connections_max));
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(self.app.config.idle_timeout)
            .max_buf_size(HEAD_BYTES.saturating_add(self.app.config.body_bytes_max));
        let router = TowerToHyperService::new(self.router());
        let draining = CancellationToken::new();
        let mut connections = JoinSet::new();
        let mut drain = pin!(drain);
        loop {
            let (stream, slot) = tokio::select! {
                accepted = accept(&listener, &slots) => accepted,
                () = &mut drain => break,
                Some(_) = connections.join_next() => continue,
            };
            let connection = converse(http.clone(), stream, router.clone(), draining.clone());
            connections.spawn(async move {
                let _slot = slot;
                if let Err(error) = connection.await {
                    debug!(%error, "connection ended");
                }
            });
        }
        drop(listener);
        draining.cancel();
        while connections.join_next().await.is_some() {}
    }
}

/// Serves one connection until the broker closes it or, draining, until its question has its answer.
async fn converse(
    http: http1::Builder,
    stream: TcpStream,
    router: TowerToHyperService<Router>,
    draining: CancellationToken,
) -> hyper::Result<()> {
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), router));
    tokio::select! {
        ended = connection.as_mut() => return ended,
        () = draining.cancelled() => {}
    }
    connection.as_mut().graceful_shutdown();
    connection.await
}

/// The next connection and its place among `connections_max`.
async fn accept(listener: &TcpListener, slots: &Arc<Semaphore>) -> (TcpStream, OwnedSemaphorePermit) {
    loop {
        let Ok(slot) = slots.clone().acquire_owned().await else {
            // The semaphore is never closed.
            return std::future::pending().await;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                if let Err(error) = stream.set_nodelay(true) {
                    debug!(%error, "no TCP_NODELAY");
                }
                return (stream, slot);
            }
            Err(error) if of_the_connection(&error) => debug!(%error, "connection lost before it was accepted"),
            Err(error) => {
                warn!(%error, "cannot accept connections");
                tokio::time::sleep(ACCEPT_REST).await;
            }
        }
    }
}

/// Whether an accept failed through the one connection alone.
fn of_the_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
