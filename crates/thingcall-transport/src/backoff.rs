//! Pauses between attempts.

use std::time::Duration;

/// Each pause is twice the one before, up to a maximum; half to all of it is waited, so that instances that lost a broker
/// together do not return together.
#[derive(Debug, Clone, Copy)]
pub struct Backoff {
    min: Duration,
    max: Duration,
    pause: Duration,
}

impl Backoff {
    /// Begins with `min`.
    pub const fn new(min: Duration, max: Duration) -> Self {
        Self { min, max, pause: min }
    }

    /// The next pause, before anything is taken off it.
    pub const fn pause(&self) -> Duration {
        self.pause
    }

    /// How long to wait now; the next pause is longer.
    pub fn next_wait(&mut self) -> Duration {
        let wait = self.pause.mul_f64(0.5 + fastrand::f64() / 2.0);
        self.pause = (self.pause * 2).min(self.max);
        wait
    }

    /// An attempt went well: the next pause is a short one again.
    pub const fn begin_anew(&mut self) {
        self.pause = self.min;
    }
}

#[cfg(test)]
mod tests;
