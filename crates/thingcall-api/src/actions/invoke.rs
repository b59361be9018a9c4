//! InvokeThingService: parameters to a [`Request`], the engine's answer to `Data`.
//!
//! **Invariant:** knows nothing of models and devices: what is not about the form of a parameter is the engine's to
//! say.

use std::sync::Arc;
use std::time::Duration;

use thingcall_core::{
    AccessKey, Answer, Asks, CallError, Deadline, ErrorCode, Outcome, Qos, RecordedKey, ReplyBody, Request,
    ResultShape, ServiceId,
};

use super::many::{self, Many};
use super::{Action, Ordered, target};
use crate::answer::{Called, Content, Replied};
use crate::calls::{Batch, CallDesk};
use crate::error::ActionError;
use crate::incoming::Incoming;

/// A call as the request asks for it.
pub(crate) struct Invocation {
    request: Request,
    /// What `Result` is to hold.
    shape: ResultShape,
}

/// InvokeThingService.
pub(super) fn invoke(desk: &CallDesk, incoming: &Incoming<'_>, key: &Arc<AccessKey>) -> Result<Ordered, ActionError> {
    desk.take(incoming, key, |reply_timeout, shape| {
        Ok(Ordered::Service(Invocation { request: read(incoming, key, (reply_timeout, shape))?, shape }))
    })
}

/// InvokeThingsService: the same service of several devices, and nobody waits for it.
pub(super) fn invoke_many(
    desk: &CallDesk,
    incoming: &Incoming<'_>,
    key: &Arc<AccessKey>,
) -> Result<Ordered, ActionError> {
    desk.take_batch(Batch::Service, incoming, key, |reply_timeout| {
        let params = &incoming.params;
        let (identifier, args) = (params.need("Identifier")?, params.need("Args")?);
        let to = many::devices(params)?;
        let first = Request {
            request_id: incoming.id,
            action: Action::InvokeThingsService.as_str(),
            key: Some(RecordedKey::Signed(key.clone())),
            arrived: incoming.received.into_std(),
            target: to.first(),
            asks: Asks::ServiceUnawaited,
            service: service(identifier)?,
            args: args.to_owned(),
            qos: qos(params.get("Qos"))?,
            deadline: Deadline::at((incoming.received + reply_timeout).into_std()),
            fails_by_code: false,
            trace: incoming.trace.clone(),
        };
        Ok(Ordered::Many(Box::new(Many { first, to })))
    })
}

impl Invocation {
    /// Makes it.
    pub(crate) async fn run(self, desk: &CallDesk) -> Result<Content, ActionError> {
        let invoked = desk.make(self.request).await?;
        let result = match invoked.answer {
            Answer::Replied(body) => replied(self.shape, body)?,
            Answer::Accepted => Replied::Nothing,
        };
        Ok(Content::Called(Called { id: invoked.id, result }))
    }
}

fn read(
    incoming: &Incoming<'_>,
    key: &Arc<AccessKey>,
    (reply_timeout, shape): (Duration, ResultShape),
) -> Result<Request, ActionError> {
    let params = &incoming.params;
    let (identifier, args) = (params.need("Identifier")?, params.need("Args")?);
    Ok(Request {
        request_id: incoming.id,
        action: Action::InvokeThingService.as_str(),
        key: Some(RecordedKey::Signed(key.clone())),
        arrived: incoming.received.into_std(),
        target: target::device(params)?,
        asks: Asks::Service,
        service: service(identifier)?,
        args: args.to_owned(),
        qos: qos(params.get("Qos"))?,
        // From the request's arrival: what the front took is part of what the caller waits.
        deadline: Deadline::at((incoming.received + reply_timeout).into_std()),
        fails_by_code: shape == ResultShape::Data,
        trace: incoming.trace.clone(),
    })
}

fn service(identifier: &str) -> Result<ServiceId, ActionError> {
    let code = ErrorCode::InvokeThingServiceFailed;
    let id = ServiceId::try_from(identifier);
    if let Ok(id) = &id
        && id.sets_properties()
    {
        let text = "set is built in and not called by InvokeThingService; set properties with SetDeviceProperty";
        return Err(ActionError::service(code, Outcome::UnknownTarget, text));
    }
    id.map_err(|why| match meant(identifier) {
        Some(meant) => ActionError::service(
            code,
            Outcome::UnknownTarget,
            format!("Identifier {:?} is the service's method or topic; write {meant}", why.text),
        ),
        None => ActionError::malformed(code, "Identifier", &why),
    })
}

/// The service, where its method or its topic was given.
fn meant(identifier: &str) -> Option<ServiceId> {
    let (_, rest) = identifier.rsplit_once("service.").or_else(|| identifier.rsplit_once("service/"))?;
    ServiceId::try_from(rest.strip_suffix("_reply").unwrap_or(rest)).ok()
}

pub(super) fn qos(text: Option<&str>) -> Result<Qos, ActionError> {
    match text {
        None | Some("0") => Ok(Qos::AtMostOnce),
        Some("1") => Ok(Qos::AtLeastOnce),
        Some(other) => Err(ActionError::wrong("Qos", other, "0 or 1")),
    }
}

/// What `Result` holds of a reply.
fn replied(shape: ResultShape, body: ReplyBody) -> Result<Replied, ActionError> {
    match shape {
        ResultShape::Envelope => Ok(Replied::Envelope(body)),
        ResultShape::Data if body.code == ReplyBody::SUCCESS => Ok(Replied::Data(body.data)),
        // Bare data has no place for a code, so the caller must learn of it otherwise.
        ResultShape::Data => Err(CallError::Device { code: body.code, message: body.message }.into()),
    }
}

#[cfg(test)]
mod tests;
