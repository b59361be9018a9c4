//! What an action is to do with devices, once its request is read.
//!
//! **Invariant:** nothing of the request is held: a caller who waits for a device holds little memory.

use std::pin::Pin;

use futures_util::future::Either;

use super::invoke::Invocation;
use super::many::Many;
use super::message::{Publishing, Question};
use super::property::{self, Setting};
use crate::answer::Fields;
use crate::calls::CallDesk;
use crate::error::ActionError;

/// What an action is to do with devices, once its request is read.
pub(crate) enum Ordered {
    /// A service is called.
    Service(Invocation),
    /// Properties are set.
    Properties(Setting),
    /// A message is published.
    Publishing(Publishing),
    /// A device is asked in bytes.
    Question(Question),
    /// A service of several devices is called.
    Many(Box<Many>),
    /// Properties of several devices are set.
    ManyProperties(Box<Many>),
}

/// What is done, in memory of its own: a caller who waits for a service holds no room for it.
type Doing<'a> = Pin<Box<dyn Future<Output = Result<Fields, ActionError>> + Send + 'a>>;

impl Ordered {
    /// Does it; what it returns stands beside `RequestId` and `Success`.
    pub(crate) fn run(self, desk: &CallDesk) -> impl Future<Output = Result<Fields, ActionError>> + Send + '_ {
        let doing: Doing<'_> = match self {
            Self::Service(call) => return Either::Left(call.run(desk)),
            Self::Properties(set) => Box::pin(set.run(desk)),
            Self::Publishing(message) => Box::pin(message.run(desk)),
            Self::Question(question) => Box::pin(question.run(desk)),
            Self::Many(calls) => Box::pin(calls.run(desk)),
            Self::ManyProperties(calls) => {
                Box::pin(async move { calls.run(desk).await.map_err(property::of_properties) })
            }
        };
        Either::Right(doing)
    }
}
