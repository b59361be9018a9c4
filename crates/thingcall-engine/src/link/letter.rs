//! A message of an application's own that nobody waits for: handed on, and that is its end.
//!
//! **Invariant:** it is in no journal: at QoS 1 its caller is told where nobody takes it, or keeps it. The answer to a
//! question is heard from the moment it leaves.

use thingcall_core::{
    Answer, CallError, CallStep, Command, DeliverError, Letter, NotCarried, Outcome, Qos, Sent, Transport,
};
use tokio::time::Instant;

use super::Link;

impl Link<'_> {
    /// Sends the message. At QoS 0 a device that is away is no failure, as for whoever publishes on a broker, unless it is
    /// asked something.
    pub(super) async fn publish(&self, command: Command) -> Result<Answer, CallError> {
        let delivery = self.delivery(command);
        let transport = self.choose()?;
        self.check_letter(&*transport)?;
        let is_question = self.call.letter.as_deref().is_some_and(|letter: &Letter| letter.to.is_question());
        let unawaited = &self.engine.unawaited;
        let asked = is_question.then(|| unawaited.open(delivery.id, &self.call.device)).transpose();
        let mut asked = asked.map_err(|max| {
            let why = format!("{max} questions of AsyncRRpc have no answer yet (unawaited_questions_max)");
            CallError::Overloaded(why)
        })?;
        let outcome = match self.deliver(&*transport, &delivery, Instant::now()).await {
            Ok((sent, at)) => {
                if sent != Sent::Kept {
                    self.steps.note(CallStep::Sent, at);
                }
                if sent == Sent::Acked {
                    self.steps.note(CallStep::Acked, at);
                }
                if let Some(asked) = asked.take() {
                    asked.left();
                }
                Outcome::Ok
            }
            Err(DeliverError::Offline) if delivery.qos == Qos::AtMostOnce && !is_question => Outcome::Offline,
            Err(error) => return Err(self.not_delivered(error)),
        };
        // An asynchronous call that is on its way counts when it ends: this is its end.
        self.engine.metrics.posted_ended(&self.call.device.key, Some(transport.kind()), outcome);
        Ok(Answer::Accepted)
    }

    /// Says why this transport does not carry the call's letter, where it is one.
    pub(super) fn check_letter(&self, transport: &dyn Transport) -> Result<(), CallError> {
        let Some(letter) = &self.call.letter else { return Ok(()) };
        transport.carries(&self.call.device.key, letter).map_err(|why| match why {
            NotCarried::Topic(why) => CallError::InvalidTopic(why),
            NotCarried::Extras(why) => CallError::NotDelivered(why),
        })
    }
}
