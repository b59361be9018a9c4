//! What the front works with: the store in all its parts.

use std::sync::Arc;
use std::time::Duration;

use prometheus::Registry as Metering;
use thingcall_api::{Front, FrontParts, SharedParts, Subscribing};
use thingcall_consumers::Endpoint;
use thingcall_core::{Registrar, Tracer};
use thingcall_engine::Engine;
use thingcall_store::Store;

use crate::config::Config;
use crate::consumers;
use crate::fleets;
use crate::instance::Membership;
use crate::readiness::Readiness;
use crate::sharing;

/// How long a start waits for the nonces that instances share; a set that is new begins in the next second.
const NONCES_TIMEOUT: Duration = Duration::from_secs(3);

/// The front, once what is signed now can be told from what was sent before.
///
/// # Errors
/// If what instances share cannot be had, or a metric is registered already.
pub(crate) async fn begun(
    config: &Config,
    around: (&Arc<Store>, &Arc<Engine>),
    (endpoint, registrar, membership): (Option<&Endpoint>, Arc<dyn Registrar>, &Membership),
    (readiness, tracer): (&Readiness, Option<Arc<dyn Tracer>>),
    metering: &Metering,
) -> anyhow::Result<Front> {
    let subscribing = consumers::subscribing(around.0, endpoint);
    let shared = sharing::parts(config, readiness.conditions(), membership.living())?;
    let parts = parts(config, around, (subscribing, registrar), (shared, tracer));
    let front = Front::new(config.api.clone(), parts, metering)?;
    front.begun(NONCES_TIMEOUT).await;
    Ok(front)
}

/// All of it.
fn parts(
    config: &Config,
    (store, engine): (&Arc<Store>, &Arc<Engine>),
    (subscribing, registrar): (Subscribing, Arc<dyn Registrar>),
    (shared, tracer): (SharedParts, Option<Arc<dyn Tracer>>),
) -> FrontParts {
    FrontParts {
        engine: engine.clone(),
        directory: store.clone(),
        subscribing: Some(subscribing),
        fleets: Some(fleets::kept(store, config)),
        registrar: Some(registrar),
        records: store.clone(),
        keys: store.clone(),
        tokens: Some(store.clone()),
        audit: store.clone(),
        tracer,
        shared,
    }
}
