//! The gate, listening.
//!
//! **Invariant:** how connections come, are bounded and end is `thingcall-listen`'s; this file says with which limits.

use std::sync::Arc;

use axum::Router;
use hyper_util::service::TowerToHyperService;
use thingcall_core::{Credentials, PresenceSink};
use thingcall_listen::{Figures, Limits, Plain, Serving, Shown};
use tokio::net::TcpListener;

use crate::config::Config;
use crate::endpoint::Endpoint;
use crate::metrics::Metrics;
use crate::request;
use crate::who::Doorkeeper;

/// What the gate works with.
pub struct GateParts {
    /// What devices must prove.
    pub credentials: Arc<dyn Credentials>,
    /// Takes note of devices that connect or publish.
    pub presence: Arc<dyn PresenceSink>,
}

/// Answers brokers' questions about devices.
pub struct Gate {
    pub(crate) keeper: Arc<Doorkeeper>,
    pub(crate) figures: Figures,
}

/// Room for a request's line and headers beside a query of `body_bytes_max`.
const HEAD_BYTES: usize = 16 * 1024;

impl Gate {
    /// A gate that does not listen yet.
    ///
    /// # Errors
    /// If its metrics are registered already.
    pub fn new(config: Config, parts: GateParts, registry: &prometheus::Registry) -> Result<Self, prometheus::Error> {
        let metrics = Metrics::register(registry, config.client_ids_max.get(), Endpoint::all())?;
        let keeper = Doorkeeper::new(config, parts.credentials, parts.presence, metrics);
        Ok(Self { keeper: Arc::new(keeper), figures: Figures::register("gate", registry)? })
    }

    /// Serves on this listener.
    pub fn serve(self, listener: TcpListener) -> Serving {
        self.serve_tls(listener, None)
    }

    /// The same with TLS, where a certificate is shown.
    pub fn serve_tls(self, listener: TcpListener, tls: Option<Arc<Shown>>) -> Serving {
        let config = &self.keeper.config;
        let limits = Limits {
            connections_max: config.connections_max.get(),
            head_bytes_max: HEAD_BYTES.saturating_add(config.body_bytes_max.get()),
            head_timeout: config.idle_timeout,
            write_timeout: config.write_timeout,
            unauthenticated_bytes_max: config.unauthenticated_bytes_max.get(),
        };
        let router = Router::new().fallback(request::handle).with_state(self.keeper);
        let router = Arc::new(Plain(TowerToHyperService::new(router)));
        thingcall_listen::serve_tls(listener, limits, self.figures, router, tls)
    }
}
