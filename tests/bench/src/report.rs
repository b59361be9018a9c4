//! What a measurement found.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Map, Value, json};

/// The latencies of successful calls in microseconds, and the codes of failed ones.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    latencies: Histogram<u64>,
    failures: BTreeMap<String, u64>,
    measured: Duration,
    /// The processor time that the measured process took.
    cpu: Option<Duration>,
    /// The same of the load and its devices, which share the processors with it.
    load_cpu: Option<Duration>,
}

/// Codes told apart; further ones are counted together.
const CODES_MAX: usize = 32;

impl Report {
    /// A report of nothing yet.
    ///
    /// # Errors
    /// Never: the bounds are right.
    pub(crate) fn new(measured: Duration) -> anyhow::Result<Self> {
        Ok(Self {
            latencies: Histogram::new_with_bounds(1, 60_000_000, 3)?,
            failures: BTreeMap::new(),
            measured,
            cpu: None,
            load_cpu: None,
        })
    }

    /// Counts a call.
    pub(crate) fn took(&mut self, took: Duration) {
        self.latencies.saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    /// Counts a call that failed.
    pub(crate) fn failed(&mut self, code: &str) {
        let code = if self.failures.len() < CODES_MAX { code } else { "other" };
        *self.failures.entry(code.to_owned()).or_default() += 1;
    }

    /// Adds what another one found in the same time.
    pub(crate) fn add(&mut self, other: &Self) -> anyhow::Result<()> {
        self.latencies.add(&other.latencies)?;
        for (code, count) in &other.failures {
            *self.failures.entry(code.clone()).or_default() += count;
        }
        Ok(())
    }

    /// Notes the processor time that the measured process and the load took.
    pub(crate) const fn used(&mut self, cpu: Option<Duration>, load: Option<Duration>) {
        self.cpu = cpu;
        self.load_cpu = load;
    }

    /// Microseconds of processor time a successful call; `None` if the process is not known, or answered none.
    fn cpu_micros(&self) -> Option<f64> {
        self.micros_a_call(self.cpu)
    }

    /// How many processors the measured process kept busy.
    pub(crate) fn cpu_cores(&self) -> Option<f64> {
        Some(self.cpu?.as_secs_f64() / self.measured.as_secs_f64())
    }

    #[expect(clippy::cast_precision_loss, reason = "a figure for eyes")]
    fn micros_a_call(&self, cpu: Option<Duration>) -> Option<f64> {
        let calls = self.latencies.len();
        cpu.filter(|_| calls > 0).map(|cpu| cpu.as_secs_f64() * 1e6 / calls as f64)
    }

    /// Successful calls a second.
    #[expect(clippy::cast_precision_loss, reason = "a figure for eyes")]
    pub(crate) fn per_second(&self) -> f64 {
        self.latencies.len() as f64 / self.measured.as_secs_f64()
    }

    #[expect(clippy::cast_precision_loss, reason = "a figure for eyes")]
    fn milliseconds(&self, quantile: f64) -> f64 {
        self.latencies.value_at_quantile(quantile) as f64 / 1000.0
    }

    /// For eyes.
    pub(crate) fn text(&self, what: &str, broker: &str) -> String {
        let mut parts = vec![format!("{what:<9}"), broker.to_owned(), format!("{:.0} calls/s", self.per_second())];
        let quantiles = [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)];
        parts.extend(quantiles.map(|(name, quantile)| format!("{name} {:.2} ms", self.milliseconds(quantile))));
        parts.extend(self.cpu_micros().map(|cpu| format!("cpu {cpu:.1} us/call")));
        parts.extend(self.micros_a_call(self.load_cpu).map(|cpu| format!("load {cpu:.1} us/call")));
        let mut text = parts.join("  ");
        for (code, count) in &self.failures {
            text.push_str(&format!("\n           {count} failed: {code}"));
        }
        text
    }

    /// For scripts.
    pub(crate) fn json(&self) -> Map<String, Value> {
        let figures = [
            ("callsPerSecond", json!(self.per_second())),
            ("calls", json!(self.latencies.len())),
            ("failures", json!(self.failures)),
            ("seconds", json!(self.measured.as_secs_f64())),
            ("p50Ms", json!(self.milliseconds(0.5))),
            ("p99Ms", json!(self.milliseconds(0.99))),
            ("p999Ms", json!(self.milliseconds(0.999))),
            ("maxMs", json!(self.milliseconds(1.0))),
            ("cpuMicrosPerCall", json!(self.cpu_micros())),
            ("cpuCores", json!(self.cpu_cores())),
            ("loadCpuMicrosPerCall", json!(self.micros_a_call(self.load_cpu))),
        ];
        figures.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// The median of each figure, and all failures.
    pub(crate) fn medians(reports: &[Self]) -> Map<String, Value> {
        let of = |figure: &dyn Fn(&Self) -> Option<f64>| {
            let figures: Vec<f64> = reports.iter().filter_map(figure).collect();
            if figures.is_empty() { Value::Null } else { json!(median(figures)) }
        };
        let failures: u64 = reports.iter().flat_map(|report| report.failures.values()).sum();
        let figures = [
            ("callsPerSecond", of(&|report| Some(report.per_second()))),
            ("p50Ms", of(&|report| Some(report.milliseconds(0.5)))),
            ("p99Ms", of(&|report| Some(report.milliseconds(0.99)))),
            ("cpuMicrosPerCall", of(&Self::cpu_micros)),
            ("failures", json!(failures)),
        ];
        figures.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// The middle one, or half-way between the two in the middle.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    let at = |index: usize| figures.get(index).copied().unwrap_or_default();
    f64::midpoint(at(figures.len().saturating_sub(1) / 2), at(figures.len() / 2))
}
