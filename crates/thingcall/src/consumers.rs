//! Where applications read what goes to their consumer groups.

use std::sync::Arc;

use prometheus::Registry as Metering;
use thingcall_api::Subscribing;
use thingcall_consumers::{Endpoint, EndpointParts, Sockets};
use thingcall_core::{ConditionState, Consumers, NoConsumers};
use thingcall_store::Store;

use crate::addresses::Addresses;
use crate::config::Config;
use crate::readiness::Readiness;

/// What the store is called among the conditions.
const STORE: &str = "store";

/// Who keeps groups and subscriptions, and who is connected for them.
pub(crate) fn subscribing(store: &Arc<Store>, endpoint: Option<&Endpoint>) -> Subscribing {
    let consumers = endpoint.map_or_else(|| Arc::new(NoConsumers) as Arc<dyn Consumers>, Endpoint::consumers);
    Subscribing { subscriptions: store.clone(), log: store.clone(), consumers }
}

/// Where consumers connect, if they may.
///
/// # Errors
/// What is wrong with its certificate, its sockets or its metrics.
pub(crate) fn start(
    config: &Config,
    store: &Arc<Store>,
    readiness: &Readiness,
    sockets: Sockets,
    metering: &Metering,
) -> anyhow::Result<Option<Endpoint>> {
    if config.subscription.listeners().is_empty() {
        return Ok(None);
    }
    let conditions = readiness.conditions().clone();
    let fails = |state: &ConditionState| state.name == STORE && state.failure.is_some();
    let parts = EndpointParts {
        log: store.clone(),
        keys: store.clone(),
        subscriptions: store.clone(),
        knows: Arc::new(move || !conditions.states().iter().any(fails)),
    };
    Ok(Some(Endpoint::start(config.subscription.clone(), parts, sockets, metering)?))
}

/// The same, with where consumers connect.
pub(crate) fn with(addresses: Addresses, endpoint: Option<&Endpoint>) -> Addresses {
    let consumers = endpoint.map(Endpoint::addresses).unwrap_or_default();
    Addresses {
        amqp10: consumers.amqp,
        stomp: consumers.stomp,
        amqp10_plain: consumers.plain_amqp,
        stomp_plain: consumers.plain_stomp,
        ..addresses
    }
}
