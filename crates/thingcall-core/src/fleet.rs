//! One call of each of many devices, made by the server itself: the seam between who asks for it, who keeps it and who makes
//! its calls.
//!
//! **Invariants:** of a fleet call one instance at a time begins calls. That a device's call begins is kept before the call
//! is made, and it begins once: one of which the end is not known when another instance goes on ends as
//! [`FleetOutcome::Unknown`].

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use enum_map::Enum;
use strum::{EnumString, IntoStaticStr};

use crate::{DeviceName, ProductKey, Qos, ServiceId, UnixMillis};

/// Names a fleet call.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FleetCallId(String);

impl FleetCallId {
    /// How many letters and digits one has.
    pub const CHARS: usize = 26;

    /// An id as somebody gave it; `None` if it can be nobody's.
    pub fn read(text: &str) -> Option<Self> {
        let made = text.len() == Self::CHARS && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        made.then(|| Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FleetCallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How far a fleet call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr, EnumString)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum FleetState {
    /// Calls begin, or are under way.
    Running,
    /// No further calls begin; somebody wanted it so, or its access key may make none.
    Cancelled,
    /// Each device's call has ended.
    Ended,
}

impl FleetState {
    /// The word in answers and stores.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// How the call of one device ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr, EnumString)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum FleetOutcome {
    /// The device answered with success, or an asynchronous call is on its way.
    Succeeded,
    /// It failed.
    Failed,
    /// The device may have executed it.
    Unknown,
}

impl FleetOutcome {
    /// The word in answers and stores.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// What is wanted of a fleet call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetOrder {
    /// Whose it is.
    pub account: String,
    /// The id of the access key that ordered it, which its calls are made with.
    pub key: Option<String>,
    /// Whose devices are called.
    pub product: ProductKey,
    /// Those of its devices; all of them if there is none.
    pub devices: Vec<DeviceName>,
    /// What they are asked.
    pub service: ServiceId,
    /// The arguments' text.
    pub args: String,
    /// How messages travel.
    pub qos: Qos,
    /// How many calls begin a second at most.
    pub calls_per_second: u32,
    /// How many may be under way at once.
    pub in_flight: u32,
}

/// A fleet call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetCall {
    /// Names it.
    pub id: FleetCallId,
    /// What is wanted; its `devices` are kept by themselves and are not here.
    pub order: FleetOrder,
    /// How far it is.
    pub state: FleetState,
    /// Why no further calls begin, where nobody wanted it so.
    pub reason: Option<String>,
    /// How many devices it is of.
    pub total: u64,
    /// How many calls began.
    pub begun: u64,
    /// How many ended so.
    pub succeeded: u64,
    /// How many ended so.
    pub failed: u64,
    /// How many ended so.
    pub unknown: u64,
    /// When it was made.
    pub created_at: UnixMillis,
    /// When its last call ended.
    pub ended_at: Option<UnixMillis>,
}

/// The end of one device's call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetEnd {
    /// How.
    pub outcome: FleetOutcome,
    /// What failed: a public code, or the device's own.
    pub code: Option<String>,
    /// In words.
    pub message: Option<String>,
    /// The call's id.
    pub message_id: Option<String>,
    /// The device's data.
    pub result: Option<String>,
    /// When.
    pub at: UnixMillis,
}

/// One device of a fleet call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetDevice {
    /// Its place in the fleet call, from 1.
    pub number: i64,
    /// Its name.
    pub name: DeviceName,
    /// When its call began.
    pub begun_at: Option<UnixMillis>,
    /// How it ended.
    pub end: Option<FleetEnd>,
}

/// As much of a fleet call as tells who may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetMark {
    /// Names it.
    pub id: FleetCallId,
    /// Whose devices are called.
    pub product: ProductKey,
    /// The id of the access key that ordered it.
    pub key: Option<String>,
}

/// Some of many, and how many there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part<T> {
    /// These.
    pub shown: Vec<T>,
    /// Of so many.
    pub total: u64,
}

