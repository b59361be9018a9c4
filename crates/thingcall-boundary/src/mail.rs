//! A call's mailbox: what its plugin and its driver have for each other, and what of the plugin's code is to run next.
//!
//! **Invariants:** everything here is a short step on memory, under the lock of the call's actor: nothing waits, no plugin
//! code runs, nobody is woken. `begin` is the first step; then `done` (once for each operation) and `poll`; then `end`,
//! once, if `begin` gave a state; nothing after it. The call is over for the plugin once [`Mail::finish`] said so, which it
//! does once. Who gets a step runs it alone: `scheduled` says that somebody does.

use std::task::Waker;

use smallvec::SmallVec;
use thingcall_plugin::abi::DoneFn;

use crate::fault::Fault;
use crate::foreign::Foreign;
use crate::operation::{Operation, OperationEnd, Order, Ordered};
use crate::terms::Execution;

/// Most calls have one operation: it needs no memory of its own.
pub(crate) type Few<T> = SmallVec<[T; 1]>;

/// What a plugin answered, or why it did not.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Completion {
    /// Checked: `data` is a JSON object.
    Answered { code: i32, message: Option<String>, data: String },
    /// With the plugin's words.
    Failed { fault: Fault, message: String },
    /// It broke a rule; the words say which.
    Broken(String),
}

pub(crate) struct Mail {
    execution: Execution,
    /// Somebody runs the actor, or it is in the pool's queue.
    scheduled: bool,
    begun: bool,
    woken: bool,
    /// In the order of their ends.
    ended: Few<(i32, OperationEnd)>,
    /// The call is over, and why.
    over: Option<Result<(), Fault>>,
    operations: Few<Operation>,
    last_number: i32,
    orders: Few<Order>,
    /// The numbers of operations that the plugin gave up; each once.
    given_up: Few<i32>,
    completion: Option<Completion>,
    /// The data of the device's latest answer, which most plugins answer with.
    latest: Option<String>,
    /// The engine's side of the call, where it waits.
    driver: Option<Waker>,
    state: Foreign,
}

/// What passes between a plugin and its call's driver.
#[derive(Default)]
pub(crate) struct Exchange {
    /// For the plugin where its code runs on the driver's thread: operations that ended.
    pub(crate) ended: Few<(i32, OperationEnd)>,
    /// For the driver, as all that follows.
    pub(crate) orders: Few<Order>,
    /// The numbers of operations it gave up; each once.
    pub(crate) given_up: Few<i32>,
    pub(crate) completion: Option<Completion>,
    /// The plugin's code is not run again.
    pub(crate) finished: bool,
}

/// What the one who runs the actor does next.
pub(crate) enum Step {
    Begin,
    Done(Operation, OperationEnd),
    Poll(Foreign),
    /// The last step of a call with a state; nothing comes after it.
    End(Foreign, Result<(), Fault>),
    /// There is nothing to run any more.
    Finished,
    Idle,
}

/// What the one who ran a step knows after it.
#[derive(Default)]
pub(crate) struct News {
    /// What `begin` made.
    pub(crate) state: Option<Foreign>,
    /// The data of an answer that the plugin was told.
    pub(crate) latest: Option<String>,
}

/// Who is to be told, once the lock is released.
#[must_use]
pub(crate) struct Poke {
    pub(crate) pool: bool,
    pub(crate) driver: Option<Waker>,
}

impl Mail {
    pub(crate) fn new(execution: Execution) -> Self {
        Self {
            execution,
            scheduled: false,
            begun: false,
            woken: false,
            ended: Few::new(),
            over: None,
            operations: Few::new(),
            last_number: 0,
            orders: Few::new(),
            given_up: Few::new(),
            completion: None,
            latest: None,
            driver: None,
            state: Foreign::NULL,
        }
    }

    // What the plugin asks for.

    /// A new operation, and its number.
    pub(crate) fn order(
        &mut self,
        what: Ordered,
        done: DoneFn,
        user: Foreign,
        operations_max: usize,
    ) -> Result<(i32, Poke), Fault> {
        self.not_over()?;
        let number = self.last_number.checked_add(1).ok_or(Fault::Limit)?;
        if self.operations.len() >= operations_max {
            return Err(Fault::Limit);
        }
        self.last_number = number;
        self.operations.push(Operation { number, done, user });
        self.orders.push(Order { number, what });
        Ok((number, self.poke_driver()))
    }

    /// One operation less.
    pub(crate) fn cancel(&mut self, number: i32) -> Result<Poke, Fault> {
        self.not_over()?;
        if !self.operations.iter().any(|operation| operation.number == number) {
            return Err(Fault::Invalid);
        }
        // A plugin may say it as often as it likes.
        if !self.given_up.contains(&number) {
            self.given_up.push(number);
        }
        Ok(self.poke_driver())
    }

    /// A `poll`.
    pub(crate) fn wake(&mut self) -> Result<Poke, Fault> {
        self.not_over()?;
        self.woken = true;
        Ok(self.poke_runner())
    }

    /// The data of the device's latest answer, if it is this.
    pub(crate) fn take_latest(&mut self, data: &[u8]) -> Option<String> {
        self.latest.take_if(|latest| latest.as_bytes() == data)
    }

