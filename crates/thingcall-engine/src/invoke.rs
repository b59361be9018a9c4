//! A call from the front to the handler and back, under one timer, counted once.

use std::future::ready;
use std::pin::{Pin, pin};

use bytes::Bytes;
use thingcall_core::{
    Answer, CallError, CallId, CallMode, CallStep, LookUp, LookedUp, Outcome, PeerText, ReplyBody, Request,
};
use thingcall_tsl::{Found, ReplyCheck};
use tokio::time::{Instant, timeout_at};
use tokio_util::either::Either;
use tracing::{Instrument, debug, debug_span, warn};

use crate::admit::{Admitted, Arrived, Begun};
use crate::link::{Link, Settled};
use crate::metrics::{Checked, ProductLabel};
use crate::traced;
use crate::{Engine, Stage};

/// A call that succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invoked {
    /// Its id, the caller's `MessageId`.
    pub id: CallId,
    /// Whether the device has answered.
    pub mode: CallMode,
    /// The device's answer, of whatever code; or that the call is on its way.
    pub answer: Answer,
    /// The bytes that it answered a letter with.
    pub said: Option<Bytes>,
    /// Its device was away, and at QoS 0 nothing is kept for it: it is never executed.
    pub reached_nobody: bool,
}

/// How a call ended, and when, if that is known.
type Ended = (Result<Answer, CallError>, Option<Instant>);

impl Engine {
    /// Makes one call: checks it now, where memory has its device, and runs it in the future. Dropping that ends the call:
    /// nothing of it stays, and the device is not called again.
    ///
    /// # Errors
    /// Why the call failed and whether the device may have executed it.
    pub fn invoke(&self, request: Request) -> impl Future<Output = Result<Invoked, CallError>> + Send + '_ {
        let started = Instant::now();
        let running = match self.enter() {
            Ok(running) => running,
            Err(error) => {
                self.not_admitted(&request, &error, started.elapsed());
                return Either::Left(Either::Left(ready(Err(error))));
            }
        };
        let arrived = Arrived { request, started, running };
        match self.registry.find(&arrived.request.target) {
            LookUp::Known(found) => Either::Left(Either::Right(self.go_on(arrived, found.into_inner(), started))),
            LookUp::Sought(looking) => Either::Right(self.look_up(arrived, looking)),
        }
    }

    /// Checks a request as [`Self::invoke`] does first, and calls nobody.
    ///
    /// # Errors
    /// Why the call would be refused as things stand.
    pub async fn look_over(&self, request: &Request) -> Result<(), CallError> {
        let found = match self.registry.find(&request.target) {
            LookUp::Known(found) => found.into_inner(),
            LookUp::Sought(looking) => {
                let until = Instant::from_std(request.deadline.instant());
                timeout_at(until, looking).await.map_err(|_| CallError::NotLookedUp("the store is slow".to_owned()))?
            }
        };
        self.check(request, found).map(drop)
    }

    /// Makes a call whose device memory does not have. Its time runs meanwhile.
    fn look_up<'a>(&'a self, arrived: Arrived, looking: Looking<'a>) -> Calling<'a> {
        Box::pin(async move {
            let mut waiting = LookingUp { engine: self, ended: false };
            let found = timeout_at(Instant::from_std(arrived.request.deadline.instant()), looking).await;
            waiting.ended = true;
            if let Ok(found) = found {
                return self.go_on(arrived, found, Instant::now()).await;
            }
            let elapsed = arrived.started.elapsed();
            let error = CallError::Expired { waited_ms: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX) };
            self.not_admitted(&arrived.request, &error, elapsed);
            Err(error)
        })
    }

    /// Makes a call, once it is known to which device; `at` is now.
    fn go_on(
        &self,
        arrived: Arrived,
        found: LookedUp<Found>,
        at: Instant,
    ) -> impl Future<Output = Result<Invoked, CallError>> + Send + '_ {
        let begun = match self.begin(arrived, found, at) {
            Ok(begun) => begun,
            Err(error) => return Either::Left(ready(Err(error))),
        };
        let call = &begun.admitted.call;
        // Written out for each call, it would cost a tenth of the path: warnings of a call name it themselves.
        let span = debug_span!(
            "call", id = %call.id, request = %call.request_id, device = %call.device.key, service = %call.service,
            mode = call.mode.as_str()
        );
        Either::Right(self.run(begun).instrument(span))
    }

    fn begin(&self, arrived: Arrived, found: LookedUp<Found>, at: Instant) -> Result<Begun, CallError> {
        let Arrived { request, started, running } = arrived;
        let (deadline, fails_by_code) = (request.deadline, request.fails_by_code);
        let arrived = Instant::from_std(request.arrived);
        let refused = |error: &CallError| self.not_admitted(&request, error, started.elapsed());
        let slot = self.slots.own_at(at.into_std()).ok_or(CallError::NoLease).inspect_err(refused)?;
        let checks = self.check(&request, found);
        let validated = Instant::now();
        self.metrics.stage_took(Stage::Validate, validated - started);
        let checks = checks.inspect_err(refused)?;
        let admitted = self.admit(request, slot, checks);
        Ok(Begun { _running: running, admitted, deadline, arrived, started, validated, fails_by_code })
    }

    /// Runs the handler under the call's one timer.
    #[expect(clippy::manual_async_fn, reason = "an async fn keeps its arguments twice, and every call waits in here")]
    fn run(&self, begun: Begun) -> impl Future<Output = Result<Invoked, CallError>> + Send + '_ {
        async move {
            let link = Link::new(self, &begun);
            let until = Instant::from_std(begun.deadline.instant());
            let ended = {
                // Where it stays: it is large, and would be moved into the timer and to where that is polled.
                let handling = pin!(self.handle(&begun, &link));
                timeout_at(until, handling).await
            };
            let (result, at) = ended.unwrap_or_else(|_| (Err(link.timed_out()), None));
            let (outcome, at) = (outcome(&result), at.unwrap_or_else(Instant::now));
            let elapsed = self.note_end(&link, outcome, at, &result);
            debug!(%outcome, elapsed_ms = elapsed.as_millis(), "call ended");
            if self.config.log_successes && outcome == Outcome::Ok {
                Self::log_success(link.call, &link.came(elapsed));
            }
            let (said, reached_nobody) = (link.said(), link.reached_nobody());
            let id = link.finish(outcome, elapsed);
            result.map(|answer| Invoked { id, mode: begun.admitted.call.mode, answer, said, reached_nobody })
        }
    }

    /// Runs the handler, and takes its answer as what it is: the device's, or the handler's own.
    async fn handle(&self, begun: &Begun, link: &Link<'_>) -> Ended {
        let admitted = &begun.admitted;
        let call = &admitted.call;
        // Handlers are for the services of thing models.
        let handler = if call.letter.is_none() { self.router.find(call) } else { None };
        let Some(handler) = handler else {
            let answered = link.forward(begun.validated).await;
            return self.check_answer(answered, admitted, || link.at_device.came().unwrap_or_else(Instant::now));
        };
        link.steps.note(CallStep::HandlerBegan, begun.validated);
        let plugin = link.trace_handler(&*handler);
        let within = InHandler { link, plugin, began: begun.validated, ended: None };
        let held = self.hands.enter(call, &handler, begun.validated);
        let answered = tokio::select! {
            biased;
            answered = handler.handle(call, link) => answered,
            () = held.ended() => Err(link.cancelled()),
        };
        drop(held);
        let ended = within.end();
        if answered.is_err() {
            return (answered, None);
        }
        let (checked, at) = self.check_answer(answered, admitted, || ended);
        match link.settle(checked) {
            Settled::Now(result) => (result, at),
            // By itself: its state would be kept free in every call.
            Settled::ToRecord(body) => (Box::pin(link.record(body)).await, None),
        }
    }

    /// Checks a device's answer, which came just now, as the product asks for.
    fn check_answer(
        &self,
        answered: Result<Answer, CallError>,
        admitted: &Admitted,
        came: impl FnOnce() -> Instant,
    ) -> Ended {
        let Ok(Answer::Replied(body)) = &answered else { return (answered, None) };
        let came = came();
        let fits = self.check_body(body, admitted);
        let checked = Instant::now();
        self.metrics.stage_took(Stage::Decode, checked - came);
        if let Some(trace) = &admitted.call.trace {
            traced::decoded(trace, (came, checked), fits.as_ref().err());
        }
        (fits.and(answered), Some(checked))
    }

    fn check_body(&self, body: &ReplyBody, admitted: &Admitted) -> Result<(), CallError> {
        let Admitted { call, product, service, .. } = admitted;
        let policy = product.settings.reply_check;
        if policy == ReplyCheck::Off || body.code != ReplyBody::SUCCESS {
            return Ok(());
        }
        // A model replaced since its admission has nothing to say about this call.
        let of_model = || product.model.as_ref().and_then(|model| model.service(&call.service).ok());
        let Some(service) = service.as_deref().or_else(of_model) else { return Ok(()) };
        let Err(violation) = service.check_reply(&body.data) else { return Ok(()) };
        self.metrics.violation(Checked::Reply, violation.kind);
        let (kind, at) = (violation.kind.as_str(), PeerText::new(&violation.path));
        warn!(id = %call.id, device = %call.device.key, kind, %at, "reply does not fit the model");
        if policy == ReplyCheck::Reject { Err(CallError::InvalidReply(violation.to_string())) } else { Ok(()) }
    }
}

