//! What readiness is made of, as `/readyz` tells it and as metrics show it.
//!
//! **Invariant:** there is one list of conditions. Each has a keeper; the program itself keeps that calls are taken, and
//! that of each way to devices.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntGaugeVec, Opts, Registry};
use thingcall_core::{Condition, ConditionState, Conditions, Transport, UnixMillis, Weight};
use tokio::time::sleep;

/// How often ways to devices are asked without anybody's looking.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// The conditions of a server, and those that the program keeps.
#[derive(Clone)]
pub(crate) struct Readiness {
    all: Conditions,
    serving: Arc<Condition>,
    ways: Arc<Mutex<Vec<Way>>>,
}

/// A way to devices whose condition is asked for.
struct Way {
    transport: Arc<dyn Transport>,
    condition: Arc<Condition>,
}

impl Readiness {
    /// Registers a gauge for each condition, also of those that are added later.
    ///
    /// # Errors
    /// If it is registered already.
    pub(crate) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let all = Conditions::default();
        let serving = all.add("serving", Weight::Required);
        serving.fails("the server starts");
        let readiness = Self { all, serving, ways: Arc::default() };
        registry.register(Box::new(Gauges { readiness: readiness.clone(), family: family()? }))?;
        Ok(readiness)
    }

    /// The list, for those who keep a condition.
    pub(crate) fn conditions(&self) -> &Conditions {
        &self.all
    }

    /// Calls are taken.
    pub(crate) fn serves(&self) {
        self.serving.holds();
    }

    /// Calls are not taken any more.
    pub(crate) fn drains(&self) {
        self.serving.fails("draining: the server ends, and takes no new calls");
    }

    /// Asks this way to devices from now on whether it is open.
    pub(crate) fn watch(&self, transport: Arc<dyn Transport>) {
        let condition = self.all.add(format!("transport {}", transport.name()), Weight::OneOf);
        self.ways.lock().unwrap_or_else(PoisonError::into_inner).push(Way { transport, condition });
    }

    /// Whether the server is ready, and what to tell about it: a line for each condition that does not hold.
    pub(crate) fn told(&self) -> (bool, String) {
        self.ask();
        let unmet = self.all.unmet();
        let mut text = if unmet.is_empty() { "ready\n".to_owned() } else { lines(&unmet) };
        // What is lost without making the server useless comes last.
        let others = self.all.states().into_iter().filter(|state| state.failure.is_some() && !unmet.contains(state));
        text.push_str(&lines(&others.collect::<Vec<_>>()));
        (unmet.is_empty(), text)
    }

    /// Asks the ways now and then, so that `since` is when something began, and not when somebody looked. For as long as it is
    /// polled.
    pub(crate) async fn follow(self) {
        loop {
            self.ask();
            sleep(ASK_EVERY).await;
        }
    }

    fn ask(&self) {
        for Way { transport, condition } in &*self.ways.lock().unwrap_or_else(PoisonError::into_inner) {
            match transport.failure() {
                None => condition.holds(),
                Some(why) => condition.fails(why),
            }
        }
    }
}

fn lines(states: &[ConditionState]) -> String {
    states.iter().fold(String::new(), |mut text, ConditionState { name, failure, since, .. }| {
        let why = failure.as_deref().unwrap_or_default();
        // Writing into a string does not fail.
        let _ = writeln!(text, "{name}: {why}, since {}", time(*since));
        text
    })
}

fn time(UnixMillis(millis): UnixMillis) -> humantime::Rfc3339Timestamp {
    let since = Duration::from_millis(u64::try_from(millis).unwrap_or_default());
    humantime::format_rfc3339_seconds(SystemTime::UNIX_EPOCH + since)
}

/// Reads the conditions at each scrape.
struct Gauges {
    readiness: Readiness,
    /// Only describes them.
    family: IntGaugeVec,
}

fn family() -> Result<IntGaugeVec, prometheus::Error> {
    let about = "1 if the condition holds; /readyz says why it does not, and whether the server is ready without it";
    IntGaugeVec::new(Opts::new("thingcall_condition", about), &["name"])
}

impl Collector for Gauges {
    fn desc(&self) -> Vec<&Desc> {
        self.family.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.readiness.ask();
        // A new one each time: conditions come and go.
        let Ok(gauges) = family() else { return Vec::new() };
        for state in self.readiness.all.states() {
            gauges.with_label_values(&[state.name.as_str()]).set(i64::from(state.failure.is_none()));
        }
        gauges.collect()
    }
}

#[cfg(test)]
mod tests;
