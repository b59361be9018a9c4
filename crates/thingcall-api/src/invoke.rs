//! InvokeThingService: parameters to a [`Request`], the engine's answer to `Data`.
//!
//! **Invariant:** knows nothing of models and devices: what is not about the form of a parameter is the engine's to
//! say. A failure found here is counted as a call that failed.

use std::io::Write as _;
use std::pin::Pin;
use std::time::Duration;

use async_trait::async_trait;
use thingcall_core::{
    AccessKey, Answer, CallError, CallId, Deadline, ErrorCode, Outcome, Qos, ReplyBody, Request, ResultShape, ServiceId,
};
use thingcall_engine::{Engine, Invoked, Stage};

use crate::actions::target;
use crate::answer::{Fields, Node, json, text};
use crate::error::Failure;
use crate::request::{App, Incoming};

/// What the front needs of the engine. A trait so that tests can say what comes back, and when.
#[async_trait]
pub(crate) trait Calls: Send + Sync {
    /// Makes one call; dropping the future ends it.
    async fn invoke(&self, request: Request) -> Result<Invoked, CallError>;
    /// How long a synchronous caller waits.
    fn reply_timeout(&self) -> Duration;
    /// Counts a call that did not come to the engine.
    fn count_refused(&self, outcome: Outcome);
    /// Notes a request that was refused; `signed` says whether its caller is known.
    fn refused(&self, failure: thingcall_core::Failure, signed: bool);
    /// Counts the time from the request's head to here: parameters, signature, quota.
    fn authenticated(&self, took: Duration);
}

#[async_trait]
impl Calls for Engine {
    // Written out, so that what waits holds the engine's state and not the request beside it.
    fn invoke<'a, 'b>(
        &'a self,
        request: Request,
    ) -> Pin<Box<dyn Future<Output = Result<Invoked, CallError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(Engine::invoke(self, request))
    }

    fn reply_timeout(&self) -> Duration {
        Engine::reply_timeout(self)
    }

    fn count_refused(&self, outcome: Outcome) {
        Engine::count_refused(self, outcome);
    }

    fn refused(&self, failure: thingcall_core::Failure, signed: bool) {
        Engine::refused(self, failure, signed);
    }

    fn authenticated(&self, took: Duration) {
        self.stage_took(Stage::Auth, took);
    }
}

/// InvokeThingService: a call as the request asks for it.
pub(crate) struct Call {
    request: Request,
    /// What `Result` is to hold.
    shape: ResultShape,
}

impl Call {
    /// Takes it from the account's quota and reads it.
    pub(crate) fn read(app: &App, incoming: &Incoming<'_>, key: &AccessKey) -> Result<Self, Failure> {
        let shape = key.result.unwrap_or(app.config.result);
        let request = app
            .quota
            .take(&key.account)
            .map_err(Failure::from)
            .and_then(|()| read(incoming, app.calls.reply_timeout(), shape))
            .inspect_err(|failure| app.calls.count_refused(failure.outcome()))?;
        app.calls.authenticated(incoming.received.elapsed());
        Ok(Self { request, shape })
    }

    /// Makes it.
    pub(crate) async fn run(self, app: &App) -> Result<Fields, Failure> {
        let invoked = app.calls.invoke(self.request).await?;
        let mut data = vec![("MessageId", text(invoked.id.to_string()))];
        if let Answer::Replied(body) = invoked.answer {
            data.push(("Result", text(result(self.shape, invoked.id, body)?)));
        }
        Ok(vec![("Data", Node::Object(data))])
    }
}

fn read(incoming: &Incoming<'_>, reply_timeout: Duration, shape: ResultShape) -> Result<Request, Failure> {
    let params = &incoming.params;
    let (identifier, args) = (params.need("Identifier")?, params.need("Args")?);
    Ok(Request {
        request_id: incoming.id,
        target: target::device(params)?,
        service: service(identifier)?,
        args: args.to_owned(),
        qos: qos(params.get("Qos"))?,
        // From the request's arrival: what the front took is part of what the caller waits.
        deadline: Deadline::at((incoming.received + reply_timeout).into_std()),
        fails_by_code: shape == ResultShape::Data,
    })
}

fn service(identifier: &str) -> Result<ServiceId, Failure> {
    let code = ErrorCode::InvokeThingServiceFailed;
    ServiceId::try_from(identifier).map_err(|why| match meant(identifier) {
        Some(meant) => Failure::service(
            code,
            Outcome::UnknownTarget,
            format!("Identifier {:?} is the service's method or topic; write {meant}", why.text),
        ),
        None => Failure::malformed(code, &why),
    })
}

/// The service, where its method or its topic was given.
fn meant(identifier: &str) -> Option<ServiceId> {
    let (_, rest) = identifier.rsplit_once("service.").or_else(|| identifier.rsplit_once("service/"))?;
    ServiceId::try_from(rest.strip_suffix("_reply").unwrap_or(rest)).ok()
}

fn qos(text: Option<&str>) -> Result<Qos, Failure> {
    match text {
        None | Some("0") => Ok(Qos::AtMostOnce),
        Some("1") => Ok(Qos::AtLeastOnce),
        Some(other) => Err(Failure::illegal(format!("Qos is {other:?}; right is 0 or 1"))),
    }
}

/// The text in `Result`, itself JSON.
fn result(shape: ResultShape, id: CallId, body: ReplyBody) -> Result<String, Failure> {
    match shape {
        ResultShape::Envelope => Ok(envelope(id, &body)),
        ResultShape::Data if body.code == ReplyBody::SUCCESS => Ok(body.data),
        // Bare data has no place for a code, so the caller must learn of it otherwise.
        ResultShape::Data => Err(CallError::Device { code: body.code, message: body.message }.into()),
    }
}

/// The whole Alink reply, in the order of Alibaba's sample. Devices send no message on success; the samples show one.
fn envelope(id: CallId, body: &ReplyBody) -> String {
    let default = if body.code == ReplyBody::SUCCESS { "success" } else { "" };
    let message = body.message.as_deref().unwrap_or(default);
    let mut text = Vec::with_capacity(body.data.len() + message.len() + 96);
    // Writing to memory cannot fail.
    write!(text, r#"{{"code":{},"data":{},"id":"{id}","message":"#, body.code, body.data).ok();
    json::string(&mut text, message);
    text.extend_from_slice(br#","version":"1.0"}"#);
    // Of texts and numbers only.
    String::from_utf8(text).unwrap_or_default()
}

#[cfg(test)]
mod tests;
