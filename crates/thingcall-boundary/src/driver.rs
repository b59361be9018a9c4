//! The engine's side of a plugin's call: a future that calls the device for the plugin, keeps its timers and waits for
//! its answer.
//!
//! **Invariants:** dropping it ends the call for the plugin, and waits for no thread of the pool. It gives way after
//! [`ROUNDS_MAX`] rounds, so that a plugin and a quick device cannot keep the call's one timer from being looked at.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use async_trait::async_trait;
use futures_util::stream::{FuturesUnordered, Stream};
use thingcall_core::{Answer, Call, CallError, Command, DeviceLink, Executed, Handler};
use tokio::time::{Instant, sleep, timeout};

use crate::answer::{Tally, answer};
use crate::at_device::AtDevice;
use crate::call::CallActor;
use crate::fault::Fault;
use crate::instance::{Instance, NotAdmitted};
use crate::mail::{Completion, Exchange};
use crate::metrics::CallEnd;
use crate::operation::{OperationEnd, Order, Ordered};
use crate::pool::More;
use crate::terms::Fallback;

const ROUNDS_MAX: u32 = 32;

/// A generation's face to the engine.
pub(crate) struct PluginHandler(pub(crate) Arc<Instance>);

#[async_trait]
impl Handler for PluginHandler {
    async fn handle(&self, call: &Call, device: &dyn DeviceLink) -> Result<Answer, CallError> {
        let instance = &self.0;
        if instance.watched.stuck() {
            return blocked(instance, call, device).await;
        }
        let mut driver = Driver::new(instance, call, device)?;
        std::future::poll_fn(|context| driver.poll(context)).await
    }

    fn plugin(&self) -> Option<String> {
        Some(self.0.plugin().to_owned())
    }
}

/// What becomes of a call while the plugin's circuit is open.
async fn blocked(instance: &Instance, call: &Call, device: &dyn DeviceLink) -> Result<Answer, CallError> {
    match instance.terms.fallback {
        Fallback::Fail => {
            instance.series.refused(CallEnd::Busy);
            let why = format!("plugin {} is stuck: its code blocks; reload it", instance.plugin());
            Err(CallError::Plugin { why, executed: Executed::No })
        }
        Fallback::BuiltIn => device.call(Command { service: call.service.clone(), params: call.args.clone() }).await,
    }
}

/// An operation that runs.
struct Running<'a> {
    number: i32,
    run: Run<'a>,
    waits_for: WaitsFor,
}

/// What an operation waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WaitsFor {
    Device,
    Timer,
}

enum Run<'a> {
    /// A command for the device, as its link made it.
    Forward(Pin<Box<dyn Future<Output = Result<Answer, CallError>> + Send + 'a>>),
    /// Anything else.
    Other(Pin<Box<dyn Future<Output = OperationEnd> + Send + 'a>>),
}

impl Future for Run<'_> {
    type Output = OperationEnd;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<OperationEnd> {
        match self.get_mut() {
            Self::Forward(asked) => asked.as_mut().poll(context).map(OperationEnd::Answered),
            Self::Other(other) => other.as_mut().poll(context),
        }
    }
}

impl Future for Running<'_> {
    type Output = (i32, WaitsFor, OperationEnd);

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let ended = Pin::new(&mut self.run).poll(context);
        ended.map(|end| (self.number, self.waits_for, end))
    }
}

struct Driver<'a> {
    actor: Arc<CallActor>,
    call: &'a Call,
    device: &'a dyn DeviceLink,
    /// The only operation, or the first of several.
    running: Option<Running<'a>>,
    /// Those beside it. Made when there is one.
    others: Option<FuturesUnordered<Running<'a>>>,
    tally: Tally,
    at_device: AtDevice,
    started: bool,
    answered: bool,
    /// The plugin's code has run for the last time.
    finished: bool,
}

