//! What requests are answered with, shared by all connections.
//!
//! **Invariant:** whoever is judged by its signature is counted, once.

use std::sync::Arc;

use hyper::http::request::Parts;
use prometheus::Registry;
use thingcall_core::AccessKey;
use thingcall_tsl::Directory;
use tokio::time::Instant;

use crate::auth::Authenticator;
use crate::calls::{CallDesk, Calls};
use crate::config::Config;
use crate::gateway::GatewayError;
use crate::incoming::Incoming;
use crate::metrics::{Metrics, fullness};
use crate::quota::{Accounts, Quota};

/// The front, without its listener.
pub(crate) struct App {
    pub(crate) config: Config,
    pub(crate) desk: CallDesk,
    pub(crate) directory: Arc<dyn Directory>,
    pub(crate) metrics: Metrics,
    auth: Authenticator,
}

impl App {
    pub(crate) fn new(
        config: Config,
        calls: Arc<dyn Calls>,
        directory: Arc<dyn Directory>,
        auth: Authenticator,
        registry: &Registry,
    ) -> Result<Self, prometheus::Error> {
        let accounts = Accounts::new();
        show(&config, &auth, &accounts, registry)?;
        let quota = Quota::new(config.calls_per_second_max, accounts);
        let desk = CallDesk::new(calls, quota, config.result);
        Ok(Self { desk, directory, auth, metrics: Metrics::register(registry)?, config })
    }

    /// The key that signed this request.
    pub(crate) fn admit(&self, incoming: &Incoming<'_>) -> Result<Arc<AccessKey>, GatewayError> {
        incoming
            .params
            .check()
            .and_then(|()| self.auth.admit(incoming))
            .inspect(|_| self.metrics.admitted())
            .inspect_err(|why| self.metrics.refused(why))
    }

    /// Refuses a request whose head alone says already that it will be.
    pub(crate) fn foresee(&self, head: &Parts) -> Result<(), GatewayError> {
        let incoming = Incoming::read(Instant::now(), head, &[]);
        self.auth.foresee(&incoming).inspect_err(|why| self.metrics.refused(why))
    }
}

/// Shows how much of its limits is used up.
#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn show(
    config: &Config,
    auth: &Authenticator,
    accounts: &Accounts,
    registry: &Registry,
) -> Result<(), prometheus::Error> {
    let fullest = auth.fullest();
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
