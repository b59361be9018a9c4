//! What a plugin's own token stands for: timers that belong to no call.
//!
//! **Invariants:** one `done` at a time, none before `create` returned, each exactly once and all before `destroy`.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use thingcall_plugin::abi::{DoneFn, Token};
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use crate::fault::Fault;
use crate::foreign::Foreign;
use crate::instance::Instance;
use crate::metrics::Series;
use crate::operation::OperationEnd;
use crate::pool::{More, Work};
use crate::scope::Scope;
use crate::slots::{self, Slots, lock};

/// How many timers of its own a plugin may have at once.
const TIMERS_MAX: usize = 1024;
/// How many ends are told in a row before others have their turn.
const STEPS_MAX: usize = 32;

/// The plugin instances of the process, by their tokens.
static PLUGINS: Slots<Arc<Background>, Series> = Slots::new(slots::PLUGINS);

/// The timers of one instance.
pub(crate) struct Background {
    instance: Arc<Instance>,
    runtime: Handle,
    token: Token,
    timers: Mutex<Timers>,
    /// Notified when nobody runs any more.
    idle: Condvar,
}

struct Timers {
    /// Somebody runs it, it is in the pool's queue, or `create` has not returned.
    scheduled: bool,
    closed: bool,
    last_number: i32,
    open: Vec<Timer>,
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
        PLUGINS.insert(&instance.series, |token| {
            let timers =
                Timers { scheduled: true, closed: false, last_number: 0, open: Vec::new(), ended: VecDeque::new() };
            let (instance, timers, idle) = (instance.clone(), Mutex::new(timers), Condvar::new());
            let background = Arc::new(Self { instance, runtime, token, timers, idle });
            (background.clone(), background)
        })
    }

    /// The plugin instance a token names.
    pub(crate) fn named(token: Token) -> Option<Arc<Self>> {
        PLUGINS.get(token)
    }

    /// The plugin whose token this is, or was as far as that is remembered.
    pub(crate) fn owner(token: Token) -> Option<Arc<Series>> {
        PLUGINS.owner(token)
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
            let mut timers = lock(&self.timers);
            timers.scheduled = false;
            self.idle.notify_all();
            if timers.ended.is_empty() {
                return;
            }
        }
        self.schedule();
    }

    fn ended(self: &Arc<Self>, number: i32, end: OperationEnd) {
        lock(&self.timers).ended.push_back((number, end));
        self.schedule();
    }

    fn schedule(self: &Arc<Self>) {
        {
            let mut timers = lock(&self.timers);
            if timers.scheduled {
                return;
            }
            timers.scheduled = true;
        }
        match &self.instance.pool {
            Some(pool) => pool.push(self.clone()),
            None => while self.steps() == More::Yes {},
        }
    }

    /// Its token is stale from now on.
    pub(crate) fn leave(&self) {
        drop(PLUGINS.kill(self.token));
    }

    /// Ends all timers and has every end told before it returns. For a thread of its own: it waits for plugin code.
    pub(crate) fn drain(&self) {
        let tasks: Vec<AbortHandle> = {
            let mut timers = lock(&self.timers);
            timers.closed = true;
            let Timers { open, ended, .. } = &mut *timers;
            ended.extend(open.iter().map(|timer| (timer.number, OperationEnd::Cancelled)));
            open.iter_mut().filter_map(|timer| timer.task.take()).collect()
        };
        tasks.iter().for_each(AbortHandle::abort);
        {
            let mut timers = lock(&self.timers);
            while timers.scheduled {
                timers = self.idle.wait(timers).unwrap_or_else(PoisonError::into_inner);
            }
            timers.scheduled = true;
        }
        while self.steps() == More::Yes {}
        self.leave();
    }

    fn steps(&self) -> More {
        for _ in 0..STEPS_MAX {
            let (timer, end) = {
                let mut timers = lock(&self.timers);
                let Some((number, end)) = timers.ended.pop_front() else {
                    timers.scheduled = false;
                    self.idle.notify_all();
                    return More::No;
                };
                let place = timers.open.iter().position(|timer| timer.number == number);
                let Some(place) = place else { continue };
                (timers.open.swap_remove(place), end)
            };
            end.tell(&self.instance, timer.done, timer.user);
        }
        More::Yes
    }
}

impl Scope for Background {
    fn timer(self: Arc<Self>, wait: Duration, done: DoneFn, user: Foreign) -> Result<i32, Fault> {
        let number = {
            let mut timers = lock(&self.timers);
            if timers.closed {
                return Err(Fault::Shutdown);
            }
            let number = timers.last_number.checked_add(1).ok_or(Fault::Limit)?;
            if timers.open.len() >= TIMERS_MAX {
                return Err(Fault::Limit);
            }
            timers.last_number = number;
            timers.open.push(Timer { number, done, user, task: None, given_up: false });
            number
        };
        let own = self.clone();
        let task = self.runtime.spawn(async move {
            tokio::time::sleep(wait).await;
            own.ended(number, OperationEnd::Fired);
        });
        let mut timers = lock(&self.timers);
        if let Some(timer) = timers.open.iter_mut().find(|timer| timer.number == number) {
            timer.task = Some(task.abort_handle());
        }
        Ok(number)
    }

    fn cancel(self: Arc<Self>, number: i32) -> Result<(), Fault> {
        let task = {
            let mut timers = lock(&self.timers);
            let timer = timers.open.iter_mut().find(|timer| timer.number == number).ok_or(Fault::Invalid)?;
            if std::mem::replace(&mut timer.given_up, true) {
                return Ok(());
            }
            timer.task.take()
        };
        if let Some(task) = task {
            task.abort();
        }
        // On another thread: the caller may be this plugin's code.
        let own = self.clone();
        drop(self.runtime.spawn(async move { own.ended(number, OperationEnd::Cancelled) }));
        Ok(())
    }
}

impl Work for Background {
    fn run(self: Arc<Self>) -> More {
        self.steps()
    }
}

#[cfg(test)]
mod tests;
