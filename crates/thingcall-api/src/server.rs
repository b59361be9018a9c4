//! The front, listening.
//!
//! **Invariant:** how connections come, are bounded and end is `thingcall-listen`'s; this file says with which limits.

use std::future::Future;
use std::sync::Arc;

use thingcall_core::{Keys, UnixMillis};
use thingcall_engine::Engine;
use thingcall_listen::{Figures, Limits};
use thingcall_tsl::Directory;
use tokio::net::TcpListener;

use crate::auth::Gate;
use crate::config::Config;
use crate::invoke::Calls;
use crate::metrics::{Metrics, fullness};
use crate::quota::{Accounts, Quota};
use crate::request::App;

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
    app: App,
    figures: Figures,
}

impl Front {
    /// A front that does not listen yet.
    ///
    /// # Errors
    /// If its metrics are registered already.
    pub fn new(config: Config, parts: Parts, registry: &prometheus::Registry) -> Result<Self, prometheus::Error> {
        let gate = Gate::new(parts.keys, &config, Arc::new(UnixMillis::now));
        Self::assemble(config, parts.engine, parts.directory, gate, registry)
    }

    pub(crate) fn assemble(
        config: Config,
        calls: Arc<dyn Calls>,
        directory: Arc<dyn Directory>,
        gate: Gate,
        registry: &prometheus::Registry,
    ) -> Result<Self, prometheus::Error> {
        let accounts = Accounts::new();
        show(&config, &gate, &accounts, registry)?;
        let app = App {
            calls,
            directory,
            gate,
            quota: Quota::new(config.calls_per_second_max, accounts),
            metrics: Metrics::register(registry)?,
            config,
        };
        Ok(Self { app, figures: Figures::register("api", registry)? })
    }

    /// Serves until `drain` resolves; then takes no new connections, closes idle ones, and returns when the running
    /// requests have their answers. Dropping the future cuts all connections.
    pub async fn serve(self, listener: TcpListener, drain: impl Future<Output = ()>) {
        let config = &self.app.config;
        let limits = Limits {
            connections_max: config.connections_max.get(),
            head_bytes_max: config.head_bytes_max,
            head_timeout: config.header_read_timeout,
            write_timeout: config.write_timeout,
            unauthenticated_bytes_max: config.unauthenticated_bytes_max,
        };
        thingcall_listen::serve(listener, limits, self.figures, self.app, drain).await;
    }
}

/// Shows how much of its limits is used up.
#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn show(
    config: &Config,
    gate: &Gate,
    accounts: &Accounts,
    registry: &prometheus::Registry,
) -> Result<(), prometheus::Error> {
    let fullest = gate.fullest();
    let about = ("key_nonces", "Nonces remembered of the access key that has most");
    fullness::register(registry, about, config.nonces_max.get(), move || fullest() as f64)?;
    if config.calls_per_second_max == 0 {
        return Ok(());
    }
    let (accounts, limit) = (accounts.clone(), config.calls_per_second_max as usize);
    let about =
        ("account_calls_per_second", "Calls a second of the account that made most, since they were last asked for");
    fullness::register(registry, about, limit, move || accounts.calls_per_second())
}
