//! Fleet calls: who keeps them for the API, and the task that makes their calls.

use std::sync::Arc;
use std::time::Duration;

use thingcall_api::Fleets;
use thingcall_core::FleetLimits;
use thingcall_engine::{Engine, FleetParts};
use thingcall_store::Store;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::Config;

/// How long calls that are under way may take when the server ends: those that take longer end as unknown.
const STOP_MAX: Duration = Duration::from_secs(9);

/// What the API needs.
pub(crate) fn kept(store: &Arc<Store>, config: &Config) -> Fleets {
    let engine = &config.engine;
    let wide = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    Fleets {
        calls: store.clone(),
        limits: FleetLimits {
            calls_max: wide(engine.fleet_calls_max.get()),
            devices_max: wide(engine.fleet_devices_max.get()),
        },
        calls_per_second_max: engine.fleet_calls_per_second_max.get(),
        args_bytes_max: engine.args_bytes_max.get(),
    }
}

/// The task that makes their calls.
pub(crate) struct FleetCalling {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl FleetCalling {
    /// Begins to, under a name that no other instance has.
    pub(crate) fn start(engine: &Arc<Engine>, store: &Arc<Store>) -> Self {
        let stop = CancellationToken::new();
        let by = format!("{:016x}", fastrand::u64(..));
        let parts = FleetParts { fleets: store.clone(), keys: store.clone(), by };
        let task = tokio::spawn(engine.clone().run_fleet_calls(parts, stop.clone(), STOP_MAX));
        Self { stop, task }
    }

    /// Begins no more calls, and waits for those under way; at most so long.
    pub(crate) async fn stop(self, within: Duration) {
        self.stop.cancel();
        let _late = tokio::time::timeout(within.max(Duration::from_secs(1)), self.task).await;
    }
}
