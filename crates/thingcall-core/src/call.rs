//! A call before and after it is checked.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use enum_map::Enum;
use smol_str::SmolStr;
use strum::IntoStaticStr;

use crate::{CallId, Deadline, Device, DeviceRef, Letter, RecordedKey, RequestId, ServiceId, Traced};

/// What a caller asks, not yet checked against anything but its form.
#[derive(Debug, Clone)]
pub struct Request {
    /// Names the request in logs and in the answer.
    pub request_id: RequestId,
    /// What the caller asked for it, as fronts name it: a word for records alone, and empty where there is none.
    pub action: &'static str,
    /// The key that signed it; `None` where nobody had to.
    pub key: Option<RecordedKey>,
    /// When it came: what its times are counted from.
    pub arrived: Instant,
    /// The device, as the caller names it.
    pub target: DeviceRef,
    /// What is asked of it.
    pub asks: Asks,
    /// The service, as the caller names it.
    pub service: ServiceId,
    /// The arguments' text, as the caller wrote it.
    pub args: String,
    /// How the message travels to the device.
    pub qos: Qos,
    /// When a synchronous call must have ended; an asynchronous one has no deadline.
    pub deadline: Deadline,
    /// Whether the caller gets a device's code other than 200 as an error, and not as an answer.
    pub fails_by_code: bool,
    /// The trace that it belongs to.
    pub trace: Option<Arc<Traced>>,
}

/// What a caller asks of a device.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Asks {
    /// A service; the thing model says whether its caller waits.
    #[default]
    Service,
    /// A service that nobody waits for, whatever the thing model says.
    ServiceUnawaited,
    /// That its properties be these, which is [`ServiceId::set_properties`]. Nobody waits for that.
    Properties,
    /// That it take this message. The service of the request is a word for logs and records, and has no arguments.
    Letter(Arc<Letter>),
    /// The same, of a question whose answer is told to whoever wants messages: nobody waits for it.
    LetterUnawaited(Arc<Letter>),
}

impl Asks {
    /// What the arguments are called where they come from.
    pub const fn args_name(&self) -> &'static str {
        match self {
            Self::Service | Self::ServiceUnawaited => "Args",
            Self::Properties => "Items",
            Self::Letter(_) | Self::LetterUnawaited(_) => "nothing",
        }
    }
}

/// A call that was checked: the device exists and is enabled, the model has the service, the arguments fit it.
///
/// **Invariant:** made by `Engine::admit` alone; nothing re-checks it.
#[derive(Debug, Clone)]
pub struct Call {
    /// Its one id.
    pub id: CallId,
    /// The request it came from.
    pub request_id: RequestId,
    /// The device to call.
    pub device: Arc<Device>,
    /// The service to call.
    pub service: ServiceId,
    /// Who waits for the device.
    pub mode: CallMode,
    /// How the message travels to the device.
    pub qos: Qos,
    /// The checked arguments.
    pub args: Args,
    /// The message that it is in place of a service's call. Plugins do not see those.
    pub letter: Option<Arc<Letter>>,
    /// When it must have ended; `None` for an asynchronous call.
    pub deadline: Option<Deadline>,
    /// The trace that it belongs to.
    pub trace: Option<Arc<Traced>>,
}

/// Whether the caller waits for the device's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum CallMode {
    /// The caller waits; the answer holds the device's result.
    Sync,
    /// The caller gets the call's id at once; the result goes to the journal.
    Async,
}

impl CallMode {
    /// The word in metrics, logs and records.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// MQTT quality of service, as far as a call uses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Qos {
    /// At most once.
    #[default]
    AtMostOnce,
    /// At least once: what a device did not acknowledge is sent again when it connects.
    AtLeastOnce,
}

impl Qos {
    /// 0 or 1, as parameters and MQTT write it.
    pub const fn level(self) -> u8 {
        match self {
            Self::AtMostOnce => 0,
            Self::AtLeastOnce => 1,
        }
    }
}

/// A JSON object, checked, and carried as the caller wrote it: `10.0` stays `10.0`, keys keep their order.
#[derive(Clone, PartialEq, Eq)]
pub struct Args(SmolStr);

impl Args {
    /// Takes text that was checked to be one JSON object.
    pub fn checked(text: &str) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Args {
    /// Says the size only: arguments do not belong in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Args({} bytes)", self.0.len())
    }
}
