//! The actor of a call: a mailbox, and the one who works it off runs the plugin's code for this call.
//!
//! **Invariants:** `begin` first; then `done` (once for each operation) and `poll`; then `end`, once, if `begin` gave a
//! state; nothing after it. Never two at once: who runs is marked by `scheduled`. The call is over for the plugin as soon
//! as [`Mail::over`] is set, which happens once. No lock is held while plugin code runs or somebody is woken.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Waker;

use smallvec::SmallVec;
use thingcall_core::{Answer, Call, DeviceLink};
use thingcall_plugin::abi::{DoneFn, E_INVAL, E_LIMIT, E_SHUTDOWN, E_STALE, E_UNSUPPORTED, OK, Token};
use tokio::time::Instant;

use crate::instance::{Foreign, Instance, Permit, known_status};
use crate::operation::{Operation, OperationEnd, Order, Ordered};
use crate::pool::{More, Work};
use crate::request::CallRequest;
use crate::slots::lock;
use crate::tokens::{self, Named};

mod mail;

pub(crate) use mail::Exchange;
use mail::{Mail, News, Poke, Step};

/// How many times in a row a call may run plugin code before others have their turn.
const STEPS_MAX: u32 = 32;

/// Most calls have one operation: it needs no memory of its own.
pub(crate) type Few<T> = SmallVec<[T; 1]>;

