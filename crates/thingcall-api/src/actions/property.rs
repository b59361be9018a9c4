//! Properties that are set: SetDeviceProperty and SetDevicesProperty.
//!
//! **Invariant:** an asynchronous call like any other, of a service that every device has.

use std::sync::Arc;
use std::time::Duration;

use thingcall_core::{AccessKey, Asks, Deadline, DeviceRef, ErrorCode, RecordedKey, Request, ServiceId};

use super::invoke::qos;
use super::many::{self, Many};
use super::{Action, Ordered, target};
use crate::answer::{Fields, Node, text};
use crate::calls::{Batch, CallDesk};
use crate::error::ActionError;
use crate::incoming::Incoming;

/// Properties of one device, to be set.
pub(crate) struct Setting(Request);

/// SetDeviceProperty.
pub(super) fn set(desk: &CallDesk, incoming: &Incoming<'_>, key: &Arc<AccessKey>) -> Result<Ordered, ActionError> {
    desk.take(incoming, key, |reply_timeout, _| {
        let target = target::device(&incoming.params)?;
        Ok(Ordered::Properties(Setting(read(Action::SetDeviceProperty, (incoming, key), (target, reply_timeout))?)))
    })
}

/// SetDevicesProperty.
pub(super) fn set_many(desk: &CallDesk, incoming: &Incoming<'_>, key: &Arc<AccessKey>) -> Result<Ordered, ActionError> {
    desk.take_batch(Batch::Properties, incoming, key, |reply_timeout| {
        let to = many::devices(&incoming.params)?;
        Ok(Ordered::ManyProperties(Box::new(Many {
            first: read(Action::SetDevicesProperty, (incoming, key), (to.first(), reply_timeout))?,
            to,
        })))
    })
}

fn read(
    action: Action,
    (incoming, key): (&Incoming<'_>, &Arc<AccessKey>),
    (target, reply_timeout): (DeviceRef, Duration),
) -> Result<Request, ActionError> {
    let params = &incoming.params;
    Ok(Request {
        request_id: incoming.id,
        action: action.as_str(),
        key: Some(RecordedKey::Signed(key.clone())),
        arrived: incoming.received.into_std(),
        target,
        asks: Asks::Properties,
        service: ServiceId::set_properties(),
        args: params.need("Items")?.to_owned(),
        qos: qos(params.get("Qos"))?,
        deadline: Deadline::at((incoming.received + reply_timeout).into_std()),
        fails_by_code: false,
        trace: incoming.trace.clone(),
    })
}

impl Setting {
    /// Makes the call; what it returns stands beside `RequestId` and `Success`.
    pub(super) async fn run(self, desk: &CallDesk) -> Result<Fields, ActionError> {
        let invoked = desk.make(self.0).await.map_err(|why| of_properties(why.into()))?;
        Ok(vec![("Data", Node::Object(vec![("MessageId", text(invoked.id.to_string()))]))])
    }
}

/// The platform has a code of its own for what failed so.
pub(super) fn of_properties(error: ActionError) -> ActionError {
    match error {
        ActionError::Service(mut failure) if failure.code == ErrorCode::InvokeThingServiceFailed => {
            failure.code = ErrorCode::SetDevicePropertyFailed;
            ActionError::Service(failure)
        }
        ActionError::Service(_) | ActionError::Gateway(_) => error,
    }
}
