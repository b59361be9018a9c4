//! The seam to the rest of the program: what pages ask, and have done.

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use thingcall_core::{
    AccessKey, ActionSheet, AuditEntry, AuditFilter, AuditKept, DeviceKey, DeviceName, DeviceWatch, ProductKey, Secret,
    UnixMillis,
};

mod models;
mod signatures;
mod tailing;

pub use models::{Draft, Models};
pub use signatures::{SendBy, SignatureKind, Signatures, ToSign, Whose};
pub use tailing::{MessageTail, Tailed, Tailing};

use crate::in_force::{LogChange, LogLevel, Setting};
use crate::key_change::{KeyChange, KeyRefused};

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status that a caller from outside would have got.
    pub status: u16,
    /// The JSON that it would have read.
    pub body: Value,
}

/// What this server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Its name among those that share its store.
    pub name: String,
    /// The `IotInstanceId` that calls must carry, if there is one.
    pub id: Option<String>,
    /// Its version.
    pub version: &'static str,
    /// Where it listens, by the names of the `ready` line.
    pub listeners: Vec<(&'static str, SocketAddr)>,
    /// When it started.
    pub started_at: UnixMillis,
}

/// Something that holds or does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Its name, such as `store`.
    pub name: String,
    /// Why it does not hold and what to do about it; `None` if it holds.
    pub failure: Option<String>,
    /// Since when it is so.
    pub since: UnixMillis,
}

/// A device that is to be registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDevice {
    /// Its name.
    pub name: DeviceName,
    /// What people call it.
    pub nickname: Option<String>,
    /// Its secret, where it has one already.
    pub secret: Option<Secret>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Enlisted {
    /// It is registered.
    Added,
    /// It was there already, with the same secret.
    There,
    /// It is not registered, for this reason.
    Refused(String),
}

/// What a device logs in with.
#[derive(Debug, Clone)]
pub struct DeviceLogin {
    /// Its secret.
    pub secret: Secret,
    /// Its MQTT client id.
    pub client_id: String,
    /// Its MQTT user name.
    pub username: String,
    /// The MQTT password that goes with these.
    pub password: Secret,
}

/// What pages ask, and have done.
#[async_trait]
pub trait Operations: Models + Signatures + Tailing + Send + Sync + 'static {
    /// What this server is.
    fn instance(&self) -> Instance;

    /// The access key with this id, also one that is disabled or has ended.
    fn key(&self, id: &str) -> Option<Arc<AccessKey>>;

    /// Every access key, by id.
    fn keys(&self) -> Vec<Arc<AccessKey>>;

    /// The names that rules of keys may be of.
    fn rule_names(&self) -> Vec<&'static str>;

    /// Does this to an access key; the key, where one was made.
    ///
    /// # Errors
    /// Why it was not done.
    async fn change_key(&self, change: KeyChange) -> Result<Option<AccessKey>, KeyRefused>;

    /// The configuration in force, by key.
    fn settings(&self) -> Vec<Setting>;

    /// What is logged.
    fn log_level(&self) -> LogLevel;

    /// Has something else logged.
    ///
    /// # Errors
    /// Why not.
    async fn change_log(&self, change: LogChange) -> Result<(), String>;

    /// What readiness is made of.
    fn conditions(&self) -> Vec<Condition>;

    /// The program's metrics, in the text that Prometheus reads.
    fn metrics(&self) -> String;

    /// All actions of the API, with what they read.
    fn actions(&self) -> Vec<&'static ActionSheet>;

    /// Performs an action of the API as this key, with the action's own parameters.
    async fn perform(&self, key: Arc<AccessKey>, action: &str, params: &[(String, String)]) -> Answer;

    /// Keeps what was changed, or was refused; once this returns it is there, where it can be written.
    async fn audit(&self, entries: Vec<AuditEntry>);

    /// The newest of these entries.
    ///
    /// # Errors
    /// Why they cannot be read.
    async fn audited(&self, filter: &AuditFilter, max: usize) -> Result<Vec<AuditKept>, String>;

    /// Asks what the operator's listener tells at this path and query.
    async fn ask(&self, path: &str) -> Answer;

    /// Watches what happens to a device from now on.
    fn watch(&self, device: DeviceKey) -> Box<dyn DeviceWatch>;

    /// Registers devices of a product; what became of each, in their order.
    async fn register(&self, product: &ProductKey, devices: Vec<NewDevice>) -> Vec<Enlisted>;

    /// What a device logs in with.
    ///
    /// # Errors
    /// Why that cannot be said.
    async fn login(&self, device: DeviceKey) -> Result<DeviceLogin, String>;

    /// Has done what a POST to the operator's listener at this path does.
    async fn change(&self, path: &str) -> Answer;
}
