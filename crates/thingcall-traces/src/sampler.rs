//! Which requests are recorded.
//!
//! **Invariant:** who is asked twice about a trace says the same, but for what is over the rate: it is decided by what is random in
//! its id, as others do who sample by OpenTelemetry's rule.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use thingcall_core::{TraceContext, TraceId};

use crate::config::Config;
use crate::metrics::Decision;

/// What is random in a trace's id.
const RANDOM: u64 = 1 << 56;

/// Decides.
#[derive(Debug)]
pub(crate) struct Sampler {
    /// Ids whose random part is below are sampled.
    below: u64,
    parent_based: bool,
    budget: Mutex<Budget>,
}

/// How many spans may be made now.
#[derive(Debug)]
struct Budget {
    per_second: f64,
    left: f64,
    since: Instant,
}

impl Sampler {
    pub(crate) fn new(config: &Config, now: Instant) -> Self {
        let per_second = f64::from(config.spans_per_second_max.get());
        Self {
            below: part(config.sampled),
            parent_based: config.parent_based,
            budget: Mutex::new(Budget { per_second, left: per_second, since: now }),
        }
    }

    /// Of a trace that came from this caller, if from any.
    pub(crate) fn decide(&self, caller: Option<&TraceContext>, trace_id: TraceId, now: Instant) -> Decision {
        let is_sampled = match caller {
            Some(caller) if self.parent_based => caller.is_sampled,
            Some(_) | None => trace_id.randomness() < self.below,
        };
        match is_sampled {
            false => Decision::NotSampled,
            true if self.budget(|budget| budget.has_some(now)) => Decision::Recorded,
            true => Decision::OverRate,
        }
    }

    /// So many spans were made.
    pub(crate) fn made(&self, spans: usize) {
        // Far below 2^32.
        self.budget(|budget| budget.left -= f64::from(u32::try_from(spans).unwrap_or(u32::MAX)));
    }

    fn budget<T>(&self, then: impl FnOnce(&mut Budget) -> T) -> T {
        then(&mut self.budget.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Budget {
    /// A request's spans are known when it ends: those that are over are made up for by the next seconds.
    fn has_some(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.since).as_secs_f64();
        self.since = now;
        self.left = passed.mul_add(self.per_second, self.left).min(self.per_second);
        self.left > 0.0
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "from 0 to 2^56"
)]
fn part(sampled: f64) -> u64 {
    (sampled * RANDOM as f64) as u64
}

#[cfg(test)]
mod tests {
    //! What is recorded, and how much.

    use std::time::Duration;

    use super::*;

    fn sampler(sampled: f64, parent_based: bool) -> Sampler {
        let spans_per_second_max = std::num::NonZeroU32::new(100).unwrap();
        Sampler::new(&Config { sampled, parent_based, spans_per_second_max, ..Config::default() }, now())
    }

    fn now() -> Instant {
        tokio::time::Instant::now().into_std()
    }

    #[test]
    fn a_part_of_what_begins_here_is_recorded() {
        let (sampler, now) = (sampler(0.25, true), now());
        let recorded = (0..4000).filter(|_| sampler.decide(None, TraceId::random(), now) == Decision::Recorded);
        let recorded = recorded.count();
        assert!((800..1200).contains(&recorded), "{recorded} of 4000");
    }

    #[test]
    fn callers_decide_where_they_may() {
        let (yes, no) = (TraceContext::root(TraceId::random(), true), TraceContext::root(TraceId::random(), false));
        let decide = |sampler: &Sampler, caller: &TraceContext| sampler.decide(Some(caller), caller.trace_id, now());
        let none = sampler(0.0, true);
        assert_eq!((decide(&none, &yes), decide(&none, &no)), (Decision::Recorded, Decision::NotSampled));
        assert_eq!(none.decide(None, TraceId::random(), now()), Decision::NotSampled);
        let own = sampler(0.0, false);
        assert_eq!(decide(&own, &yes), Decision::NotSampled);
        assert_eq!(decide(&sampler(1.0, false), &no), Decision::Recorded);
    }

    #[test]
    fn no_more_spans_are_made_than_a_second_has() {
        let (sampler, then) = (sampler(1.0, true), now());
        let at = |passed| sampler.decide(None, TraceId::random(), then + passed);
        assert_eq!(at(Duration::ZERO), Decision::Recorded);
        sampler.made(150);
        assert_eq!(at(Duration::ZERO), Decision::OverRate);
        assert_eq!(at(Duration::from_millis(400)), Decision::OverRate, "50 were too many");
        assert_eq!(at(Duration::from_millis(600)), Decision::Recorded);
        sampler.made(10);
        assert_eq!(at(Duration::from_secs(3600)), Decision::Recorded);
        sampler.made(100);
        assert_eq!(at(Duration::from_secs(3600)), Decision::OverRate, "what was not used in an hour is not kept");
    }
}