/// How many fleet calls there may be, and how large.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FleetLimits {
    /// Kept of one account, whether they run or have ended.
    pub calls_max: u64,
    /// Devices of one.
    pub devices_max: u64,
}

/// Why there is no such thing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FleetError {
    /// No such fleet call.
    #[error("there is no fleet call {0}")]
    NotFound(FleetCallId),
    /// No device is meant.
    #[error("{0}")]
    NoDevices(String),
    /// There are too many.
    #[error("{0}")]
    Full(String),
    /// The store cannot be written. The text is for callers too.
    #[error("{0}")]
    Unwritable(String),
    /// The store failed; the text is for logs.
    #[error("store: {0}")]
    Store(String),
}

/// Keeps fleet calls, for all instances.
#[async_trait]
pub trait FleetCalls: Send + Sync {
    /// Keeps a new one, with those of its devices that there are now. Where an account has as many as may be, the one that ended
    /// first makes room.
    ///
    /// # Errors
    /// If it is of no device or of too many, or the store fails.
    async fn create(&self, order: FleetOrder, limits: FleetLimits) -> Result<FleetCall, FleetError>;

    /// This one of an account.
    ///
    /// # Errors
    /// If there is none, or the store fails.
    async fn fleet_call(&self, account: &str, id: &FleetCallId) -> Result<FleetCall, FleetError>;

    /// Those of an account, newest first.
    ///
    /// # Errors
    /// If the store fails.
    async fn fleet_calls(&self, account: &str, skip: u64, max: u64) -> Result<Part<FleetCall>, FleetError>;

    /// All of an account, newest first.
    ///
    /// # Errors
    /// If the store fails.
    async fn fleet_marks(&self, account: &str) -> Result<Vec<FleetMark>, FleetError>;

    /// The devices of one, in their order; those that ended so, if that is said.
    ///
    /// # Errors
    /// If the store fails.
    async fn fleet_devices(
        &self,
        id: &FleetCallId,
        outcome: Option<FleetOutcome>,
        skip: u64,
        max: u64,
    ) -> Result<Part<FleetDevice>, FleetError>;

    /// From now on no call of it begins.
    ///
    /// # Errors
    /// If there is none, or the store fails.
    async fn cancel(&self, account: &str, id: &FleetCallId) -> Result<(), FleetError>;

    /// From now on no call of it begins, for this reason.
    ///
    /// # Errors
    /// If the store fails.
    async fn give_up(&self, id: &FleetCallId, reason: &str) -> Result<(), FleetError>;

    /// Those whose calls `by` begins for the next `lease`: those that it had, and those that nobody has any more. Of the latter
    /// the calls that had begun end as unknown. How many of its devices' calls began and ended is not told here.
    ///
    /// # Errors
    /// If the store fails.
    async fn take_fleet_calls(&self, by: &str, lease: Duration) -> Result<Vec<FleetCall>, FleetError>;

    /// The next devices whose calls begin now: at most `max`, and none if `by` has it no more or it was cancelled.
    ///
    /// # Errors
    /// If the store fails; then none has begun.
    async fn begin_devices(&self, id: &FleetCallId, by: &str, max: u32) -> Result<Vec<FleetDevice>, FleetError>;

    /// These calls ended. Once all have, so has the fleet call.
    ///
    /// # Errors
    /// If the store fails.
    async fn end_devices(&self, id: &FleetCallId, ends: &[(i64, FleetEnd)]) -> Result<(), FleetError>;

    /// `by` begins no more calls.
    ///
    /// # Errors
    /// If the store fails.
    async fn let_go(&self, by: &str) -> Result<(), FleetError>;

    /// Forgets those that ended, or were cancelled, before this.
    ///
    /// # Errors
    /// If the store fails.
    async fn forget_fleet_calls(&self, before: UnixMillis) -> Result<u64, FleetError>;
}
