//! Whose turn it is at a device of a product whose calls are paced: one at a time, in the order in which they came.
//!
//! **Invariants:** of a device at most one turn is held, and one that is held for longer than `turn_timeout` gives way to the
//! next. A turn comes to those who wait in their order; who gives up or is ended leaves no gap. Nothing here runs by itself: the
//! first of those who wait looks at the clock.

mod waiting;

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use enum_map::{Enum, EnumMap};
use prometheus::{Histogram, IntCounter, IntGauge};
use strum::IntoStaticStr;
use thingcall_core::{Call, CallId, CallMode, DeviceKey};
use thingcall_metrics::Maker;
use tokio::time::{Instant, sleep_until};

use crate::Config;
use crate::waits::RunningCall;
use waiting::{Look, Waiting};

const WAIT_SECONDS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 15.0, 60.0];

/// How the wait for a turn ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
enum Wait {
    /// The one before it was done.
    Came,
    /// The one before it was not, for too long.
    Overtook,
    /// The caller's time was over first, the caller hung up, or an operator ended the call.
    GaveUp,
}

/// What ends a turn whose command has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ends {
    /// The acknowledgement of the message, or the answer.
    ByAck,
    /// The answer alone.
    ByAnswer,
}

/// Why there is no turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoTurn {
    /// So many wait for the device already.
    DeviceFull(usize),
    /// Of so many devices a call is under way.
    DevicesFull(usize),
    /// An operator ended the call while it waited.
    Cancelled,
}

/// The devices of which a call is under way.
pub(crate) struct Lanes {
    state: Mutex<State>,
    /// How many there are; while there is none, a reply looks no further.
    devices: AtomicUsize,
    waiting_max: usize,
    devices_max: usize,
    turn_timeout: Duration,
    waited: EnumMap<Wait, Histogram>,
    waiting: IntGauge,
    refused: IntCounter,
}

#[derive(Default)]
struct State {
    of: HashMap<DeviceKey, Lane>,
    given: u64,
}

#[derive(Default)]
struct Lane {
    holder: Option<Holder>,
    waiting: VecDeque<Waiting>,
}

struct Holder {
    number: u64,
    /// When it gives way.
    until: Instant,
    /// The call whose answer ends it, once its command is on its way.
    awaits: Option<CallId>,
    ends: Ends,
}

/// The right to send a command to a device. Dropped, it ends, but for a command that is on its way: that one's ends with its
/// answer or its time.
pub(crate) struct Turn<'a> {
    lanes: &'a Lanes,
    device: &'a DeviceKey,
    number: u64,
    ends: Ends,
    left: AtomicBool,
}

impl Lanes {
    pub(crate) fn register(make: Maker<'_>, config: &Config) -> Result<Self, prometheus::Error> {
        let waiting_max = config.paced_waiting_calls_max.get();
        make.limit("paced_waiting_calls_limit", "How many paced calls may wait for one device", waiting_max)?;
        Ok(Self {
            state: Mutex::default(),
            devices: AtomicUsize::new(0),
            waiting_max,
            devices_max: config.pending_calls_max.get(),
            turn_timeout: config.paced_turn_timeout,
            waited: make.histograms(
                "paced_wait_seconds",
                "How long calls waited for their turn at their device, of those that did not have it at once",
                WAIT_SECONDS,
                ["result"],
            )?,
            waiting: make.gauge("paced_waiting_calls", "Calls that wait for their turn at their device")?,
            refused: make.counter("paced_refused_calls_total", "Calls refused since too many wait for their device")?,
        })
    }

