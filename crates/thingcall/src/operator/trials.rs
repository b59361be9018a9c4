//! A call of a plugin that runs, tried without a device: what it would send, and what it would answer.
//!
//! **Invariant:** nothing is sent to any device, whatever the plugin does; it does run, in this server, as for any call.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::middleware;
use axum::response::Response;
use axum::routing::post;
use prometheus::{IntGauge, Registry};
use serde_json::{Value, json};
use thingcall_core::{CallMode, DeviceKey, DeviceName, Handlers, ProductKey, ServiceId};
use thingcall_metrics::Maker;
use thingcall_store::Store;
use thingcall_tsl::{CallType, Registry as _, Validation};
use tokio::sync::Semaphore;

use super::{answer, failure, no_browser};
use crate::reloads::Reloads;
use crate::trial::{Asked, Came, PRODUCT, Reply, Steps, Trial};

/// How long a call may take that is tried: as a synchronous one by default.
const TIMEOUT: Duration = Duration::from_secs(8);
/// How many are tried at once.
const TRIALS_MAX: usize = 4;
/// How many answers of the device a trial has.
const REPLIES_MAX: usize = 16;

/// What this route knows.
#[derive(Clone)]
struct Trials {
    reloads: Arc<Reloads>,
    store: Arc<Store>,
    room: Arc<Semaphore>,
    under_way: IntGauge,
}

/// A trial that is under way.
struct UnderWay<'a>(&'a IntGauge);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// `/plugins/{name}/try`.
pub(crate) fn routes(
    reloads: Arc<Reloads>,
    store: Arc<Store>,
    metering: &Registry,
) -> Result<Router, prometheus::Error> {
    let make = Maker::new(metering);
    make.limit("plugin_trials_limit", "How many of these there may be", TRIALS_MAX)?;
    let under_way = make.gauge("plugin_trials", "Calls of plugins that are tried (thingcall plugin try) now")?;
    let state = Trials { reloads, store, room: Arc::new(Semaphore::new(TRIALS_MAX)), under_way };
    let trying = post(try_out).layer(middleware::from_fn(no_browser));
    Ok(Router::new().route("/plugins/{name}/try", trying).with_state(state))
}

async fn try_out(State(trials): State<Trials>, Path(name): Path<String>, RawQuery(query): RawQuery) -> Response {
    let Ok(_room) = trials.room.try_acquire() else {
        let why = format!("{TRIALS_MAX} calls are tried already; right is to wait until one of them ends");
        return failure(StatusCode::TOO_MANY_REQUESTS, &why);
    };
    trials.under_way.inc();
    let _under_way = UnderWay(&trials.under_way);
    match trials.run(&name, query.as_deref().unwrap_or_default()).await {
        Ok(told) => answer(StatusCode::OK, &told),
        Err(why) => failure(StatusCode::UNPROCESSABLE_ENTITY, &why),
    }
}

/// What is wanted.
#[derive(Debug)]
struct Wanted {
    device: DeviceKey,
    service: ServiceId,
    args: String,
    /// As the model says, or at once, where it is not said.
    mode: Option<CallMode>,
    replies: Vec<Reply>,
}

impl Wanted {
    fn read(query: &str) -> Result<Self, String> {
        let (mut product, mut device, mut service) = (None::<ProductKey>, None::<DeviceName>, None);
        let (mut args, mut mode, mut replies) = ("{}".to_owned(), None, Vec::new());
        for (name, value) in form_urlencoded::parse(query.as_bytes()).filter(|(_, value)| !value.trim().is_empty()) {
            let value = value.trim();
            let of_it = |why: &dyn std::fmt::Display| format!("{name}: {why}");
            match &*name {
                "product" => product = Some(value.parse().map_err(|error| of_it(&error))?),
                "device" => device = Some(value.parse().map_err(|error| of_it(&error))?),
                "service" => service = Some(ServiceId::try_from(value).map_err(|error| of_it(&error))?),
                "args" => value.clone_into(&mut args),
                "mode" if value == "sync" => mode = Some(CallMode::Sync),
                "mode" if value == "async" => mode = Some(CallMode::Async),
                "mode" => return Err("mode: right is sync or async".to_owned()),
                "reply" if replies.len() == REPLIES_MAX => {
                    return Err(format!("reply: at most {REPLIES_MAX} are taken"));
                }
                "reply" => replies.push(value.parse().map_err(|error: String| of_it(&error))?),
                _ => return Err(format!("{name}: right are product, device, service, args, mode and reply")),
            }
        }
        let service = service.ok_or("service: it is missing; right is IDENTIFIER or MODULE:IDENTIFIER")?;
        let product = product.map_or_else(|| PRODUCT.try_into(), Ok).map_err(|error| format!("product: {error}"))?;
        let name = device.map_or_else(|| "dev1".try_into(), Ok).map_err(|error| format!("device: {error}"))?;
        Ok(Self { device: DeviceKey { product, name }, service, args, mode, replies })
    }
}

impl Trials {
    async fn run(&self, name: &str, query: &str) -> Result<Value, String> {
        let mut wanted = Wanted::read(query)?;
        let by_model = self.held_against_model(&mut wanted)?;
        let Wanted { device, service, args, mode, replies } = wanted;
        let mode = mode.or(by_model).unwrap_or(CallMode::Sync);
        let (product, identifier) = (device.product.clone(), service.to_string());
        let asked = Asked { device, identifier: &identifier, arguments: &args, mode, timeout: TIMEOUT };
        let trial = Trial::of(asked).map_err(|error| format!("args: {error:#}"))?;
        let handler = self.reloads.plugins().find(trial.call());
        let by = handler.as_ref().and_then(|handler| handler.plugin());
        let is_it = by.as_ref().is_some_and(|names| names.split(", ").any(|other| other == name));
        let Some(handler) = handler.filter(|_| is_it) else {
            let other = by.unwrap_or_else(|| "nobody: it goes to its device as it is".to_owned());
            return Err(format!("service: {identifier} of {product} is not handled by {name}, but by {other}"));
        };
        let steps = Steps::kept();
        let came = trial.run(&*handler, replies, &steps).await;
        let mut told = json!({ "plugin": by, "mode": mode.as_str(), "steps": steps.taken() });
        let members = match came {
            Ok(Came { body: Some(body), wrong }) => json!({ "code": body.code, "beside": wrong }),
            Ok(Came { body: None, wrong }) => json!({ "accepted": true, "beside": wrong }),
            Err(error) => json!({ "failed": format!("{error:#}") }),
        };
        if let (Some(told), Value::Object(members)) = (told.as_object_mut(), members) {
            told.extend(members.into_iter().filter(|(_, value)| !value.is_null()));
        }
        Ok(told)
    }

    /// Holds the arguments against the product's model, as a call would be, where there is one; they are mended as there.
    fn held_against_model(&self, wanted: &mut Wanted) -> Result<Option<CallMode>, String> {
        let Some(product) = self.store.product(&wanted.device.product) else { return Ok(None) };
        let settings = product.settings;
        let Some(model) = product.model.as_ref().filter(|_| settings.validation == Validation::Model) else {
            return Ok(None);
        };
        let service = model.service(&wanted.service).map_err(|error| format!("service: {error}"))?;
        let args = service.check_args(&wanted.args, settings.args_check).map_err(|error| format!("args: {error}"))?;
        if let Some(mended) = args {
            wanted.args = mended;
        }
        Ok(Some(match service.call_type() {
            CallType::Sync => CallMode::Sync,
            CallType::Async => CallMode::Async,
        }))
    }
}

#[cfg(test)]
mod tests;
