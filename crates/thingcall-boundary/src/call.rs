//! A plugin's call as the plugin sees it: an actor, whose mailbox says what of the plugin's code runs next.
//!
//! A call is read from here to the plugin and back:
//! 1. `driver` is the engine's side, one future. It makes the actor ([`CallActor::enter`]), has `begin` run
//!    ([`CallActor::start`]), and again and again takes what the plugin wants ([`CallActor::exchange`]) and
//!    says what ended ([`CallActor::ended`]), until there is an answer.
//! 2. [`CallActor::steps`] runs the plugin's code: on the driver's thread, or on one of the plugin's pool. Which function is
//!    next, `mail` says.
//! 3. `instance` calls that function.
//! 4. `host` is what the plugin's code calls from there, or from any thread: it finds the actor by its token, and what it
//!    asks for goes into the mail ([`CallActor::order`], [`CallActor::complete`], ...) and wakes the driver.
//!
//! **Invariants:** as the mail says; the token is stale as soon as the call is over. No lock is held while plugin code runs
//! or somebody is woken.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Waker;
use std::time::Duration;

use thingcall_core::{Answer, Call, DeviceLink};
use thingcall_plugin::abi::{DoneFn, Token};
use tokio::time::Instant;

use crate::fault::Fault;
use crate::foreign::Foreign;
use crate::instance::{Instance, Permit};
use crate::mail::{Completion, Exchange, Mail, News, Poke, Step};
use crate::metrics::Series;
use crate::operation::{OperationEnd, Ordered};
use crate::pool::{More, Work};
use crate::request::CallRequest;
use crate::scope::Scope;
use crate::slots::{self, Slots, lock};
use crate::terms::Execution;

/// How many times in a row a call may run plugin code before others have their turn.
const STEPS_MAX: u32 = 32;

/// The calls of the process, by their tokens.
static CALLS: Slots<Arc<CallActor>, Series> = Slots::new(slots::CALLS);

scoped_tls::scoped_thread_local! {
    /// The call whose plugin code runs on this thread.
    static RUNNING: Arc<CallActor>
}

/// One call of a plugin.
pub(crate) struct CallActor {
    /// `destroy` waits until the actor is gone: nobody runs it, waits for it or finds it any more.
    permit: Permit,
    token: Token,
    request: CallRequest,
    entered: Instant,
    /// As the mail says, for a look without its lock.
    over: AtomicBool,
    mail: Mutex<Mail>,
}

impl CallActor {
    /// Enters a call; nothing runs yet. `None` if there are too many calls in the process.
    pub(crate) fn enter(
        call: &Call,
        device: &dyn DeviceLink,
        permit: Permit,
        instance: &Arc<Instance>,
    ) -> Option<Arc<Self>> {
        CALLS.insert(&instance.series, |token| {
            let (request, entered) = (CallRequest::new(call, device.deadline()), Instant::now());
            let (over, mail) = (AtomicBool::new(false), Mutex::new(Mail::new(instance.terms.execution)));
            let actor = Arc::new(Self { permit, token, request, entered, over, mail });
            (actor.clone(), actor)
        })
    }

    /// The call a token names.
    pub(crate) fn named(token: Token) -> Option<Arc<Self>> {
        CALLS.get(token)
    }

    /// Gives the call a token names to `then`. Most often it is the one that runs on this thread, which needs no look
    /// into the table.
    pub(crate) fn with<R>(token: Token, then: impl FnOnce(&Arc<Self>) -> R) -> Option<R> {
        if RUNNING.is_set() && RUNNING.with(|running| running.token == token && !running.is_over()) {
            return Some(RUNNING.with(then));
        }
        Self::named(token).map(|call| then(&call))
    }

    /// The plugin of the call that a token names, or named as far as that is remembered.
    pub(crate) fn owner(token: Token) -> Option<Arc<Series>> {
        CALLS.owner(token)
    }

    /// The calls of an instance that are not over.
    pub(crate) fn all_of(instance: &Arc<Instance>) -> Vec<Arc<Self>> {
        CALLS.filter(|call| Arc::ptr_eq(call.instance(), instance).then(|| call.clone()))
    }

