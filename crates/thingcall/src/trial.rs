//! One call, tried: through the handler that the server would take, with a device that is played.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use serde_json::json;
use thingcall_core::{
    Answer, Args as Arguments, Call, CallId, CallMode, Deadline, Device, DeviceKey, Handler, Qos, ReplyBody, RequestId,
    ServiceId,
};
use tokio::time::{Instant, timeout_at};

use crate::exit::WrongUse;

mod device;
mod steps;

use device::Scripted;
pub(crate) use device::{Reply, raw};
pub(crate) use steps::{Steps, milliseconds};

/// Where a plugin that names no product of its own is tried.
pub(crate) const PRODUCT: &str = "a1TestProduct";

/// What is called, and how.
pub(crate) struct Asked<'a> {
    /// The device.
    pub(crate) device: DeviceKey,
    /// The service.
    pub(crate) identifier: &'a str,
    /// Its arguments, a JSON object.
    pub(crate) arguments: &'a str,
    /// Whether the caller waits.
    pub(crate) mode: CallMode,
    /// How long it may take.
    pub(crate) timeout: Duration,
}

/// A call that is tried.
pub(crate) struct Trial {
    call: Call,
    until: Instant,
    timeout: Duration,
}

/// What came of it.
pub(crate) struct Came {
    /// The answer; `None` if the call was accepted.
    pub(crate) body: Option<ReplyBody>,
    /// What did not go as the device's answers say, if anything.
    pub(crate) wrong: Option<String>,
}

impl Trial {
    /// A call from now on.
    ///
    /// # Errors
    /// [`WrongUse`] if it is none.
    pub(crate) fn of(asked: Asked<'_>) -> anyhow::Result<Self> {
        let Asked { device, identifier, arguments, mode, timeout } = asked;
        let service = ServiceId::try_from(identifier).map_err(|error| WrongUse(error.to_string()))?;
        if !raw(arguments).is_object() {
            bail!(WrongUse(format!("the arguments {arguments:?} are not a JSON object")));
        }
        let until = Instant::now() + timeout;
        let call = Call {
            letter: None,
            id: CallId::from_u32(1),
            request_id: RequestId::random(),
            device: Arc::new(played(device)?),
            service,
            mode,
            qos: Qos::default(),
            args: Arguments::checked(arguments),
            deadline: (mode == CallMode::Sync).then(|| Deadline::at(until.into_std())),
            trace: None,
        };
        Ok(Self { call, until, timeout })
    }

    /// The call.
    pub(crate) const fn call(&self) -> &Call {
        &self.call
    }

    /// Makes the call; the device answers this.
    ///
    /// # Errors
    /// Why it failed.
    pub(crate) async fn run(
        &self,
        handler: &dyn Handler,
        replies: Vec<Reply>,
        steps: &Arc<Steps>,
    ) -> anyhow::Result<Came> {
        let Self { call, until, timeout } = self;
        let device = Scripted::new(steps.clone(), call, *until, replies);
        let (service, arguments, mode) = (call.service.to_string(), call.args.as_str(), call.mode.as_str());
        let members = json!({ "identifier": service, "args": raw(arguments), "mode": mode });
        steps.step("call", &format!("{service} {arguments} of {}, {mode}", call.device.key), members);
        let began = Instant::now();
        let answer = timeout_at(*until, handler.handle(call, &device)).await;
        let took_ms = milliseconds(began.elapsed());
        let answer = answer.map_err(|_| anyhow!("no answer within {}", humantime::format_duration(*timeout)))?;
        let body = match answer.context("the call failed")? {
            Answer::Accepted => {
                let members = json!({ "accepted": true, "tookMs": took_ms });
                steps.step("result", &format!("accepted, in {took_ms:.3} ms"), members);
                None
            }
            Answer::Replied(body) => {
                let ReplyBody { code, message, data } = &body;
                let members = json!({ "code": code, "message": message, "data": raw(data), "tookMs": took_ms });
                let said = message.as_ref().map(|message| format!(" {message:?}")).unwrap_or_default();
                steps.step("result", &format!("code {code}{said} {data}, in {took_ms:.3} ms"), members);
                Some(body)
            }
        };
        Ok(Came { body, wrong: device.wrong() })
    }
}

/// A device that nobody registered.
pub(crate) fn played(key: DeviceKey) -> anyhow::Result<Device> {
    Ok(Device { key, iot_id: "test000000000000".try_into()?, enabled: true, transport: None })
}
