//! The actor of a call: a mailbox, and the one who works it off runs the plugin's code for this call.
//!
//! **Invariants:** `begin` first; then `done` (once for each operation) and `poll`; then `end`, once, if `begin` gave a
//! state; nothing after it. Never two at once: who runs is marked by `scheduled`. The call is over for the plugin as soon
//! as [`Mail::over`] is set, which happens once. No lock is held while plugin code runs or somebody is woken.

use std::sync::{Arc, Mutex, OnceLock};
use std::task::Waker;

use futures_util::future::AbortHandle;
use smallvec::SmallVec;
use thingcall_core::{Call, Deadline};
use thingcall_plugin::abi::{DoneFn, E_INVAL, E_LIMIT, E_SHUTDOWN, E_STALE, E_UNSUPPORTED, OK, Token};

use crate::instance::{Foreign, Instance, Permit, known_status};
use crate::operation::{Operation, OperationEnd, Order, Ordered};
use crate::pool::{More, Work};
use crate::request::CallRequest;
use crate::slots::lock;
use crate::tokens::{self, Named};

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
    instance: Arc<Instance>,
    token: Token,
    call: Call,
    deadline: Deadline,
    request: OnceLock<CallRequest>,
    mail: Mutex<Mail>,
}

struct Mail {
    /// Somebody runs the actor, or it is in the pool's queue.
    scheduled: bool,
    begun: bool,
    woken: bool,
    /// In the order of their ends.
    ended: Few<(i32, OperationEnd)>,
    /// The call is over, and why.
    over: Option<i32>,
    operations: Few<Operation>,
    last_number: i32,
    orders: Few<Order>,
    completion: Option<Completion>,
    /// The engine's side of the call, where it waits.
    driver: Option<Waker>,
    state: Foreign,
    permit: Option<Permit>,
}

/// What the one who runs the actor does next.
enum Step {
    Begin,
    Done(Operation, OperationEnd),
    Poll(Foreign),
    End(Foreign, i32),
    Finished(Option<Permit>),
    Idle,
}

/// Who is to be told, once the lock is released.
#[must_use]
struct Poke {
    pool: bool,
    driver: Option<Waker>,
}

impl CallActor {
    /// Enters a call; nothing runs yet. `None` if there are too many calls in the process.
    pub(crate) fn enter(call: Call, deadline: Deadline, permit: Permit, instance: &Arc<Instance>) -> Option<Arc<Self>> {
        tokens::enter(&instance.series, |token| {
            let mail = Mail {
                scheduled: false,
                begun: false,
                woken: false,
                ended: Few::new(),
                over: None,
                operations: Few::new(),
                last_number: 0,
                orders: Few::new(),
                completion: None,
                driver: None,
                state: Foreign::NULL,
                permit: Some(permit),
            };
            let (instance, request, mail) = (instance.clone(), OnceLock::new(), Mutex::new(mail));
            let actor = Arc::new(Self { instance, token, call, deadline, request, mail });
            (Named::Call(actor.clone()), actor)
        })
    }

    pub(crate) const fn instance(&self) -> &Arc<Instance> {
        &self.instance
    }

    /// The call as it came to the plugin.
    pub(crate) const fn call(&self) -> &Call {
        &self.call
    }

    pub(crate) const fn deadline(&self) -> Deadline {
        self.deadline
    }

    fn inline(&self) -> bool {
        self.instance.pool.is_none()
    }

    // What the plugin asks for, from any thread.

    /// Ends the call with an answer; the first wins.
    pub(crate) fn complete(self: &Arc<Self>, completion: Completion) -> i32 {
        self.finish(OK, Some(completion))
    }

