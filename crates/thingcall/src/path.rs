//! What calls are made with: the store, the plugins, and who is told of them.

use std::sync::Arc;

use prometheus::Registry;
use thingcall_core::Slots;
use thingcall_engine::{Engine, EngineParts, Reports};
use thingcall_loader::Plugins;
use thingcall_store::Store;
use thingcall_subscription::words::PlatformWords;
use thingcall_traces::Tracing;

use crate::config::Config;

/// The path of calls, and who is told of their traces.
///
/// # Errors
/// What is wrong with the collector's configuration, or a metric.
pub(crate) fn start(
    config: &Config,
    (store, plugins): (&Arc<Store>, &Arc<Plugins>),
    slots: &Slots,
    metering: &Registry,
) -> anyhow::Result<(Arc<Engine>, Tracing)> {
    let traces = Tracing::start(&config.traces, metering)?;
    let parts = EngineParts {
        registry: store.clone(),
        journal: store.clone(),
        handlers: plugins.clone(),
        slots: slots.clone(),
        reports: reports(store),
        records: store.clone(),
        tracer: traces.tracer(),
    };
    Ok((Engine::new(config.engine(), parts, metering)?, traces))
}

/// What devices report goes into the log of messages, and its last values are kept.
fn reports(store: &Arc<Store>) -> Reports {
    Reports { log: store.clone(), words: Arc::new(PlatformWords), last: store.clone() }
}