    /// The id of the call whose plugin code runs on this thread. Only looks, so that a signal's handler may ask.
    pub(crate) fn running() -> Option<u32> {
        RUNNING.is_set().then(|| RUNNING.with(|running| running.request.id().as_u32()))
    }

    pub(crate) const fn instance(&self) -> &Arc<Instance> {
        self.permit.instance()
    }

    /// Whether its token is stale, or about to be.
    fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// The call as it came to the plugin.
    pub(crate) const fn request(&self) -> &CallRequest {
        &self.request
    }

    /// When it came to the plugin.
    pub(crate) const fn entered(&self) -> Instant {
        self.entered
    }

    fn execution(&self) -> Execution {
        self.instance().terms.execution
    }

    // What the driver does with it.

    /// Has `begin` run. In-line plugins run when their driver does.
    pub(crate) fn start(self: &Arc<Self>) {
        match self.execution() {
            Execution::Inline => {}
            Execution::Pool => {
                let poke = lock(&self.mail).start();
                self.tell(poke);
            }
        }
    }

    /// Gives the driver what it has to do; where the plugin's code runs on the driver's thread, runs it before. Says whether
    /// there is more to run at once.
    pub(crate) fn exchange(self: &Arc<Self>, driver: &mut Exchange) -> More {
        match self.execution() {
            Execution::Inline => {
                let first = lock(&self.mail).enter(driver);
                first.map_or(More::No, |first| RUNNING.set(self, || self.steps(first, Some(driver))))
            }
            Execution::Pool => {
                lock(&self.mail).hand_over(driver);
                More::No
            }
        }
    }

    /// Has the driver woken when there is something for it. Says whether there is nothing now.
    pub(crate) fn park(&self, waker: &Waker) -> bool {
        lock(&self.mail).park(waker)
    }

    /// An operation ended: the plugin is told when its code runs next, which on the driver's thread is in this exchange.
    pub(crate) fn ended(self: &Arc<Self>, driver: &mut Exchange, number: i32, end: OperationEnd) {
        match self.execution() {
            Execution::Inline => driver.ended.push((number, end)),
            Execution::Pool => self.ended_later(number, end),
        }
    }

    /// As [`Self::ended`], but not in this exchange.
    pub(crate) fn ended_later(self: &Arc<Self>, number: i32, end: OperationEnd) {
        let poke = lock(&self.mail).ended(number, end);
        self.tell(poke);
    }

    /// The caller waits no longer.
    pub(crate) fn abandon(self: &Arc<Self>, why: Fault) {
        drop(CALLS.kill(self.token));
        // Over already: it is as well.
        let _over = self.finish(lock(&self.mail), Err(why), None);
    }

    /// Runs what is left where the plugin's code runs on the driver's thread, which goes now.
    pub(crate) fn run_out(self: &Arc<Self>) {
        match self.execution() {
            Execution::Inline => {
                let mut unheard = Exchange::default();
                while self.exchange(&mut unheard) == More::Yes {}
            }
            Execution::Pool => {}
        }
    }

    /// The generation must go: the call ends now.
    pub(crate) fn shut_down(self: &Arc<Self>) {
        let message = "it was replaced, and the time for its last calls is over".to_owned();
        let failed = Completion::Failed { fault: Fault::Shutdown, message };
        let _over = self.finish(lock(&self.mail), Err(Fault::Shutdown), Some(failed));
    }

    // The one who runs the plugin's code.

