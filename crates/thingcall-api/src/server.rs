//! The front, listening.
//!
//! **Invariant:** how connections come, are bounded and end is `thingcall-listen`'s; this file says with which limits.

use std::sync::Arc;
use std::time::Duration;

use thingcall_core::{AuditLog, CallRecords, Keys, OnceTokens, Registrar, Tracer, UnixMillis};
use thingcall_engine::Engine;
use thingcall_listen::{Figures, Limits, Serving, Shown};
use thingcall_tsl::Directory;
use tokio::net::TcpListener;

use crate::app::{App, AppParts};
use crate::config::Config;
use crate::fleets::Fleets;
use crate::inside::Inside;
use crate::quota::Quotas;
use crate::shared::SharedParts;
use crate::subscribing::Subscribing;

/// What the front works with.
pub struct FrontParts {
    /// Makes the calls.
    pub engine: Arc<Engine>,
    /// Products and devices.
    pub directory: Arc<dyn Directory>,
    /// Groups and subscriptions, and who consumes; where nobody keeps them, there are no such actions.
    pub subscribing: Option<Subscribing>,
    /// Who gives devices their secrets that come without one; where nobody does, nothing is there for them.
    pub registrar: Option<Arc<dyn Registrar>>,
    /// Who keeps calls.
    pub records: Arc<dyn CallRecords>,
    /// Calls of many devices; where nobody keeps them, there are no such actions.
    pub fleets: Option<Fleets>,
    /// Who may call.
    pub keys: Arc<dyn Keys>,
    /// Keeps the tokens of calls that are made once; where nobody does, such requests are refused.
    pub tokens: Option<Arc<dyn OnceTokens>>,
    /// Who keeps what was changed, and by whom.
    pub audit: Arc<dyn AuditLog>,
    /// Takes what is recorded of traces; where nobody does, requests belong to none.
    pub tracer: Option<Arc<dyn Tracer>>,
    /// What other instances share with this one.
    pub shared: SharedParts,
}

/// The HTTP front.
pub struct Front {
    app: Arc<App>,
    figures: Figures,
}

impl Front {
    /// A front that does not listen yet.
    ///
    /// # Errors
    /// If its metrics are registered already.
    pub fn new(config: Config, parts: FrontParts, registry: &prometheus::Registry) -> Result<Self, prometheus::Error> {
        let FrontParts {
            engine,
            directory,
            subscribing,
            registrar,
            records,
            fleets,
            keys,
            tokens,
            audit,
            tracer,
            shared,
        } = parts;
        let clock = Arc::new(UnixMillis::now);
        let parts = AppParts {
            calls: engine,
            directory,
            subscribing,
            registrar,
            records,
            fleets,
            keys,
            tokens,
            audit,
            tracer,
            clock,
            shared,
        };
        Self::assemble(config, parts, registry)
    }

    pub(crate) fn assemble(
        config: Config,
        parts: AppParts,
        registry: &prometheus::Registry,
    ) -> Result<Self, prometheus::Error> {
        let app = App::new(config, parts, registry)?;
        Ok(Self { app: Arc::new(app), figures: Figures::register("api", registry)? })
    }

    /// Waits, where instances share nonces, until what is signed now can be told from what was sent before; at most so
    /// long. Readiness says it if that is too short.
    pub async fn begun(&self, within: Duration) {
        self.app.begun(within).await;
    }

    /// The same actions, for other parts of this program.
    pub fn inside(&self) -> Inside {
        Inside::new(self.app.clone())
    }

    /// What accounts may do in a second, which can become another.
    pub fn quotas(&self) -> Quotas {
        Quotas(self.app.desk.quotas().clone())
    }

    /// Serves on this listener.
    pub fn serve(self, listener: TcpListener) -> Serving {
        self.serve_tls(listener, None)
    }

    /// The same with TLS, where a certificate is shown.
    pub fn serve_tls(self, listener: TcpListener, tls: Option<Arc<Shown>>) -> Serving {
        let config = &self.app.config;
        let limits = Limits {
            connections_max: config.connections_max.get(),
            head_bytes_max: config.head_bytes_max,
            head_timeout: config.header_read_timeout,
            write_timeout: config.write_timeout,
            unauthenticated_bytes_max: config.unauthenticated_bytes_max,
        };
        thingcall_listen::serve_tls(listener, limits, self.figures, self.app, tls)
    }
}
