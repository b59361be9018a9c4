//! A gate over devices that are made up, and questions to it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt;
use prometheus::Registry;
use thingcall_alink as alink;
use thingcall_core::{
    Credentials, DeviceCredential, DeviceKey, Login, LookUp, LookUpFailed, PresenceSink, Secret, SyncTopic,
    TransportName, UnixMillis,
};

use crate::request;
use crate::server::Gate;
use crate::{Config, GateParts, User};

/// A login as it was noted: the device, the transport, its topic for synchronous calls, and its address.
pub(crate) type Noted = (DeviceKey, TransportName, Option<SyncTopic>, Option<String>);

/// Devices, and what was noted of them.
#[derive(Default)]
pub(crate) struct Devices {
    known: Mutex<HashMap<DeviceKey, DeviceCredential>>,
    /// Whether nobody can say who is known.
    pub(crate) unreadable: AtomicBool,
    pub(crate) seen: Mutex<Vec<DeviceKey>>,
    pub(crate) admitted: Mutex<Vec<Noted>>,
}

impl Devices {
    /// Registers a device, or changes it.
    pub(crate) fn put(&self, device: &DeviceKey, enabled: bool) {
        self.known.lock().unwrap().insert(device.clone(), DeviceCredential { secret: secret(device), enabled });
    }
}

impl Devices {
    /// Forgets a device.
    pub(crate) fn remove(&self, device: &DeviceKey) {
        self.known.lock().unwrap().remove(device);
    }
}

impl Credentials for Devices {
    fn credential(&self, device: &DeviceKey) -> LookUp<'_, DeviceCredential> {
        if self.unreadable.load(Ordering::Relaxed) {
            return LookUp::sought(async { Err(LookUpFailed("the store fails".to_owned())) });
        }
        LookUp::known(self.known.lock().unwrap().get(device).cloned())
    }
}

impl PresenceSink for Devices {
    fn online(&self, _: &DeviceKey, _: TransportName, _: Option<&str>, _: UnixMillis) {
        panic!("nobody knows when the device leaves");
    }

    fn offline(&self, _: &DeviceKey, _: UnixMillis) {}

    fn seen(&self, device: &DeviceKey, _: TransportName, _: UnixMillis) {
        self.seen.lock().unwrap().push(device.clone());
    }

    fn logged_in(&self, device: &DeviceKey, login: &Login<'_>, _: UnixMillis) {
        let Login { transport, sync_topic, address } = *login;
        self.admitted.lock().unwrap().push((device.clone(), transport, sync_topic, address.map(str::to_owned)));
    }
}

/// A gate and its devices: `pk1/devA` and `pk1/devB`, with secrets of their own names.
pub(crate) struct Bench {
    pub(crate) gate: Gate,
    pub(crate) devices: Arc<Devices>,
    registry: Registry,
}

/// A device of the product `pk1`.
pub(crate) fn device(name: &str) -> DeviceKey {
    DeviceKey { product: "pk1".parse().unwrap(), name: name.parse().unwrap() }
}

/// What a device's password is keyed with.
pub(crate) fn secret(device: &DeviceKey) -> Secret {
    Secret::new(&format!("secret of {device}"))
}

/// The password that goes with a client id.
pub(crate) fn password(device: &DeviceKey, client_id: &str) -> String {
    alink::password(device, client_id, &secret(device))
}

/// A configuration with one user, `router`.
pub(crate) fn config() -> Config {
    let user = User { name: "router".to_owned(), secret: Secret::new("router's"), tags: vec!["monitoring".to_owned()] };
    Config { users: vec![user], ..Config::default() }
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(config())
    }

    pub(crate) fn with(config: Config) -> Self {
        let devices = Arc::new(Devices::default());
        devices.put(&device("devA"), true);
        devices.put(&device("devB"), true);
        let parts = GateParts { credentials: devices.clone(), presence: devices.clone() };
        let registry = Registry::new();
        Self { gate: Gate::new(config, parts, &registry).unwrap(), devices, registry }
    }

    /// Asks with a form.
    pub(crate) async fn form(&self, path: &str, body: &str) -> (StatusCode, String) {
        let kind = "application/x-www-form-urlencoded";
        self.ask(Request::post(path).header("content-type", kind).body(Body::from(body.to_owned())).unwrap()).await
    }

    /// Asks with a query.
    pub(crate) async fn get(&self, path: &str) -> (StatusCode, String) {
        self.ask(Request::get(path).body(Body::empty()).unwrap()).await
    }

    /// Asks with a JSON object.
    pub(crate) async fn json(&self, path: &str, body: &serde_json::Value) -> (StatusCode, String) {
        let request = Request::post(path).header("content-type", "application/json");
        self.ask(request.body(Body::from(body.to_string())).unwrap()).await
    }

    /// Asks with a form and expects an answer with status 200.
    pub(crate) async fn text(&self, path: &str, fields: &[(&str, &str)]) -> String {
        let mut form = form_urlencoded::Serializer::new(String::new());
        let (status, body) = self.form(path, &form.extend_pairs(fields).finish()).await;
        assert_eq!(status, StatusCode::OK, "{path} {fields:?}: {body}");
        body
    }

    pub(crate) async fn ask(&self, request: Request<Body>) -> (StatusCode, String) {
        let answer = request::handle(State(self.gate.keeper.clone()), request).await;
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    /// The value of a counter of decisions.
    pub(crate) fn decisions(&self, broker: &str, endpoint: &str, result: &str) -> u64 {
        let labels = format!("broker=\"{broker}\",endpoint=\"{endpoint}\",result=\"{result}\"");
        self.counter("decisions", &labels)
    }

    /// The value of a counter of refusals.
    pub(crate) fn refusals(&self, broker: &str, reason: &str) -> u64 {
        self.counter("refusals", &format!("broker=\"{broker}\",reason=\"{reason}\""))
    }

    fn counter(&self, name: &str, labels: &str) -> u64 {
        let series = format!("thingcall_gate_{name}_total{{{labels}}} ");
        let text = prometheus::TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap();
        let value = text.lines().find_map(|line| line.strip_prefix(&series));
        value.unwrap_or_else(|| panic!("no {series} in\n{text}")).parse().unwrap()
    }
}
