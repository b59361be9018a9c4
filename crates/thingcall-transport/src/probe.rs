//! A probe that a transport sends to itself through its broker: a connection that is there says little of a broker that
//! hangs, and nothing of one that refuses what we publish or keeps from us what we subscribed to.
//!
//! **Invariant:** one probe is under way at a time, and only its own bytes bring it back.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;

/// The probe of one connection.
#[derive(Debug)]
pub struct Probe {
    interval: Duration,
    timeout: Duration,
    /// Ours and nobody else's, though all instances may share one topic.
    token: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    count: u64,
    under_way: Option<UnderWay>,
    verdict: Verdict,
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

impl Probe {
    /// A probe for each `interval`, which is lost after `timeout`.
    pub fn new(interval: Duration, timeout: Duration, token: u64) -> Self {
        Self { interval, timeout, token, state: Mutex::default() }
    }

    /// Begins anew: for each connection.
    pub fn begin(&self) {
        let mut state = self.lock();
        *state = State { count: state.count, ..State::default() };
    }

    /// The bytes of a probe, where it is time to send one. What was not back by then is forgotten.
    pub fn due(&self, now: Instant) -> Option<Bytes> {
        let mut state = self.lock();
        let wait = state.under_way.as_ref().is_some_and(|probe| {
            let age = now.saturating_duration_since(probe.sent);
            age < self.interval || !probe.back && age < self.timeout
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
    pub fn came(&self, payload: &Bytes) {
        let mut state = self.lock();
        if let Some(probe) = state.under_way.as_mut().filter(|probe| probe.payload == payload) {
            probe.back = true;
            state.verdict = Verdict::Carries;
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