/// What a plugin answered, or why it did not.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Completion {
    /// Checked: `data` is a JSON object.
    Answered { code: i32, message: Option<String>, data: String },
    /// A status of the ABI's below 0, and the plugin's words.
    Failed { status: i32, message: String },
    /// It broke a rule; the words say which.
    Broken(String),
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
        tokens::enter(&instance.series, |token| {
            let (request, entered) = (CallRequest::new(call, device.deadline()), Instant::from_std(device.began()));
            let (over, mail) = (AtomicBool::new(false), Mutex::new(Mail::new()));
            let actor = Arc::new(Self { permit, token, request, entered, over, mail });
            (Named::Call(actor.clone()), actor)
        })
    }

    pub(crate) const fn instance(&self) -> &Arc<Instance> {
        self.permit.instance()
    }

    pub(crate) const fn token(&self) -> Token {
        self.token
    }

    /// Whether its token is stale, or about to be.
    pub(crate) fn is_over(&self) -> bool {
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

    fn inline(&self) -> bool {
        self.instance().pool.is_none()
    }

    // What the plugin asks for, from any thread.

    /// Ends the call with the device's latest answer, if these bytes are its data, which was checked when it came.
    pub(crate) fn complete_with_latest(self: &Arc<Self>, code: i32, message: &str, data: &[u8]) -> Option<i32> {
        let mut mail = lock(&self.mail);
        let data = mail.latest.take_if(|latest| latest.as_bytes() == data)?;
        let message = if message.is_empty() { None } else { Some(message.to_owned()) };
        Some(self.finish_with(mail, OK, Some(Completion::Answered { code, message, data })))
    }

    /// Ends the call with an answer; the first wins.
    pub(crate) fn complete(self: &Arc<Self>, completion: Completion) -> i32 {
        self.finish(OK, Some(completion))
    }

    /// Asks for a `poll`.
    pub(crate) fn wake(self: &Arc<Self>) -> i32 {
        if self.instance().table().poll.is_none() {
            return E_UNSUPPORTED;
        }
        let poke = {
            let mut mail = lock(&self.mail);
            if mail.over.is_some() {
                return E_STALE;
            }
            mail.woken = true;
            mail.poke_runner(self.inline())
        };
        self.tell(poke);
        OK
    }

    /// Starts an operation and says its number.
    pub(crate) fn order(self: &Arc<Self>, what: Ordered, done: DoneFn, user: Foreign) -> i32 {
        let (number, poke) = {
            let mut mail = lock(&self.mail);
            if mail.over.is_some() {
                return E_STALE;
            }
            let Some(number) = mail.last_number.checked_add(1) else { return E_LIMIT };
            if mail.operations.len() >= self.instance().terms.operations_per_call_max {
                return E_LIMIT;
            }
            mail.last_number = number;
            mail.operations.push(Operation { number, done, user });
            mail.orders.push(Order { number, what });
            (number, mail.poke_driver(self.inline()))
        };
        self.tell(poke);
        number
    }

    /// Gives an operation up.
    pub(crate) fn cancel(self: &Arc<Self>, number: i32) -> i32 {
        let poke = {
            let mut mail = lock(&self.mail);
            if mail.over.is_some() {
                return E_STALE;
            }
            if !mail.operations.iter().any(|operation| operation.number == number) {
                return E_INVAL;
            }
            // A plugin may say it as often as it likes.
            if !mail.given_up.contains(&number) {
                mail.given_up.push(number);
            }
            mail.poke_driver(self.inline())
        };
        self.tell(poke);
        OK
    }

    // What the engine's side does.

    /// Has `begin` run. In-line plugins run when their driver does.
    pub(crate) fn start(self: &Arc<Self>) {
        if !self.inline() {
            let poke = lock(&self.mail).poke_runner(false);
            self.tell(poke);
        }
    }

    /// An operation ended.
    pub(crate) fn ended(self: &Arc<Self>, number: i32, end: OperationEnd) {
        let poke = {
            let mut mail = lock(&self.mail);
            if mail.over.is_some() {
                return;
            }
            mail.ended.push((number, end));
            mail.poke_runner(self.inline())
        };
        self.tell(poke);
    }

    /// Takes what the plugin has for the driver.
    pub(crate) fn collect(&self, driver: &mut Exchange) {
        lock(&self.mail).hand_over(driver);
    }

    /// Has the driver woken when there is something for it. Says whether there is nothing now.
    pub(crate) fn park(&self, waker: &Waker) -> bool {
        let inline = self.inline();
        let mut mail = lock(&self.mail);
        let to_run = inline && (mail.woken || !mail.ended.is_empty());
        if to_run || mail.completion.is_some() || !mail.orders.is_empty() || !mail.given_up.is_empty() {
            return false;
        }
        match &mut mail.driver {
            Some(known) => known.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
        true
    }

    /// The caller waits no longer.
    pub(crate) fn abandon(self: &Arc<Self>, reason: i32) {
        drop(tokens::kill(self.token));
        let _ = self.finish(reason, None);
    }

    /// The generation must go: the call ends now.
    pub(crate) fn shut_down(self: &Arc<Self>) {
        let message = "it was replaced, and the time for its last calls is over".to_owned();
        let _ = self.finish(E_SHUTDOWN, Some(Completion::Failed { status: E_SHUTDOWN, message }));
    }

    /// The one place where a call ends.
    fn finish(self: &Arc<Self>, reason: i32, completion: Option<Completion>) -> i32 {
        self.finish_with(lock(&self.mail), reason, completion)
    }

    fn finish_with(
        self: &Arc<Self>,
        mut mail: MutexGuard<'_, Mail>,
        reason: i32,
        completion: Option<Completion>,
    ) -> i32 {
        if mail.over.is_some() {
            return E_STALE;
        }
        mail.over = Some(reason);
        self.over.store(true, Ordering::Release);
        if completion.is_none() {
            // The driver is going: it is the one who ends the call.
            mail.driver = None;
        }
        mail.completion = completion;
        mail.orders.clear();
        mail.given_up.clear();
        let runner = mail.poke_runner(self.inline());
        let driver = mail.poke_driver(self.inline());
        let pokes = Poke { pool: runner.pool, driver: runner.driver.or(driver.driver) };
        drop(mail);
        drop(tokens::kill(self.token));
        self.tell(pokes);
        OK
    }

    fn tell(self: &Arc<Self>, poke: Poke) {
        if let (true, Some(pool)) = (poke.pool, &self.instance().pool) {
            pool.push(self.clone());
        }
        if let Some(driver) = poke.driver {
            driver.wake();
        }
    }

    // Who runs the plugin's code.

    /// Runs on the thread of the driver, and gives it what the plugin has for it.
    pub(crate) fn run_inline(self: &Arc<Self>, driver: &mut Exchange) -> More {
        let first = {
            let mut mail = lock(&self.mail);
            if mail.scheduled {
                mail.hand_over(driver);
                return More::No;
            }
            mail.scheduled = true;
            // It runs now; nobody need wake it.
            mail.driver = None;
            mail.next(Some(driver))
        };
        tokens::running(self, || self.steps(first, Some(driver)))
    }

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
                    mail.scheduled = false;
                    mail.hand_over(driver);
                }
                break;
            }
            step = mail.next(driver.as_deref_mut());
        }
        More::Yes
    }

    fn begin(self: &Arc<Self>) -> Foreign {
        // On the server's threads it begins at once.
        let now = if self.inline() { self.entered } else { Instant::now() };
        let mut state = Foreign::NULL;
        let status = self.instance().begin(self.token, &self.request, now, &mut state);
        if status < OK {
            let status = known_status(status);
            let _ = self.finish(status, Some(Completion::Failed { status, message: String::new() }));
        }
        state
    }
}

impl Work for CallActor {
    fn run(self: Arc<Self>) -> More {
        let first = lock(&self.mail).next(None);
        tokens::running(&self, || self.steps(first, None))
    }
}

#[cfg(test)]
mod tests;