    /// The one place where a call ends. Without an answer its driver is going: it is the one who ends the call.
    pub(crate) fn finish(&mut self, reason: Result<(), Fault>, answer: Option<Completion>) -> Result<Poke, Fault> {
        self.not_over()?;
        self.over = Some(reason);
        if answer.is_none() {
            self.driver = None;
        }
        self.completion = answer;
        self.orders.clear();
        self.given_up.clear();
        let (runner, driver) = (self.poke_runner(), self.poke_driver());
        Ok(Poke { pool: runner.pool, driver: runner.driver.or(driver.driver) })
    }

    const fn not_over(&self) -> Result<(), Fault> {
        if self.over.is_some() { Err(Fault::Stale) } else { Ok(()) }
    }

    // What the driver has for the plugin, and takes from it.

    /// `begin` is to run.
    pub(crate) fn start(&mut self) -> Poke {
        self.poke_runner()
    }

    /// An operation ended.
    pub(crate) fn ended(&mut self, number: i32, end: OperationEnd) -> Poke {
        if self.over.is_some() {
            return Poke { pool: false, driver: None };
        }
        self.ended.push((number, end));
        self.poke_runner()
    }

    pub(crate) fn hand_over(&mut self, driver: &mut Exchange) {
        if !self.orders.is_empty() {
            std::mem::swap(&mut self.orders, &mut driver.orders);
        }
        if !self.given_up.is_empty() {
            std::mem::swap(&mut self.given_up, &mut driver.given_up);
        }
        driver.completion = self.completion.take();
    }

    /// The driver waits, if there is nothing for it now. Says whether it does.
    pub(crate) fn park(&mut self, waker: &Waker) -> bool {
        let to_run = self.runs_on_driver() && (self.woken || !self.ended.is_empty());
        if to_run || self.completion.is_some() || !self.orders.is_empty() || !self.given_up.is_empty() {
            return false;
        }
        match &mut self.driver {
            Some(known) => known.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
        true
    }

    // Who is told of it.

    const fn runs_on_driver(&self) -> bool {
        matches!(self.execution, Execution::Inline)
    }

    /// Something for the one who runs the plugin's code.
    fn poke_runner(&mut self) -> Poke {
        if self.scheduled {
            return Poke { pool: false, driver: None };
        }
        if self.runs_on_driver() {
            return Poke { pool: false, driver: self.driver.take() };
        }
        self.scheduled = true;
        Poke { pool: true, driver: None }
    }

    /// Something for the driver; where it is the one who runs, it will look by itself.
    fn poke_driver(&mut self) -> Poke {
        let driver = if self.runs_on_driver() && self.scheduled { None } else { self.driver.take() };
        Poke { pool: false, driver }
    }

    // What runs next.

    /// The first step on the driver's thread, unless another runs the call: the driver gets what there is for it.
    pub(crate) fn enter(&mut self, driver: &mut Exchange) -> Option<Step> {
        if self.scheduled {
            self.hand_over(driver);
            return None;
        }
        self.scheduled = true;
        // It runs now; nobody need wake it.
        self.driver = None;
        Some(self.next(Some(driver)))
    }

    /// The driver that ran it lets others have their turn.
    pub(crate) fn leave(&mut self, driver: &mut Exchange) {
        self.scheduled = false;
        self.hand_over(driver);
    }

    /// What a step brought.
    pub(crate) fn take(&mut self, news: News) {
        if let Some(state) = news.state {
            self.state = state;
        }
        if news.latest.is_some() {
            self.latest = news.latest;
        }
    }

    /// What is next; before the last step for now, the driver that asks gets what there is for it.
    pub(crate) fn next(&mut self, mut driver: Option<&mut Exchange>) -> Step {
        let step = self.next_step(driver.as_deref_mut());
        if let (Step::Idle | Step::End(..) | Step::Finished, Some(driver)) = (&step, driver) {
            self.hand_over(driver);
            driver.finished = !matches!(step, Step::Idle);
        }
        step
    }

    fn next_step(&mut self, mut driver: Option<&mut Exchange>) -> Step {
        if let Some(reason) = self.over {
            return self.next_of_last(reason);
        }
        if !self.begun {
            self.begun = true;
            return Step::Begin;
        }
        while let Some((number, end)) = self.next_end(driver.as_deref_mut()) {
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

    /// The oldest end of an operation that was not told.
    fn next_end(&mut self, driver: Option<&mut Exchange>) -> Option<(i32, OperationEnd)> {
        let ended = match driver {
            Some(driver) if !driver.ended.is_empty() => &mut driver.ended,
            Some(_) | None => &mut self.ended,
        };
        match ended.len() {
            0 => None,
            1 => ended.pop(),
            _ => Some(ended.remove(0)),
        }
    }

    /// What is left of a call that is over. `begin` is not run any more. It stays scheduled: nobody else need run it.
    fn next_of_last(&mut self, reason: Result<(), Fault>) -> Step {
        if let Some(operation) = self.operations.pop() {
            return Step::Done(operation, OperationEnd::Cancelled);
        }
        let state = std::mem::replace(&mut self.state, Foreign::NULL);
        if state.0.is_null() { Step::Finished } else { Step::End(state, reason) }
    }
}
