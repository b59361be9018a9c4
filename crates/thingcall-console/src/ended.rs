//! Logins that were ended before their time.
//!
//! **Invariants:** a cookie of one that was ended counts no more at this instance, for as long as it would have. What is remembered is
//! bounded: of too many, those that would end first are forgotten.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus::{IntGauge, Registry};
use thingcall_core::UnixMillis;
use thingcall_metrics::{Maker, gauge_of};

use crate::session::Session;

/// How many are remembered.
const REMEMBERED_MAX: usize = 10_000;

/// Until when each would have lasted, and its tag.
#[derive(Debug)]
pub(crate) struct Ended {
    all: Mutex<BTreeSet<(i64, String)>>,
    remembered: IntGauge,
}

impl Ended {
    /// None so far.
    pub(crate) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let make = Maker::new(registry);
        make.limit("console_ended_logins_limit", "How many of these are remembered", REMEMBERED_MAX)?;
        let help = "Logins to the console that were ended before their time; at the limit those that would end first are forgotten";
        Ok(Self { all: Mutex::default(), remembered: make.gauge("console_ended_logins", help)? })
    }

    /// This one has ended.
    pub(crate) fn end(&self, session: &Session, now: UnixMillis, lasts: Duration) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert((until(session, lasts), session.tag.clone()));
        while all.first().is_some_and(|(until, _)| *until < now.0) || all.len() > REMEMBERED_MAX {
            all.pop_first();
        }
        self.remembered.set(gauge_of(all.len()));
    }

    /// Whether it has.
    pub(crate) fn has(&self, session: &Session, lasts: Duration) -> bool {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        !all.is_empty() && all.contains(&(until(session, lasts), session.tag.clone()))
    }
}

fn until(session: &Session, lasts: Duration) -> i64 {
    session.begun_at.0.saturating_add(i64::try_from(lasts.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    //! What counts as ended, and for how long it is remembered.

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn session(tag: usize, begun_at: i64) -> Session {
        Session { key_id: "key".to_owned(), begun_at: UnixMillis(begun_at), tag: tag.to_string() }
    }

    #[test]
    fn one_that_was_ended_counts_no_more_and_others_do() {
        let ended = Ended::register(&Registry::new()).unwrap();
        ended.end(&session(1, 5), UnixMillis(6), HOUR);
        assert_eq!([1, 2].map(|tag| ended.has(&session(tag, 5), HOUR)), [true, false]);
    }

    #[test]
    fn what_is_over_anyhow_and_what_is_too_much_is_forgotten() {
        let ended = Ended::register(&Registry::new()).unwrap();
        (0..REMEMBERED_MAX + 5).for_each(|tag| ended.end(&session(tag, 5), UnixMillis(6), HOUR));
        assert_eq!(ended.all.lock().unwrap().len(), REMEMBERED_MAX);
        ended.end(&session(1, 4_000_000), UnixMillis(4_000_000), HOUR);
        assert_eq!(ended.all.lock().unwrap().len(), 1);
    }
}
