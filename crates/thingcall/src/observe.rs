//! What an operator sees from outside: `/metrics`, `/healthz` and `/readyz`, on a listener of their own.
//!
//! **Invariant:** it answers until the program ends, also while it drains.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper_util::service::TowerToHyperService;
use prometheus::proto::MetricFamily;
use prometheus::{IntGauge, Opts, Registry, TextEncoder};
use thingcall_core::ConditionState;
use thingcall_listen::{Figures, Limits, Plain, Serving};
use thingcall_metrics::Maker;
use tokio::net::TcpListener;

use crate::config::Metrics;
use crate::process;
use crate::readiness::Readiness;

/// The largest request line and headers.
const HEAD_BYTES: usize = 8 * 1024;

/// Brings gauges up to date that nobody keeps in between.
pub(crate) type Refresh = Box<dyn Fn() + Send + Sync>;

/// What is shown. Shared by the listener and whoever drains.
#[derive(Clone)]
pub(crate) struct Observed {
    registry: Registry,
    draining: IntGauge,
    figures: Figures,
    readiness: Readiness,
    refresh: Arc<Refresh>,
}

impl Observed {
    /// Shows `registry`, which gets the program's own metrics, and what `readiness` tells; `refresh` runs
    /// before each scrape.
    ///
    /// # Errors
    /// If one of the metrics is registered already.
    pub(crate) fn new(registry: Registry, readiness: Readiness, refresh: Refresh) -> Result<Self, prometheus::Error> {
        let draining = Maker::new(&registry).gauge("draining", "1 from the signal to stop until the end")?;
        registry.register(Box::new(build_info()?))?;
        process::register(&registry)?;
        let figures = Figures::register("operator", &registry)?;
        Ok(Self { registry, draining, figures, readiness, refresh: Arc::new(refresh) })
    }

    /// Whether the server is ready.
    pub(crate) const fn readiness(&self) -> &Readiness {
        &self.readiness
    }

    /// What readiness is made of.
    pub(crate) fn conditions(&self) -> Vec<ConditionState> {
        self.readiness.conditions().states()
    }

    /// All metrics, brought up to date, as Prometheus reads them.
    pub(crate) fn text(&self) -> Result<String, prometheus::Error> {
        (self.refresh)();
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }

    /// The same as it was gathered.
    pub(crate) fn families(&self) -> Vec<MetricFamily> {
        (self.refresh)();
        self.registry.gather()
    }

    /// From now on `/readyz` says that the program ends.
    pub(crate) fn drain(&self) {
        self.readiness.drains();
        self.draining.set(1);
    }

    /// Answers on this listener, these other questions too.
    pub(crate) fn serve(&self, listener: TcpListener, config: &Metrics, other: Router) -> Serving {
        let router = Router::new()
            .route("/metrics", get(metrics))
            .route("/healthz", get(|| async { "ok\n" }))
            .route("/readyz", get(ready))
            .with_state(self.clone())
            .merge(other);
        let limits = Limits {
            connections_max: config.connections_max.get(),
            head_bytes_max: HEAD_BYTES,
            head_timeout: config.header_read_timeout,
            write_timeout: config.write_timeout,
            // Nothing is asked here in a body; heads fit into what each connection has free.
            unauthenticated_bytes_max: config.connections_max.get().saturating_mul(HEAD_BYTES),
        };
        let router = Plain(TowerToHyperService::new(router));
        thingcall_listen::serve(listener, limits, self.figures.clone(), Arc::new(router))
    }
}

fn build_info() -> Result<IntGauge, prometheus::Error> {
    let labels = [
        ("version", env!("CARGO_PKG_VERSION")),
        ("revision", env!("THINGCALL_REVISION")),
        ("rustc", env!("THINGCALL_RUSTC")),
    ];
    let labels: HashMap<_, _> = labels.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let gauge = IntGauge::with_opts(Opts::new("thingcall_build_info", "What runs; always 1").const_labels(labels))?;
    gauge.set(1);
    Ok(gauge)
}

async fn metrics(State(observed): State<Observed>) -> Response {
    match observed.text() {
        Ok(text) => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

async fn ready(State(observed): State<Observed>) -> (StatusCode, String) {
    let (ready, text) = observed.readiness.told();
    (if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, text)
}