impl<'a> Driver<'a> {
    fn new(instance: &Arc<Instance>, call: &'a Call, device: &'a dyn DeviceLink) -> Result<Self, CallError> {
        let plugin = instance.plugin();
        let overloaded = |why| {
            instance.series.refused(CallEnd::Busy);
            CallError::Overloaded(why)
        };
        let permit = instance.admit().map_err(|why| match why {
            NotAdmitted::Full(max) => overloaded(format!("plugin {plugin} has {max} calls in flight")),
            NotAdmitted::Closed => {
                let why = format!("plugin {plugin} was replaced a moment ago; try again");
                CallError::Plugin { why, executed: Executed::No }
            }
        })?;
        let actor = CallActor::enter(call, device, permit, instance)
            .ok_or_else(|| overloaded("no token is free for another plugin call".to_owned()))?;
        Ok(Self {
            actor,
            call,
            device,
            running: None,
            others: None,
            tally: Tally::default(),
            at_device: AtDevice::default(),
            started: false,
            answered: false,
            finished: false,
        })
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Answer, CallError>> {
        // Not kept from one poll to the next: less to hold for a call that waits.
        let mut exchange = Exchange::default();
        if self.started {
            self.poll_running(context, &mut exchange);
        } else {
            self.started = true;
            self.actor.start();
        }
        for _ in 0..ROUNDS_MAX {
            let mut moved = self.actor.exchange(&mut exchange) == More::Yes;
            self.finished = exchange.finished;
            if let Some(completion) = exchange.completion.take() {
                return Poll::Ready(self.conclude(completion));
            }
            if self.start_orders(&mut exchange) | self.give_up(&mut exchange) {
                self.poll_running(context, &mut exchange);
            }
            moved |= !exchange.ended.is_empty();
            if !moved && self.actor.park(context.waker()) {
                return Poll::Pending;
            }
        }
        exchange.ended.drain(..).for_each(|(number, end)| self.actor.ended_later(number, end));
        context.waker().wake_by_ref();
        Poll::Pending
    }

    fn conclude(&mut self, completion: Completion) -> Result<Answer, CallError> {
        self.answered = true;
        let instance = self.actor.instance();
        let (answer, result) = answer(instance.plugin(), self.call.mode, &mut self.tally, completion);
        let now = Instant::now();
        instance.series.ended(result, now - self.actor.entered(), self.at_device.total(now));
        answer
    }

    /// Says whether anything was started.
    fn start_orders(&mut self, exchange: &mut Exchange) -> bool {
        let any = !exchange.orders.is_empty();
        for order in exchange.orders.drain(..) {
            let Order { number, what } = order;
            let (waits_for, run) = match what {
                Ordered::Forward(params, limit) => {
                    self.tally.forwards = self.tally.forwards.saturating_add(1);
                    self.at_device.asked();
                    let command = Command { service: self.call.service.clone(), params };
                    let asked = self.device.call(command);
                    let (call, entered) = (self.call, self.actor.entered());
                    let run = match limit {
                        None => Run::Forward(asked),
                        Some(limit) => Run::Other(Box::pin(async move {
                            let end = timeout(limit, asked).await;
                            OperationEnd::Answered(end.unwrap_or_else(|_| Err(timed_out(call, entered))))
                        })),
                    };
                    (WaitsFor::Device, run)
                }
                Ordered::Timer(wait) => {
                    let run = Run::Other(Box::pin(async move {
                        sleep(wait).await;
                        OperationEnd::Fired
                    }));
                    (WaitsFor::Timer, run)
                }
            };
            let running = Running { number, run, waits_for };
            match &self.running {
                None => self.running = Some(running),
                Some(_) => self.others.get_or_insert_default().push(running),
            }
        }
        any
    }

    /// Ends what the plugin gave up, if it runs still. Says whether anything ended.
    fn give_up(&mut self, exchange: &mut Exchange) -> bool {
        let mut moved = false;
        for number in std::mem::take(&mut exchange.given_up) {
            let waited_for = match self.running.take_if(|running| running.number == number) {
                Some(running) => running.waits_for,
                None => {
                    let Some(others) = &mut self.others else { continue };
                    let given_up = others.iter().find(|running| running.number == number);
                    let Some(waited_for) = given_up.map(|running| running.waits_for) else { continue };
                    *others = std::mem::take(others).into_iter().filter(|running| running.number != number).collect();
                    waited_for
                }
            };
            self.ended(exchange, (number, waited_for), OperationEnd::Cancelled);
            moved = true;
        }
        moved
    }

    fn poll_running(&mut self, context: &mut Context<'_>, exchange: &mut Exchange) {
        if let Some(running) = &mut self.running
            && let Poll::Ready((number, waited_for, end)) = Pin::new(running).poll(context)
        {
            self.running = None;
            self.ended(exchange, (number, waited_for), end);
        }
        while let Some(others) = &mut self.others
            && let Poll::Ready(Some((number, waited_for, end))) = Pin::new(others).poll_next(context)
        {
            self.ended(exchange, (number, waited_for), end);
        }
    }

    fn ended(&mut self, exchange: &mut Exchange, (number, waited_for): (i32, WaitsFor), end: OperationEnd) {
        if waited_for == WaitsFor::Device {
            self.at_device.ended();
        }
        if let OperationEnd::Answered(end) = &end {
            self.tally.note(end);
        }
        self.actor.ended(exchange, number, end);
    }
}

fn timed_out(call: &Call, entered: Instant) -> CallError {
    let waited_ms = u64::try_from(entered.elapsed().as_millis()).unwrap_or(u64::MAX);
    CallError::Timeout { device: call.device.key.to_string(), waited_ms, hint: None }
}

impl Driver<'_> {
    /// How a call is counted whose time is over: the plugin's fault, or that of a device that it had asked.
    fn late(&self) -> CallEnd {
        let mut runs = self.running.iter().chain(self.others.iter().flatten());
        if runs.any(|running| running.waits_for == WaitsFor::Device) {
            CallEnd::DeviceTimeout
        } else {
            CallEnd::Timeout
        }
    }
}

impl Drop for Driver<'_> {
    fn drop(&mut self) {
        let silent = self.late();
        self.running = None;
        self.others = None;
        if !self.answered {
            let late = Instant::now().into_std() >= self.actor.request().deadline().instant();
            let (why, result) = if late { (Fault::Timeout, silent) } else { (Fault::Cancelled, CallEnd::Cancelled) };
            self.actor.abandon(why);
            let now = Instant::now();
            self.actor.instance().series.ended(result, now - self.actor.entered(), self.at_device.total(now));
        }
        if !self.finished {
            self.actor.run_out();
        }
    }
}

#[cfg(test)]
mod tests;
