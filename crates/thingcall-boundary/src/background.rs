//! What a plugin's own token stands for: timers that belong to no call.
//!
//! **Invariants:** one `done` at a time, none before `create` returned, each exactly once and all before `destroy`.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use thingcall_plugin::abi::{DoneFn, E_INVAL, E_LIMIT, E_SHUTDOWN, OK, Token};
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use crate::instance::{Foreign, Instance};
use crate::operation::OperationEnd;
use crate::pool::{More, Work};
use crate::slots::lock;
use crate::tokens::{self, Named};

/// How many timers of its own a plugin may have at once.
const TIMERS_MAX: usize = 1024;
/// How many ends are told in a row before others have their turn.
const STEPS_MAX: usize = 32;

/// The timers of one instance.
pub(crate) struct Background {
    instance: Arc<Instance>,
    runtime: Handle,
    token: Token,
    mail: Mutex<Mail>,
    /// Notified when nobody runs any more.
    idle: Condvar,
}

struct Mail {
    /// Somebody runs it, it is in the pool's queue, or `create` has not returned.
    scheduled: bool,
    closed: bool,
    last_number: i32,
    timers: Vec<Timer>,
    ended: VecDeque<(i32, OperationEnd)>,
}

struct Timer {
    number: i32,
    done: DoneFn,
    user: Foreign,
    task: Option<AbortHandle>,
    given_up: bool,
}

impl Background {
    /// Gives an instance its token. `None` if there are too many tokens.
    pub(crate) fn enter(instance: &Arc<Instance>, runtime: Handle) -> Option<Arc<Self>> {
        tokens::enter(&instance.series, |token| {
            let mail =
                Mail { scheduled: true, closed: false, last_number: 0, timers: Vec::new(), ended: VecDeque::new() };
            let (instance, mail, idle) = (instance.clone(), Mutex::new(mail), Condvar::new());
            let background = Arc::new(Self { instance, runtime, token, mail, idle });
            (Named::Plugin(background.clone()), background)
        })
    }

    pub(crate) const fn instance(&self) -> &Arc<Instance> {
        &self.instance
    }

    pub(crate) const fn token(&self) -> Token {
        self.token
    }

    /// `create` returned: from now on ends are told.
    pub(crate) fn created(self: &Arc<Self>) {
        {
            let mut mail = lock(&self.mail);
            mail.scheduled = false;
            self.idle.notify_all();
            if mail.ended.is_empty() {
                return;
            }
        }
        self.schedule();
    }

    /// Starts a timer and says its number.
    pub(crate) fn timer(self: &Arc<Self>, wait: Duration, done: DoneFn, user: Foreign) -> i32 {
        let number = {
            let mut mail = lock(&self.mail);
            if mail.closed {
                return E_SHUTDOWN;
            }
            let Some(number) = mail.last_number.checked_add(1) else { return E_LIMIT };
            if mail.timers.len() >= TIMERS_MAX {
                return E_LIMIT;
            }
            mail.last_number = number;
            mail.timers.push(Timer { number, done, user, task: None, given_up: false });
            number
        };
        let own = self.clone();
        let task = self.runtime.spawn(async move {
            tokio::time::sleep(wait).await;
            own.ended(number, OperationEnd::Fired);
        });
        let mut mail = lock(&self.mail);
        if let Some(timer) = mail.timers.iter_mut().find(|timer| timer.number == number) {
            timer.task = Some(task.abort_handle());
        }
        number
    }

    /// Gives a timer up.
    pub(crate) fn cancel(self: &Arc<Self>, number: i32) -> i32 {
        let task = {
            let mut mail = lock(&self.mail);
            let Some(timer) = mail.timers.iter_mut().find(|timer| timer.number == number) else { return E_INVAL };
            if std::mem::replace(&mut timer.given_up, true) {
                return OK;
            }
            timer.task.take()
        };
        if let Some(task) = task {
            task.abort();
        }
        // On another thread: the caller may be this plugin's code.
        let own = self.clone();
        drop(self.runtime.spawn(async move { own.ended(number, OperationEnd::Cancelled) }));
        OK
    }

    fn ended(self: &Arc<Self>, number: i32, end: OperationEnd) {
        lock(&self.mail).ended.push_back((number, end));
        self.schedule();
    }

    fn schedule(self: &Arc<Self>) {
        {
            let mut mail = lock(&self.mail);
            if mail.scheduled {
                return;
            }
            mail.scheduled = true;
        }
        match &self.instance.pool {
            Some(pool) => pool.push(self.clone()),
            None => while self.steps() == More::Yes {},
        }
    }

    /// Ends all timers and has every end told before it returns. For a thread of its own: it waits for plugin code.
    pub(crate) fn drain(&self) {
        let tasks: Vec<AbortHandle> = {
            let mut mail = lock(&self.mail);
            mail.closed = true;
            let Mail { timers, ended, .. } = &mut *mail;
            ended.extend(timers.iter().map(|timer| (timer.number, OperationEnd::Cancelled)));
            timers.iter_mut().filter_map(|timer| timer.task.take()).collect()
        };
        tasks.iter().for_each(AbortHandle::abort);
        {
            let mut mail = lock(&self.mail);
            while mail.scheduled {
                mail = self.idle.wait(mail).unwrap_or_else(PoisonError::into_inner);
            }
            mail.scheduled = true;
        }
        while self.steps() == More::Yes {}
        drop(tokens::kill(self.token));
    }

    fn steps(&self) -> More {
        for _ in 0..STEPS_MAX {
            let (timer, end) = {
                let mut mail = lock(&self.mail);
                let Some((number, end)) = mail.ended.pop_front() else {
                    mail.scheduled = false;
                    self.idle.notify_all();
                    return More::No;
                };
                let place = mail.timers.iter().position(|timer| timer.number == number);
                let Some(place) = place else { continue };
                (mail.timers.swap_remove(place), end)
            };
            end.tell(&self.instance, timer.done, timer.user);
        }
        More::Yes
    }
}

impl Work for Background {
    fn run(self: Arc<Self>) -> More {
        self.steps()
    }
}

#[cfg(test)]
mod tests;