    /// With `driver` on its thread.
    fn steps(self: &Arc<Self>, first: Step, mut driver: Option<&mut Exchange>) -> More {
        let mut step = first;
        for left in (0..STEPS_MAX).rev() {
            let mut news = News::default();
            match step {
                Step::Begin => news.state = Some(self.begin()),
                Step::Done(operation, end) => {
                    end.tell(self.instance(), operation.done, operation.user);
                    if let OperationEnd::Answered(Ok(Answer::Replied(body))) = end {
                        news.latest = Some(body.data);
                    }
                }
                Step::Poll(state) => self.instance().poll(self.token, state),
                Step::End(state, reason) => {
                    self.instance().end(self.token, state, reason);
                    return More::No;
                }
                Step::Finished | Step::Idle => return More::No,
            }
            let mut mail = lock(&self.mail);
            mail.take(news);
            if left == 0 {
                if let Some(driver) = driver {
                    mail.leave(driver);
                }
                break;
            }
            step = mail.next(driver.as_deref_mut());
        }
        More::Yes
    }

    fn begin(self: &Arc<Self>) -> Foreign {
        // On the server's threads it begins at once.
        let now = match self.execution() {
            Execution::Inline => self.entered,
            Execution::Pool => Instant::now(),
        };
        let mut state = Foreign::NULL;
        if let Err(fault) = self.instance().begin(self.token, &self.request, now, &mut state) {
            let failed = Completion::Failed { fault, message: String::new() };
            let _over = self.finish(lock(&self.mail), Err(fault), Some(failed));
        }
        state
    }

    // What the plugin asks for, from any thread.

    /// Ends the call with the device's latest answer, if these bytes are its data, which was checked when it came.
    pub(crate) fn complete_with_latest(
        self: &Arc<Self>,
        code: i32,
        message: &str,
        data: &[u8],
    ) -> Option<Result<(), Fault>> {
        let mut mail = lock(&self.mail);
        let data = mail.take_latest(data)?;
        let message = if message.is_empty() { None } else { Some(message.to_owned()) };
        Some(self.finish(mail, Ok(()), Some(Completion::Answered { code, message, data })))
    }

    /// Ends the call with an answer; the first wins.
    pub(crate) fn complete(self: &Arc<Self>, completion: Completion) -> Result<(), Fault> {
        self.finish(lock(&self.mail), Ok(()), Some(completion))
    }

    /// Asks for a `poll`.
    pub(crate) fn wake(self: &Arc<Self>) -> Result<(), Fault> {
        if self.instance().table().poll.is_none() {
            return Err(Fault::Unsupported);
        }
        let poke = lock(&self.mail).wake()?;
        self.tell(poke);
        Ok(())
    }

    /// Starts an operation and says its number.
    pub(crate) fn order(self: &Arc<Self>, what: Ordered, done: DoneFn, user: Foreign) -> Result<i32, Fault> {
        let operations_max = self.instance().terms.operations_per_call_max;
        let (number, poke) = lock(&self.mail).order(what, done, user, operations_max)?;
        self.tell(poke);
        Ok(number)
    }

    /// The one place where a call ends.
    fn finish(
        self: &Arc<Self>,
        mut mail: MutexGuard<'_, Mail>,
        reason: Result<(), Fault>,
        answer: Option<Completion>,
    ) -> Result<(), Fault> {
        let poke = mail.finish(reason, answer)?;
        self.over.store(true, Ordering::Release);
        drop(mail);
        drop(CALLS.kill(self.token));
        self.tell(poke);
        Ok(())
    }

    fn tell(self: &Arc<Self>, poke: Poke) {
        if let (true, Some(pool)) = (poke.pool, &self.instance().pool) {
            pool.push(self.clone());
        }
        if let Some(driver) = poke.driver {
            driver.wake();
        }
    }
}

impl Scope for CallActor {
    fn timer(self: Arc<Self>, wait: Duration, done: DoneFn, user: Foreign) -> Result<i32, Fault> {
        self.order(Ordered::Timer(wait), done, user)
    }

    fn cancel(self: Arc<Self>, number: i32) -> Result<(), Fault> {
        let poke = lock(&self.mail).cancel(number)?;
        self.tell(poke);
        Ok(())
    }
}

impl Work for CallActor {
    fn run(self: Arc<Self>) -> More {
        let first = lock(&self.mail).next(None);
        RUNNING.set(&self, || self.steps(first, None))
    }
}

#[cfg(test)]
mod tests;
