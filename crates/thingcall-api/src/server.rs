//! The front, listening.
//!
//! **Invariant:** how connections come, are bounded and end is `thingcall-listen`'s; this file says with which limits.

use std::sync::Arc;

use thingcall_core::{Keys, UnixMillis};
use thingcall_engine::Engine;
use thingcall_listen::{Figures, Limits, Serving};
use thingcall_tsl::Directory;
use tokio::net::TcpListener;

use crate::app::App;
use crate::auth::Authenticator;
use crate::calls::Calls;
use crate::config::Config;

/// What the front works with.
pub struct FrontParts {
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
    pub fn new(config: Config, parts: FrontParts, registry: &prometheus::Registry) -> Result<Self, prometheus::Error> {
        let auth = Authenticator::new(parts.keys, &config, Arc::new(UnixMillis::now));
        Self::assemble(config, parts.engine, parts.directory, auth, registry)
    }

    pub(crate) fn assemble(
        config: Config,
        calls: Arc<dyn Calls>,
        directory: Arc<dyn Directory>,
        auth: Authenticator,
        registry: &prometheus::Registry,
    ) -> Result<Self, prometheus::Error> {
        let app = App::new(config, calls, directory, auth, registry)?;
        Ok(Self { app, figures: Figures::register("api", registry)? })
    }

    /// Serves on this listener.
    pub fn serve(self, listener: TcpListener) -> Serving {
        let config = &self.app.config;
        let limits = Limits {
            connections_max: config.connections_max.get(),
            head_bytes_max: config.head_bytes_max,
            head_timeout: config.header_read_timeout,
            write_timeout: config.write_timeout,
            unauthenticated_bytes_max: config.unauthenticated_bytes_max,
        };
        thingcall_listen::serve(listener, limits, self.figures, self.app)
    }
}
