//! What the front works with: the store in all its parts.

use std::sync::Arc;

use thingcall_api::{FrontParts, SharedParts, Subscribing};
use thingcall_core::{Registrar, Tracer};
use thingcall_engine::Engine;
use thingcall_store::Store;

use crate::config::Config;
use crate::fleets;

/// All of it.
pub(crate) fn parts(
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