    /// Asks for a `poll`.
    pub(crate) fn wake(self: &Arc<Self>) -> i32 {
        if self.instance.table().poll.is_none() {
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
        let (abort, registration) = AbortHandle::new_pair();
        let (number, poke) = {
            let mut mail = lock(&self.mail);
            if mail.over.is_some() {
                return E_STALE;
            }
            let Some(number) = mail.last_number.checked_add(1) else { return E_LIMIT };
            if mail.operations.len() >= self.instance.limits.operations_per_call_max {
                return E_LIMIT;
            }
            mail.last_number = number;
            mail.operations.push(Operation { number, done, user, abort });
            mail.orders.push(Order { number, what, abort: registration });
            (number, mail.poke_driver(self.inline()))
        };
        self.tell(poke);
        number
    }

    /// Gives an operation up.
    pub(crate) fn cancel(&self, number: i32) -> i32 {
        let abort = {
            let mail = lock(&self.mail);
            if mail.over.is_some() {
                return E_STALE;
            }
            mail.operations.iter().find(|operation| operation.number == number).map(|operation| operation.abort.clone())
        };
        let Some(abort) = abort else { return E_INVAL };
        abort.abort();
        OK
    }

    // What the engine's side does.

    /// Has `begin` run. In-line plugins run when their driver does.
    pub(crate) fn start(self: &Arc<Self>) {
        let poke = lock(&self.mail).poke_runner(self.inline());
        self.tell(poke);
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

    /// Takes what the plugin asked for.
    pub(crate) fn collect(&self, orders: &mut Few<Order>) -> Option<Completion> {
        let mut mail = lock(&self.mail);
        std::mem::swap(&mut mail.orders, orders);
        mail.completion.take()
    }

    /// Has the driver woken when there is something for it. Says whether there is nothing now.
    pub(crate) fn park(&self, waker: &Waker) -> bool {
        let inline = self.inline();
        let mut mail = lock(&self.mail);
        let to_run = inline && (mail.woken || !mail.ended.is_empty());
        if to_run || mail.completion.is_some() || !mail.orders.is_empty() {
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
        let pokes = {
            let mut mail = lock(&self.mail);
            if mail.over.is_some() {
                return E_STALE;
            }
            mail.over = Some(reason);
            if completion.is_none() {
                // The driver is going: it is the one who ends the call.
                mail.driver = None;
            }
            mail.completion = completion;
            mail.orders.clear();
            let runner = mail.poke_runner(self.inline());
            let driver = mail.poke_driver(self.inline());
            Poke { pool: runner.pool, driver: runner.driver.or(driver.driver) }
        };
        drop(tokens::kill(self.token));
        self.tell(pokes);
        OK
    }

    fn tell(self: &Arc<Self>, poke: Poke) {
        if let (true, Some(pool)) = (poke.pool, &self.instance.pool) {
            pool.push(self.clone());
        }
        if let Some(driver) = poke.driver {
            driver.wake();
        }
    }

    // Who runs the plugin's code.

    /// Runs on the thread of the driver.
    pub(crate) fn run_inline(self: &Arc<Self>) -> More {
        {
            let mut mail = lock(&self.mail);
            if mail.scheduled {
                return More::No;
            }
            mail.scheduled = true;
            // It runs now; nobody need wake it.
            mail.driver = None;
        }
        let more = self.steps();
        if more == More::Yes {
            lock(&self.mail).scheduled = false;
        }
        more
    }

    fn steps(self: &Arc<Self>) -> More {
        for _ in 0..STEPS_MAX {
            let step = lock(&self.mail).next();
            match step {
                Step::Begin => self.begin(),
                Step::Done(operation, end) => end.tell(&self.instance, operation.done, operation.user),
                Step::Poll(state) => self.instance.poll(self.token, state),
                Step::End(state, reason) => self.instance.end(self.token, state, reason),
                Step::Finished(permit) => {
                    drop(permit);
                    return More::No;
                }
                Step::Idle => return More::No,
            }
        }
        More::Yes
    }

    fn begin(self: &Arc<Self>) {
        let request = self.request.get_or_init(|| CallRequest::new(&self.call, self.deadline));
        let mut state = Foreign::NULL;
        let status = self.instance.begin(self.token, request.get(), &mut state);
        lock(&self.mail).state = state;
        if status < OK {
            let status = known_status(status);
            let _ = self.finish(status, Some(Completion::Failed { status, message: String::new() }));
        }
    }
}

impl Work for CallActor {
    fn run(self: Arc<Self>) -> More {
        self.steps()
    }
}

impl Mail {
    /// Something for the one who runs the plugin's code.
    fn poke_runner(&mut self, inline: bool) -> Poke {
        if self.scheduled {
            return Poke { pool: false, driver: None };
        }
        if inline {
            return Poke { pool: false, driver: self.driver.take() };
        }
        self.scheduled = true;
        Poke { pool: true, driver: None }
    }

    /// Something for the driver; where it is the one who runs, it will look by itself.
    fn poke_driver(&mut self, inline: bool) -> Poke {
        let driver = if inline && self.scheduled { None } else { self.driver.take() };
        Poke { pool: false, driver }
    }

    fn next(&mut self) -> Step {
        if let Some(reason) = self.over {
            return self.next_of_last(reason);
        }
        if !self.begun {
            self.begun = true;
            return Step::Begin;
        }
        while !self.ended.is_empty() {
            let (number, end) = self.ended.remove(0);
            if let Some(place) = self.operations.iter().position(|operation| operation.number == number) {
                return Step::Done(self.operations.swap_remove(place), end);
            }
        }
        if std::mem::take(&mut self.woken) {
            return Step::Poll(self.state);
        }
        self.scheduled = false;
        Step::Idle
    }

    /// What is left of a call that is over. `begin` is not run any more.
    fn next_of_last(&mut self, reason: i32) -> Step {
        if let Some(operation) = self.operations.pop() {
            return Step::Done(operation, OperationEnd::Cancelled);
        }
        let state = std::mem::replace(&mut self.state, Foreign::NULL);
        if !state.0.is_null() {
            return Step::End(state, reason);
        }
        self.scheduled = false;
        Step::Finished(self.permit.take())
    }
}

#[cfg(test)]
mod tests;
