//! The console, listening.
//!
//! **Invariant:** how connections come, are bounded and end is `thingcall-listen`'s; this file says with which limits.

use std::sync::Arc;

use hyper_util::service::TowerToHyperService;
use thingcall_core::Refusals;
use thingcall_listen::{Figures, Limits, Plain, Serving, Shown};
use tokio::net::TcpListener;

use crate::config::Config;
use crate::desk::Desk;
use crate::ended::Ended;
use crate::history::History;
use crate::lockout::Lockout;
use crate::metrics::Metrics;
use crate::operations::Operations;
use crate::strangers::Strangers;
use crate::tails::Tails;
use crate::{routes, sampler};

/// The largest request line and headers.
const HEAD_BYTES: usize = 32 * 1024;

/// What the console works with.
pub struct ConsoleParts {
    /// What pages ask, and have done.
    pub operations: Arc<dyn Operations>,
}

/// Pages for people.
pub struct Console {
    desk: Desk,
    figures: Figures,
}

impl Console {
    /// A console that does not listen yet.
    ///
    /// # Errors
    /// If its metrics are registered already.
    pub fn new(
        config: Config,
        parts: ConsoleParts,
        registry: &prometheus::Registry,
    ) -> Result<Self, prometheus::Error> {
        let lockout = Lockout::new(config.failed_logins_max.get(), config.lock_out);
        // Browsers tell hosts apart, and not their ports: two consoles of one machine must not share a cookie.
        let cookie =
            if config.is_tls() { "__Host-thingcall".to_owned() } else { format!("thingcall_{}", config.listen.port()) };
        let lockout_of_nobody = Lockout::new(config.failed_logins_max.get(), config.lock_out);
        let strangers = Strangers::new(config.refused_per_minute_max);
        let metrics = Metrics::register(registry)?;
        let tails = Tails::new(config.tails_max(), registry)?;
        let figures = Figures::register("console", registry)?;
        let desk = Desk {
            config,
            operations: parts.operations,
            lockout,
            lockout_of_nobody,
            ended: Ended::register(registry)?,
            refusals: Refusals::default(),
            strangers,
            history: History::default(),
            tails,
            metrics,
            cookie,
        };
        Ok(Self { desk, figures })
    }

    /// Serves on this listener.
    pub fn serve(self, listener: TcpListener) -> Serving {
        self.serve_tls(listener, None)
    }

    /// The same with TLS, where a certificate is shown.
    pub fn serve_tls(mut self, listener: TcpListener, tls: Option<Arc<Shown>>) -> Serving {
        if let (Ok(address), false) = (listener.local_addr(), self.desk.config.is_tls()) {
            self.desk.cookie = format!("thingcall_{}", address.port());
        }
        let config = &self.desk.config;
        let limits = Limits {
            connections_max: config.connections_max.get(),
            head_bytes_max: HEAD_BYTES,
            head_timeout: config.header_read_timeout,
            write_timeout: config.write_timeout,
            unauthenticated_bytes_max: config.unauthenticated_bytes_max.get(),
        };
        let desk = Arc::new(self.desk);
        tokio::spawn(sampler::keep(Arc::downgrade(&desk)));
        let pages = Plain(TowerToHyperService::new(routes::all(desk)));
        thingcall_listen::serve_tls(listener, limits, self.figures, Arc::new(pages), tls)
    }
}