/// A look-up under way.
type Looking<'a> = Pin<Box<dyn Future<Output = LookedUp<Found>> + Send + 'a>>;
/// A call under way, by itself.
type Calling<'a> = Pin<Box<dyn Future<Output = Result<Invoked, CallError>> + Send + 'a>>;

/// A call whose device is being looked up. Dropped meanwhile, it is one whose caller hung up.
struct LookingUp<'a> {
    engine: &'a Engine,
    ended: bool,
}

impl Drop for LookingUp<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.engine.metrics.call_ended(ProductLabel::OTHER, None, None, Outcome::Cancelled);
        }
    }
}

/// A call that a handler other than the built-in one has in hand. Dropped, also at the deadline, it tells how long.
struct InHandler<'a> {
    link: &'a Link<'a>,
    /// Its name, where a trace is recorded.
    plugin: Option<String>,
    began: Instant,
    ended: Option<Instant>,
}

impl InHandler<'_> {
    /// It answered now.
    fn end(mut self) -> Instant {
        *self.ended.insert(Instant::now())
    }
}

impl Drop for InHandler<'_> {
    fn drop(&mut self) {
        let ended = self.ended.unwrap_or_else(Instant::now);
        let took = (ended - self.began).saturating_sub(self.link.at_device.total(ended));
        self.link.engine.metrics.stage_took(Stage::Plugin, took);
        self.link.steps.note(CallStep::HandlerEnded, ended);
        if let Some(plugin) = self.plugin.take() {
            self.link.trace_handled(plugin, (self.began, ended));
        }
    }
}

fn outcome(result: &Result<Answer, CallError>) -> Outcome {
    match result {
        Ok(Answer::Replied(body)) if body.code != ReplyBody::SUCCESS => Outcome::DeviceError,
        Ok(_) => Outcome::Ok,
        Err(error) => error.outcome(),
    }
}
