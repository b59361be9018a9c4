//! What an operator sees from outside: `/metrics`, `/healthz` and `/readyz`, on a listener of their own.
//!
//! **Invariant:** it answers until the program ends, also while it drains.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper_util::service::TowerToHyperService;
use prometheus::proto::MetricFamily;
use prometheus::{IntGauge, Opts, Registry, TextEncoder};
use thingcall_core::ConditionState;
use thingcall_listen::{Figures, Limits, Plain, Serving, Shown};
use thingcall_metrics::{Exemplars, Maker, OPENMETRICS_TYPE, openmetrics};
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
    exemplars: Exemplars,
    draining: IntGauge,
    figures: Figures,
    readiness: Readiness,
    refresh: Arc<Refresh>,
}

impl Observed {
    /// Shows `registry`, with the examples of its histograms, which gets the program's own metrics, and what `readiness` tells; `refresh` runs
    /// before each scrape.
    ///
    /// # Errors
    /// If one of the metrics is registered already.
    pub(crate) fn new(
        (registry, exemplars): (Registry, Exemplars),
        readiness: Readiness,
        refresh: Refresh,
    ) -> Result<Self, prometheus::Error> {
        let draining = Maker::new(&registry).gauge("draining", "1 from the signal to stop until the end")?;
        registry.register(Box::new(build_info()?))?;
        process::register(&registry)?;
        let figures = Figures::register("operator", &registry)?;
        Ok(Self { registry, exemplars, draining, figures, readiness, refresh: Arc::new(refresh) })
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

    /// The same as OpenMetrics, with examples.
    fn openmetrics(&self) -> Result<String, prometheus::Error> {
        Ok(openmetrics(&self.text()?, &self.exemplars))
    }

    /// From now on `/readyz` says that the program ends.
    pub(crate) fn drain(&self) {
        self.readiness.drains();
        self.draining.set(1);
    }

    /// Answers on this listener, these other questions too.
    pub(crate) fn serve(
        &self,
        listener: TcpListener,
        (config, tls): (&Metrics, Option<Arc<Shown>>),
        other: Router,
    ) -> Serving {
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
        thingcall_listen::serve_tls(listener, limits, self.figures.clone(), Arc::new(router), tls)
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

async fn metrics(State(observed): State<Observed>, headers: HeaderMap) -> Response {
    let accept = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let (kind, text) = if asks_for_openmetrics(&accept.collect::<Vec<_>>().join(",")) {
        (OPENMETRICS_TYPE, observed.openmetrics())
    } else {
        (prometheus::TEXT_FORMAT, observed.text())
    };
    match text {
        Ok(text) => ([(header::CONTENT_TYPE, kind)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

/// Whether an `Accept` prefers OpenMetrics, of a version that is written here, to the older text.
fn asks_for_openmetrics(accept: &str) -> bool {
    let (mut new, mut old) = (0.0_f32, 0.0_f32);
    for wanted in accept.split(',') {
        let mut parts = wanted.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default();
        let (mut quality, mut written) = (1.0_f32, true);
        for (name, value) in parts.filter_map(|part| part.split_once('=')) {
            match name.trim() {
                "q" => quality = value.trim().parse().unwrap_or(0.0),
                "version" => written = matches!(value.trim().trim_matches('"'), "1.0.0" | "0.0.1" | "0.0.4"),
                _ => {}
            }
        }
        match kind {
            "application/openmetrics-text" if written => new = quality.max(new),
            "text/plain" | "text/*" | "*/*" => old = quality.max(old),
            _ => {}
        }
    }
    new > 0.0 && new >= old
}

async fn ready(State(observed): State<Observed>) -> (StatusCode, String) {
    let (ready, text) = observed.readiness.told();
    (if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, text)
}

#[cfg(test)]
mod tests {
    //! Who gets which format.

    use super::*;

    #[test]
    fn prometheus_gets_openmetrics_and_a_person_the_older_text() {
        let of_2 = "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,\
            text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        let of_3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
            application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
            text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        for accept in [of_2, of_3, "application/openmetrics-text", "application/openmetrics-text; version=\"1.0.0\""] {
            assert!(asks_for_openmetrics(accept), "{accept}");
        }
        let later = "application/openmetrics-text;version=2.0.0,text/plain;q=0.5";
        for accept in ["", "*/*", "text/plain", "text/plain,application/openmetrics-text;q=0.5", later] {
            assert!(!asks_for_openmetrics(accept), "{accept}");
        }
    }
}
