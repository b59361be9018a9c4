//! A handler's own answer: it may stand in for the device's, and what it means depends on who waits.
//!
//! **Invariant:** an asynchronous caller is told that the call is on its way only when a command is, or when its record
//! holds the answer already. A refused call has no record of its own.

use thingcall_core::{Answer, CallError, CallMode, Command, Delivery, Executed, Qos, ReplyBody, TransportKind};

use super::Link;

/// What a handler's answer comes to.
pub(crate) enum Settled {
    /// What the caller is told.
    Now(Result<Answer, CallError>),
    /// The result of an asynchronous call, which the caller is told of once it is recorded.
    ToRecord(ReplyBody),
}

impl Link<'_> {
    /// Takes what a handler answered, checked against the model as `checked`.
    pub(crate) fn settle(&self, checked: Result<Answer, CallError>) -> Settled {
        let asked = self.asked_device();
        let body = match checked {
            Ok(Answer::Replied(body)) => body,
            Err(CallError::InvalidReply(why)) if !asked => {
                let why = format!("its answer does not fit the thing model: {why}");
                return Settled::Now(Err(CallError::Plugin { why, executed: Executed::No }));
            }
            other => return Settled::Now(other),
        };
        if !asked {
            self.answered_by_handler();
        }
        match self.call.mode {
            CallMode::Sync => Settled::Now(Ok(Answer::Replied(body))),
            CallMode::Async if body.code != ReplyBody::SUCCESS => {
                let executed = self.executed();
                Settled::Now(Err(CallError::Refused { code: body.code, message: body.message, executed }))
            }
            CallMode::Async if self.is_on_its_way() => Settled::Now(Ok(Answer::Accepted)),
            CallMode::Async => Settled::ToRecord(body),
        }
    }

    /// Records an asynchronous call together with its answer. Nothing is sent, so nothing is kept for the device.
    pub(crate) async fn record(&self, body: ReplyBody) -> Result<Answer, CallError> {
        let own = Command { service: self.call.service.clone(), params: self.call.args.clone() };
        let mut delivery = Delivery { qos: Qos::AtMostOnce, ..self.delivery(own) };
        self.write_down(&mut delivery, Some(&body)).await?;
        // Another one than the call's where that one names a command that failed.
        self.recorded_as(delivery.id);
        self.engine.metrics.posted_ended(&self.call.device.key, Some(TransportKind::Plugin), body.outcome());
        Ok(Answer::Accepted)
    }
}
