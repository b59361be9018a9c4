//! Connections: accepting, serving, closing.
//!
//! **Invariant:** a connection's future owns everything that is done for it; when the caller hangs up, hyper drops the
//! request's future and with it the call. No more than `connections_max` are open. A drain lets running requests end.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use thingcall_core::{Keys, UnixMillis};
use thingcall_engine::Engine;
use thingcall_tsl::Directory;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::auth::Gate;
use crate::config::Config;
use crate::invoke::Calls;
use crate::metrics::Metrics;
use crate::quota::Quota;
use crate::request::{self, App};

/// What the front works with.
pub struct Parts {
    /// Makes the calls.
    pub engine: Arc<Engine>,
    /// Products and devices.
    pub directory: Arc<dyn Directory>,
    /// Who may call.
    pub keys: Arc<dyn Keys>,
}

/// The HTTP front.
pub struct Front {
    app: Arc<App>,
}

/// How long accepting rests after the system refused a connection: it is out of files or memory, and would be asked in
/// vain again and again.
const ACCEPT_REST: Duration = Duration::from_millis(100);

impl Front {
    /// A front that does not listen yet.
    ///
    /// # Errors
    /// If its metrics are registered already.
    pub fn new(config: Config, parts: Parts, registry: &prometheus::Registry) -> Result<Self, prometheus::Error> {
        let gate = Gate::new(parts.keys, &config, Box::new(UnixMillis::now));
        Self::assemble(config, parts.engine, parts.directory, gate, registry)
    }

    pub(crate) fn assemble(
        config: Config,
        calls: Arc<dyn Calls>,
        directory: Arc<dyn Directory>,
        gate: Gate,
        registry: &prometheus::Registry,
    ) -> Result<Self, prometheus::Error> {
        let app = App {
            calls,
            directory,
            gate,
            quota: Quota::new(config.calls_per_second_max),
            metrics: Metrics::register(registry)?,
            config,
        };
        Ok(Self { app: Arc::new(app) })
    }

    /// Serves until `drain` resolves; then takes no new connections, closes idle ones, and returns when the running
    /// requests have their answers. Dropping the future cuts all connections.
    ///
    /// # Errors
    /// None so far; a listener that fails for a moment is asked again.
    pub async fn serve(self, listener: TcpListener, drain: impl Future<Output = ()>) -> io::Result<()> {
        let slots = Arc::new(Semaphore::new(self.app.config.connections_max));
        let http = builder(&self.app.config);
        let draining = CancellationToken::new();
        let mut connections = JoinSet::new();
        let mut drain = pin!(drain);
        loop {
            let (stream, slot) = tokio::select! {
                accepted = accept(&listener, &slots) => accepted,
                () = &mut drain => break,
                Some(_) = connections.join_next() => continue,
            };
            let connection = converse(http.clone(), stream, self.app.clone(), draining.clone());
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
        Ok(())
    }
}

/// Serves one connection until the caller closes it or, draining, until its request has its answer.
async fn converse(
    http: http1::Builder,
    stream: TcpStream,
    app: Arc<App>,
    draining: CancellationToken,
) -> hyper::Result<()> {
    let answer = service_fn(|request| request::handle(app.clone(), request));
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), answer));
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

fn builder(config: &Config) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(config.header_read_timeout)
        .max_buf_size(config.head_bytes_max.max(8192))
        .max_header_size(config.head_bytes_max.max(8192))
        // One SDK looks for `Content-Type`, written so and not otherwise.
        .title_case_headers(true)
        .writev(false);
    http
}
