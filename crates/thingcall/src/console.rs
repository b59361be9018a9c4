//! What the console asks of the rest of the program.
//!
//! **Invariant:** it asks what callers and operators ask, through the same doors: the front's actions as the key that is logged in,
//! and the router of the operator's listener.

use std::convert::Infallible;
use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request};
use prometheus::Registry as Metering;
use serde_json::{Value, json};
use thingcall_api::{Front, Inside};
use thingcall_console::{
    Answer, Condition, Console, ConsoleParts, DeviceLogin, Enlisted, Instance, KeyChange, KeyRefused, LogChange,
    LogLevel, NewDevice, Operations, Setting,
};
use thingcall_core::{
    AccessKey, ActionSheet, AuditEntry, AuditFilter, AuditKept, AuditLog, DeviceKey, DeviceWatch, Keys, ProductKey,
};
use thingcall_engine::{DeviceWatches, Engine};
use thingcall_listen::{Serving, Shown as Certificate};
use thingcall_store::Store;
use tokio::net::TcpListener;
use tower::ServiceExt;

use crate::addresses::Addresses;
use crate::config::{Config, Setting as InForce};
use crate::enlist;
use crate::instance::Membership;
use crate::key;
use crate::logs::{Shown, levels};
use crate::observe::Observed;
use crate::operator::{HEADER, HEADER_VALUE};
use crate::reconfigure::Reconfiguring;

mod models;
mod signatures;
mod tailing;

use signatures::SignatureDesk;

/// The largest answer that a page reads.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What it asks.
pub(crate) struct Asks {
    /// What this server is.
    instance: Instance,
    /// The front's actions.
    front: Inside,
    /// The operator's listener, without its socket.
    operator: Router,
    /// Readiness and metrics.
    observed: Observed,
    /// The configuration in force.
    reconfiguring: Arc<Reconfiguring>,
    /// Access keys.
    store: Arc<Store>,
    /// What happens to devices.
    watches: Arc<DeviceWatches>,
    /// Requests that somebody signed.
    signatures: SignatureDesk,
}

/// Serves the console here, if there is one.
///
/// # Errors
/// If its metrics are registered already.
pub(crate) fn serve(
    config: &Config,
    (listener, tls): (Option<TcpListener>, Option<Arc<Certificate>>),
    asks: Asks,
    metering: &Metering,
) -> Result<Option<Serving>, prometheus::Error> {
    let Some(listener) = listener else { return Ok(None) };
    let console = Console::new(config.console.clone(), ConsoleParts { operations: Arc::new(asks) }, metering)?;
    Ok(Some(console.serve_tls(listener, tls)))
}

/// What it asks, of whom.
pub(crate) fn asks(
    (config, membership, addresses): (&Config, &Membership, &Addresses),
    (front, reconfiguring): (&Front, &Arc<Reconfiguring>),
    operator: &Router,
    (observed, store, engine): (&Observed, &Arc<Store>, &Arc<Engine>),
) -> Asks {
    let (me, _) = membership.now();
    let instance = Instance {
        name: me.name,
        id: config.api.instance_id.clone(),
        version: env!("CARGO_PKG_VERSION"),
        listeners: addresses.named(),
        started_at: me.since,
    };
    let reconfiguring = reconfiguring.clone();
    let (operator, observed, store) = (operator.clone(), observed.clone(), store.clone());
    let signatures = SignatureDesk::new(store.clone(), config.api.clock_skew, addresses.api);
    let watches = engine.watches().clone();
    Asks { instance, front: front.inside(), operator, observed, reconfiguring, store, watches, signatures }
}

#[async_trait]
impl Operations for Asks {
    fn instance(&self) -> Instance {
        self.instance.clone()
    }

    fn key(&self, id: &str) -> Option<Arc<AccessKey>> {
        Keys::key(&*self.store, id)
    }

    fn keys(&self) -> Vec<Arc<AccessKey>> {
        self.store.keys()
    }

    fn rule_names(&self) -> Vec<&'static str> {
        key::names().collect()
    }

    async fn change_key(&self, change: KeyChange) -> Result<Option<AccessKey>, KeyRefused> {
        let done = key::change(&self.store, change).await;
        done.map_err(|why| KeyRefused { code: why.word(), text: why.to_string() })
    }

    fn settings(&self) -> Vec<Setting> {
        let setting = |(one, waits): (InForce, bool)| {
            let place = if waits {
                format!("{}; another in the file, needs a restart", one.place)
            } else {
                one.place.to_string()
            };
            Setting { key: one.key, value: one.value, place }
        };
        self.reconfiguring.settings().into_iter().map(setting).collect()
    }

    fn log_level(&self) -> LogLevel {
        let shown = levels().map(|levels| levels.shown());
        shown.map_or_else(
            || LogLevel { now: String::new(), configured: String::new(), until: None },
            |Shown { now, configured, until }| LogLevel { now, configured, until },
        )
    }

    async fn change_log(&self, change: LogChange) -> Result<(), String> {
        let levels = levels().ok_or("nothing is logged here")?;
        match change {
            LogChange::To { level, lasts } => levels.set(&level, lasts),
            LogChange::Back => levels.back(),
        }
    }

    fn conditions(&self) -> Vec<Condition> {
        let states = self.observed.conditions().into_iter();
        states.map(|state| Condition { name: state.name, failure: state.failure, since: state.since }).collect()
    }

    fn watch(&self, device: DeviceKey) -> Box<dyn DeviceWatch> {
        self.watches.watch(device)
    }

    fn metrics(&self) -> String {
        self.observed.text().unwrap_or_default()
    }

    fn actions(&self) -> Vec<&'static ActionSheet> {
        thingcall_api::catalogue().collect()
    }

    async fn perform(&self, key: Arc<AccessKey>, action: &str, params: &[(String, String)]) -> Answer {
        let answered = self.front.perform(key, action, params).await;
        Answer { status: answered.status.as_u16(), body: answered.body }
    }

    async fn audit(&self, entries: Vec<AuditEntry>) {
        entries.into_iter().for_each(|entry| self.store.audit(entry));
        self.store.write_audit().await;
    }

    async fn audited(&self, filter: &AuditFilter, max: usize) -> Result<Vec<AuditKept>, String> {
        self.store.audited(filter, max).await.map_err(|why| why.to_string())
    }

    async fn ask(&self, path: &str) -> Answer {
        self.operator(Method::GET, path).await
    }

    async fn register(&self, product: &ProductKey, devices: Vec<NewDevice>) -> Vec<Enlisted> {
        enlist::enlist(&self.store, product, devices).await
    }

    async fn login(&self, device: DeviceKey) -> Result<DeviceLogin, String> {
        enlist::login(&self.store, device).await
    }

    async fn change(&self, path: &str) -> Answer {
        self.operator(Method::POST, path).await
    }
}

impl Asks {
    async fn operator(&self, method: Method, path: &str) -> Answer {
        let request = Request::builder().method(method).uri(path).header(HEADER, HEADER_VALUE).body(Body::empty());
        let request = match request {
            Ok(request) => request,
            Err(error) => return Answer { status: 400, body: json!({ "error": error.to_string() }) },
        };
        let answered: Result<_, Infallible> = self.operator.clone().oneshot(request).await;
        let Ok(answered) = answered;
        let status = answered.status().as_u16();
        match to_bytes(answered.into_body(), ANSWER_BYTES_MAX).await {
            Ok(body) => Answer { status, body: serde_json::from_slice(&body).unwrap_or(Value::Null) },
            Err(error) => Answer { status: 502, body: json!({ "error": error.to_string() }) },
        }
    }
}
