//! A probe that a transport sends to itself through its broker: a connection that is there says little of a broker that
//! hangs, and nothing of one that refuses what we publish or keeps from us what we subscribed to.
//!
//! How long it takes says how long the broker's queues are: less the least it took in the last ten to twenty minutes, which is the way
//! itself. While somebody asks for that, probes follow each other quickly.
//!
//! **Invariant:** one probe is under way at a time, and only its own bytes bring it back.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::time::sleep;

/// How soon a probe follows another while somebody asks how long they take, and for how long after that.
const HURRIED_INTERVAL: Duration = Duration::from_millis(10);
const HURRIED_FOR: Duration = Duration::from_secs(1);
/// How long the least is that of the present, and then of before.
const LEAST_FOR: Duration = Duration::from_secs(600);

/// The probe of one connection.
#[derive(Debug)]
pub struct Probe {
    interval: Duration,
    timeout: Duration,
    /// Ours and nobody else's, though all instances may share one topic.
    token: u64,
    state: Mutex<State>,
    /// Somebody asks how long they take.
    asked: Notify,
}

#[derive(Debug, Default)]
struct State {
    count: u64,
    under_way: Option<UnderWay>,
    verdict: Verdict,
    /// How long the last one took.
    took: Option<Duration>,
    least: Least,
    /// Until when they follow each other quickly.
    hurried_until: Option<Instant>,
}

/// The least time that probes took lately: now and before, and since when it is now.
#[derive(Debug, Default)]
struct Least {
    now: Option<Duration>,
    before: Option<Duration>,
    since: Option<Instant>,
}

impl Least {
    fn took(&mut self, took: Duration, now: Instant) {
        let since = *self.since.get_or_insert(now);
        if now.saturating_duration_since(since) >= LEAST_FOR {
            *self = Self { now: None, before: self.now, since: Some(now) };
        }
        self.now = Some(self.now.map_or(took, |least| least.min(took)));
    }

    fn get(&self) -> Duration {
        self.now.into_iter().chain(self.before).min().unwrap_or_default()
    }
}

#[derive(Debug)]
struct UnderWay {
    payload: Bytes,
    sent: Instant,
    accepted: bool,
    back: bool,
}

/// What the probes say of the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verdict {
    /// The first one is under way.
    #[default]
    Begun,
    /// It carries messages to us and back.
    Carries,
    /// It says nothing at all.
    Silent,
    /// It refused a probe, or took it and did not bring it back: it is alive, and its rules forbid it.
    Forbids,
}

impl State {
    fn hurries(&self, now: Instant) -> bool {
        self.hurried_until.is_some_and(|until| now < until)
    }
}

impl Probe {
    /// A probe for each `interval`, which is lost after `timeout`.
    pub fn new(interval: Duration, timeout: Duration, token: u64) -> Self {
        Self { interval, timeout, token, state: Mutex::default(), asked: Notify::new() }
    }

    /// Begins anew: for each connection.
    pub fn begin(&self) {
        let mut state = self.lock();
        *state = State { count: state.count, hurried_until: state.hurried_until, ..State::default() };
    }

    /// The bytes of a probe, where it is time to send one. What was not back by then is forgotten.
    pub fn due(&self, now: Instant) -> Option<Bytes> {
        let mut state = self.lock();
        let interval = if state.hurries(now) { HURRIED_INTERVAL.min(self.interval) } else { self.interval };
        let wait = state.under_way.as_ref().is_some_and(|probe| {
            let age = now.saturating_duration_since(probe.sent);
            age < interval || !probe.back && age < self.timeout
        });
        if wait {
            return None;
        }
        state.count += 1;
        // In the form of a request, which every instance that hears it knows as none of a device's messages.
        let payload = Bytes::from(format!(
            r#"{{"id":"{}","version":"1.0","params":{{"probe":"{:016x}"}},"method":"thing.service.probe"}}"#,
            state.count, self.token
        ));
        state.under_way = Some(UnderWay { payload: payload.clone(), sent: now, accepted: false, back: false });
        Some(payload)
    }

    /// The broker acknowledged the probe that is under way.
    pub fn accepted(&self) {
        if let Some(probe) = &mut self.lock().under_way {
            probe.accepted = true;
        }
    }

    /// The broker said that it may not be.
    pub fn refused(&self) {
        let mut state = self.lock();
        state.verdict = Verdict::Forbids;
        // It will not come back, and not for the broker's silence.
        if let Some(probe) = &mut state.under_way {
            probe.accepted = true;
        }
    }

    /// A message came where probes come.
    pub fn came(&self, payload: &Bytes, now: Instant) {
        let mut state = self.lock();
        if let Some(probe) = state.under_way.as_mut().filter(|probe| probe.payload == payload && !probe.back) {
            probe.back = true;
            let took = now.saturating_duration_since(probe.sent);
            state.verdict = Verdict::Carries;
            state.took = Some(took);
            state.least.took(took, now);
        }
    }

    /// How much longer than usual a probe takes now: one that is under way at least for so long as it has been. From now on
    /// they follow each other quickly for a while.
    pub fn delay(&self, now: Instant) -> Duration {
        let mut state = self.lock();
        let Some(took) = state.took.filter(|_| state.verdict != Verdict::Forbids) else { return Duration::ZERO };
        if !state.hurries(now) {
            self.asked.notify_one();
        }
        state.hurried_until = Some(now + HURRIED_FOR);
        let under_way = state.under_way.as_ref().filter(|probe| !probe.back);
        let age = under_way.map_or(Duration::ZERO, |probe| now.saturating_duration_since(probe.sent));
        // One that is lost tells nothing of how long others take.
        let age = if age < self.timeout { age } else { Duration::ZERO };
        took.max(age).saturating_sub(state.least.get())
    }

    /// Waits until it may be time for a probe sooner than it was.
    pub(crate) async fn hurried(&self, now: Instant) {
        if self.lock().hurries(now) {
            sleep(HURRIED_INTERVAL).await;
        } else {
            self.asked.notified().await;
        }
    }

    /// Whether one came back since [`Self::begin`].
    pub fn came_back(&self) -> bool {
        self.lock().under_way.as_ref().is_some_and(|probe| probe.back)
    }

    /// What the probes say now.
    pub fn verdict(&self, now: Instant) -> Verdict {
        let mut state = self.lock();
        let lost = state.under_way.as_ref().filter(|probe| !probe.back);
        if let Some(probe) = lost.filter(|probe| now.saturating_duration_since(probe.sent) >= self.timeout) {
            state.verdict = if probe.accepted { Verdict::Forbids } else { Verdict::Silent };
        }
        state.verdict
    }

    /// Nothing that is done under this lock can panic half way.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