    /// The turn of a call's device, behind all who asked for it before. Dropped, the wait leaves nothing.
    pub(crate) async fn turn<'a>(&'a self, call: &'a Call, ends: Ends) -> Result<Turn<'a>, NoTurn> {
        let device = &call.device.key;
        let turn = |number| Turn { lanes: self, device, number, ends, left: AtomicBool::new(false) };
        let began = Instant::now();
        let (number, look) = match self.enter(call, ends, began)? {
            Entered::Mine(number) => return Ok(turn(number)),
            Entered::Waits(number, look) => (number, look),
        };
        let mut place = Place { lanes: self, device, number, began, ended: None };
        self.waiting.inc();
        loop {
            let until = match self.step(device, (number, &look), ends) {
                Step::Ended => return Err(NoTurn::Cancelled),
                Step::Mine(how) => {
                    place.ended = Some(how);
                    return Ok(turn(number));
                }
                Step::First(until) => until,
                Step::Behind => None,
            };
            match until {
                Some(until) => tokio::select! {
                    () = look.notified() => {}
                    () = sleep_until(until) => {}
                },
                None => look.notified().await,
            }
        }
    }

    /// An answer to this call came.
    pub(crate) fn answered(&self, device: &DeviceKey, id: CallId) {
        self.heard(device, |holder| holder.awaits == Some(id));
    }

    /// The device acknowledged the message of this call.
    pub(crate) fn acknowledged(&self, device: &DeviceKey, id: CallId) {
        self.heard(device, |holder| holder.awaits == Some(id) && holder.ends == Ends::ByAck);
    }

    /// Ends the wait of a call, and says of what mode it is; `None` if it does not wait here. It never gets its turn, and its place is free at once.
    pub(crate) fn cancel(&self, id: CallId) -> Option<CallMode> {
        self.state().of.values_mut().find_map(|lane| lane.cancel(id))
    }

    /// So many of the oldest that wait. Looks at every one.
    pub(crate) fn oldest_calls(&self, max: usize) -> Vec<RunningCall> {
        let state = self.state();
        let mut all: Vec<_> = state
            .of
            .iter()
            .flat_map(|(device, lane)| lane.waiting.iter().map(move |one| (one.since, device, one)))
            .collect();
        all.sort_unstable_by_key(|(since, ..)| *since);
        all.into_iter().take(max).map(|(_, device, one)| one.running(device)).collect()
    }

    /// Forgets the devices whose call gave way and that nobody waits for.
    pub(crate) fn sweep(&self) {
        if self.devices.load(Relaxed) > 0 {
            self.swept(&mut self.state(), Instant::now());
        }
    }

    /// How many devices something is kept of.
    #[cfg(test)]
    pub(crate) fn devices(&self) -> usize {
        self.devices.load(Relaxed)
    }

    fn heard(&self, device: &DeviceKey, ends: impl Fn(&Holder) -> bool) {
        if self.devices.load(Relaxed) > 0 {
            self.end(device, ends);
        }
    }

    /// Takes the turn at once, or a place among those who wait.
    fn enter(&self, call: &Call, ends: Ends, now: Instant) -> Result<Entered, NoTurn> {
        let device = &call.device.key;
        let mut state = self.state();
        if !state.of.contains_key(device) && state.of.len() >= self.devices_max {
            self.swept(&mut state, now);
            if state.of.len() >= self.devices_max {
                self.refused.inc();
                return Err(NoTurn::DevicesFull(self.devices_max));
            }
        }
        state.given += 1;
        let number = state.given;
        let lane = state.of.entry(device.clone()).or_default();
        let taken = if lane.is_free(now) && lane.waiting.is_empty() {
            lane.holder = Some(self.holder(number, ends, now));
            Ok(Entered::Mine(number))
        } else if lane.waiting.len() >= self.waiting_max {
            self.refused.inc();
            Err(NoTurn::DeviceFull(self.waiting_max))
        } else {
            let look = Arc::new(Look::default());
            lane.waiting.push_back(Waiting::new(number, call, &look, now));
            Ok(Entered::Waits(number, look))
        };
        self.count(&state);
        taken
    }

