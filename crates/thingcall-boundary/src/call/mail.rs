//! The mailbox of a call's actor, as it is under its lock.
//!
//! **Invariant:** everything here is a short step on memory: nothing waits, and no plugin code runs.

use std::task::Waker;

use super::{Completion, Few};
use crate::instance::Foreign;
use crate::operation::{Operation, OperationEnd, Order};

pub(super) struct Mail {
    /// Somebody runs the actor, or it is in the pool's queue.
    pub(super) scheduled: bool,
    pub(super) begun: bool,
    pub(super) woken: bool,
    /// In the order of their ends.
    pub(super) ended: Few<(i32, OperationEnd)>,
    /// The call is over, and why.
    pub(super) over: Option<i32>,
    pub(super) operations: Few<Operation>,
    pub(super) last_number: i32,
    pub(super) orders: Few<Order>,
    /// The numbers of operations that the plugin gave up; each once.
    pub(super) given_up: Few<i32>,
    pub(super) completion: Option<Completion>,
    /// The data of the device's latest answer, which most plugins answer with.
    pub(super) latest: Option<String>,
    /// The engine's side of the call, where it waits.
    pub(super) driver: Option<Waker>,
    pub(super) state: Foreign,
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
pub(super) enum Step {
    Begin,
    Done(Operation, OperationEnd),
    Poll(Foreign),
    /// The last step of a call with a state; nothing comes after it.
    End(Foreign, i32),
    /// There is nothing to run any more.
    Finished,
    Idle,
}

/// What the one who ran a step knows after it.
#[derive(Default)]
pub(super) struct News {
    /// What `begin` made.
    pub(super) state: Option<Foreign>,
    /// The data of an answer that the plugin was told.
    pub(super) latest: Option<String>,
}

/// Who is to be told, once the lock is released.
#[must_use]
pub(super) struct Poke {
    pub(super) pool: bool,
    pub(super) driver: Option<Waker>,
}

impl Mail {
    pub(super) fn new() -> Self {
        Self {
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

    /// Something for the one who runs the plugin's code.
    pub(super) fn poke_runner(&mut self, inline: bool) -> Poke {
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
    pub(super) fn poke_driver(&mut self, inline: bool) -> Poke {
        let driver = if inline && self.scheduled { None } else { self.driver.take() };
        Poke { pool: false, driver }
    }

    pub(super) fn take(&mut self, news: News) {
        if let Some(state) = news.state {
            self.state = state;
        }
        if news.latest.is_some() {
            self.latest = news.latest;
        }
    }

    /// What is next; before the last step for now, the driver that asks gets what there is for it.
    pub(super) fn next(&mut self, mut driver: Option<&mut Exchange>) -> Step {
        let step = self.next_step(driver.as_deref_mut());
        if let (Step::Idle | Step::End(..) | Step::Finished, Some(driver)) = (&step, driver) {
            self.hand_over(driver);
            driver.finished = !matches!(step, Step::Idle);
        }
        step
    }

    pub(super) fn hand_over(&mut self, driver: &mut Exchange) {
        if !self.orders.is_empty() {
            std::mem::swap(&mut self.orders, &mut driver.orders);
        }
        if !self.given_up.is_empty() {
            std::mem::swap(&mut self.given_up, &mut driver.given_up);
        }
        driver.completion = self.completion.take();
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
    fn next_of_last(&mut self, reason: i32) -> Step {
        if let Some(operation) = self.operations.pop() {
            return Step::Done(operation, OperationEnd::Cancelled);
        }
        let state = std::mem::replace(&mut self.state, Foreign::NULL);
        if state.0.is_null() { Step::Finished } else { Step::End(state, reason) }
    }
}
