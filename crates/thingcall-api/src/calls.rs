//! What calls are made with: the engine, as the front sees it, and the quota in front of it.
//!
//! **Invariant:** a call is taken from its account's quota before anything else is done for it. One that does not come
//! to the engine is counted as a call that failed.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt;
use thingcall_core::{AccessKey, BroadcastOrder, CallError, CallId, Failure, Outcome, Request, ResultShape};
use thingcall_engine::{Engine, Invoked, Stage};

use crate::error::ActionError;
use crate::incoming::Incoming;
pub(crate) use crate::quota::Batch;
use crate::quota::{Quota, QuotaLimits};
use crate::reached;

/// What the front needs of the engine. A trait so that tests can say what comes back, and when.
#[async_trait]
pub(crate) trait Calls: Send + Sync {
    /// Makes one call; dropping the future ends it.
    async fn invoke(&self, request: Request) -> Result<Invoked, CallError>;
    /// Says why a call would be refused as things stand.
    async fn look_over(&self, request: &Request) -> Result<(), CallError>;
    /// Sends a message to many devices of a product; says its number.
    async fn broadcast(&self, order: BroadcastOrder) -> Result<CallId, CallError>;
    /// How long a synchronous caller waits.
    fn reply_timeout(&self) -> Duration;
    /// Counts a call that did not come to the engine.
    fn count_refused(&self, outcome: Outcome);
    /// Notes a request that was refused; `signed` says whether its caller is known.
    fn refused(&self, failure: Failure, signed: bool);
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

    async fn look_over(&self, request: &Request) -> Result<(), CallError> {
        Engine::look_over(self, request).await
    }

    async fn broadcast(&self, order: BroadcastOrder) -> Result<CallId, CallError> {
        Engine::broadcast(self, order).await
    }

    fn reply_timeout(&self) -> Duration {
        Engine::reply_timeout(self)
    }

    fn count_refused(&self, outcome: Outcome) {
        Engine::count_refused(self, outcome);
    }

    fn refused(&self, failure: Failure, signed: bool) {
        Engine::refused(self, failure, signed);
    }

    fn authenticated(&self, took: Duration) {
        self.stage_took(Stage::Auth, took);
    }
}

/// Where calls are taken and made.
pub(crate) struct CallDesk {
    calls: Arc<dyn Calls>,
    quotas: Arc<QuotaLimits>,
    /// What `Result` holds, unless the key says otherwise.
    result: ResultShape,
}

impl CallDesk {
    pub(crate) fn new(calls: Arc<dyn Calls>, quotas: Arc<QuotaLimits>, result: ResultShape) -> Self {
        Self { calls, quotas, result }
    }

    /// What calls are taken from.
    pub(crate) const fn quotas(&self) -> &Arc<QuotaLimits> {
        &self.quotas
    }

    /// Takes one call from the quota of the key's account and has it read, given how long a synchronous caller waits and
    /// what the key's `Result` is to hold.
    pub(crate) fn take<T>(
        &self,
        incoming: &Incoming<'_>,
        key: &AccessKey,
        read: impl FnOnce(Duration, ResultShape) -> Result<T, ActionError>,
    ) -> Result<T, ActionError> {
        self.take_from(&self.quotas.calls.now(), incoming, key, read)
    }

    /// Takes one action for many devices from its own quota of the key's account.
    pub(crate) fn take_batch<T>(
        &self,
        batch: Batch,
        incoming: &Incoming<'_>,
        key: &AccessKey,
        read: impl FnOnce(Duration) -> Result<T, ActionError>,
    ) -> Result<T, ActionError> {
        self.take_from(&self.quotas.batches[batch].now(), incoming, key, |reply_timeout, _| read(reply_timeout))
    }

    fn take_from<T>(
        &self,
        quota: &Quota,
        incoming: &Incoming<'_>,
        key: &AccessKey,
        read: impl FnOnce(Duration, ResultShape) -> Result<T, ActionError>,
    ) -> Result<T, ActionError> {
        let shape = key.result.unwrap_or(self.result);
        let taken = quota
            .take(&key.account)
            .map_err(ActionError::from)
            .and_then(|()| read(self.calls.reply_timeout(), shape))
            .inspect_err(|error| self.calls.count_refused(error.outcome()))?;
        self.calls.authenticated(incoming.received.elapsed());
        Ok(taken)
    }

    /// Makes one call; dropping the future ends it.
    pub(crate) fn make(&self, request: Request) -> impl Future<Output = Result<Invoked, CallError>> + Send {
        self.calls.invoke(request).inspect(reached::note)
    }

    /// Says why a call would be refused as things stand.
    pub(crate) async fn look_over(&self, request: &Request) -> Result<(), CallError> {
        self.calls.look_over(request).await
    }

    /// Sends a message to many devices of a product; says its number.
    pub(crate) async fn broadcast(&self, order: BroadcastOrder) -> Result<CallId, CallError> {
        self.calls.broadcast(order).await
    }

    /// How long a synchronous caller waits.
    pub(crate) fn reply_timeout(&self) -> Duration {
        self.calls.reply_timeout()
    }

    /// Counts a call that did not come to the engine.
    pub(crate) fn count_refused(&self, outcome: Outcome) {
        self.calls.count_refused(outcome);
    }

    /// Notes a request that was refused; `signed` says whether its caller is known.
    pub(crate) fn note_refused(&self, failure: Failure, signed: bool) {
        self.calls.refused(failure, signed);
    }
}