    /// How it stands with one who waits.
    fn step(&self, device: &DeviceKey, (number, look): (u64, &Look), ends: Ends) -> Step {
        let now = Instant::now();
        let mut state = self.state();
        if look.is_ended() {
            return Step::Ended;
        }
        let Some(lane) = state.of.get_mut(device) else { return Step::Behind };
        if lane.waiting.front().is_none_or(|first| first.number != number) {
            return Step::Behind;
        }
        if !lane.is_free(now) {
            return Step::First(lane.holder.as_ref().map(|holder| holder.until));
        }
        let how = if lane.holder.is_some() { Wait::Overtook } else { Wait::Came };
        lane.holder = Some(self.holder(number, ends, now));
        lane.waiting.pop_front();
        // The next one looks how long this one may take.
        lane.tell_first();
        Step::Mine(how)
    }

    fn holder(&self, number: u64, ends: Ends, now: Instant) -> Holder {
        Holder { number, until: now + self.turn_timeout, awaits: None, ends }
    }

    /// Ends the turn of a device, if it is this one.
    fn end(&self, device: &DeviceKey, is_it: impl Fn(&Holder) -> bool) {
        let mut state = self.state();
        let Some(lane) = state.of.get_mut(device) else { return };
        if !lane.holder.as_ref().is_some_and(is_it) {
            return;
        }
        lane.holder = None;
        lane.tell_first();
        if lane.waiting.is_empty() {
            state.of.remove(device);
        }
        self.count(&state);
    }

    fn swept(&self, state: &mut State, now: Instant) {
        state.of.retain(|_, lane| !(lane.is_free(now) && lane.waiting.is_empty()));
        self.count(state);
    }

    fn count(&self, state: &State) {
        self.devices.store(state.of.len(), Relaxed);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one gets who asks for a turn.
enum Entered {
    Mine(u64),
    Waits(u64, Arc<Look>),
}

/// How it stands with one who waits.
enum Step {
    Mine(Wait),
    /// Nobody waits before it, and the turn gives way then.
    First(Option<Instant>),
    Behind,
    /// It waits no more.
    Ended,
}

impl Lane {
    fn is_free(&self, now: Instant) -> bool {
        self.holder.as_ref().is_none_or(|holder| holder.until <= now)
    }

    fn tell_first(&self) {
        if let Some(first) = self.waiting.front() {
            first.look.tell();
        }
    }

    fn cancel(&mut self, id: CallId) -> Option<CallMode> {
        let place = self.waiting.iter().position(|waiting| waiting.id == id)?;
        let ended = self.waiting.remove(place)?;
        ended.look.end();
        self.tell_first();
        Some(ended.mode)
    }
}

impl Turn<'_> {
    /// The command of this call is about to leave: from here on its answer ends the turn, or its time.
    pub(crate) fn leaves(&self, id: CallId) {
        self.left.store(true, Relaxed);
        if let Some(lane) = self.lanes.state().of.get_mut(self.device)
            && let Some(holder) = lane.holder.as_mut().filter(|holder| holder.number == self.number)
        {
            holder.awaits = Some(id);
        }
    }

    /// What ends it.
    pub(crate) const fn ends(&self) -> Ends {
        self.ends
    }

    /// Ends it.
    pub(crate) fn release(&self) {
        self.lanes.end(self.device, |holder| holder.number == self.number);
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if !self.left.load(Relaxed) {
            self.release();
        }
    }
}

/// A place among those who wait. Dropped without a turn, it is given up.
struct Place<'a> {
    lanes: &'a Lanes,
    device: &'a DeviceKey,
    number: u64,
    began: Instant,
    ended: Option<Wait>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.lanes.waiting.dec();
        let how = self.ended.unwrap_or(Wait::GaveUp);
        self.lanes.waited[how].observe(self.began.elapsed().as_secs_f64());
        if how != Wait::GaveUp {
            return;
        }
        let mut state = self.lanes.state();
        let Some(lane) = state.of.get_mut(self.device) else { return };
        lane.waiting.retain(|waiting| waiting.number != self.number);
        lane.tell_first();
        if lane.waiting.is_empty() && lane.holder.is_none() {
            state.of.remove(self.device);
        }
        self.lanes.count(&state);
    }
}
