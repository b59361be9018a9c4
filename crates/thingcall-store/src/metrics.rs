//! How full the store is, and what it lost: each figure beside its limit.

use std::sync::atomic::{AtomicU64, Ordering};

use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};

use crate::store::{Shared, WriteSide};
use crate::trouble::Trouble;
use crate::{Config, Store};

/// What only the holder of the write lock knows, as it was when it let go.
#[derive(Debug, Default)]
pub(crate) struct Sizes {
    records: AtomicU64,
    outbox: AtomicU64,
    unwritten: AtomicU64,
    pub(crate) log_bytes: AtomicU64,
}

impl Sizes {
    /// Takes them over.
    pub(crate) fn measure(&self, side: &WriteSide) {
        self.records.store(side.records, Ordering::Relaxed);
        self.outbox.store(wide(side.waiting.len()), Ordering::Relaxed);
        self.unwritten.store(wide(side.unwritten.len()), Ordering::Relaxed);
    }
}

/// A gauge and where its value comes from.
type Read = fn(&Store) -> u64;
/// And its limit.
type Limit = fn(&Config) -> u64;

const GAUGES: &[(&str, &str, Read, Limit)] = &[
    ("products", "Products", |s| wide(s.shared().memory.counts().0), |c| wide(c.products_max.get())),
    ("devices", "Devices", |s| wide(s.shared().memory.counts().1), |c| wide(c.devices_max.get())),
    ("keys", "Access keys", |s| wide(s.shared().memory.counts().2), |c| wide(c.keys_max.get())),
    (
        "records",
        "Records of asynchronous calls",
        |s| size(&s.shared().sizes.records),
        |c| wide(c.journal_records_max.get()),
    ),
    (
        "outbox_calls",
        "QoS 1 commands that wait for their devices",
        |s| size(&s.shared().sizes.outbox),
        |c| wide(c.journal_records_max.get()),
    ),
    (
        "write_queue_records",
        "Writes that wait for the disk; new calls are refused at the limit, and notes on calls at twice the limit",
        |s| wide(s.queued()) + size(&s.shared().sizes.unwritten),
        |c| wide(c.write_queue_records_max.get()),
    ),
    (
        "log_bytes",
        "Length of the store's write-ahead log",
        |s| size(&s.shared().sizes.log_bytes),
        |c| c.log_bytes_max.get(),
    ),
];

/// The series of one store.
#[derive(Debug)]
pub(crate) struct Metrics {
    gauges: Vec<(IntGauge, Read)>,
    writable: IntGauge,
    notes_lost: IntCounter,
    failures: Vec<(IntCounter, Trouble)>,
}

impl Metrics {
    /// Makes them, with the limits, which do not change.
    pub(crate) fn register(config: &Config, registry: &Registry) -> Result<Self, prometheus::Error> {
        let gauge = |name: String, help: String| -> Result<IntGauge, prometheus::Error> {
            let gauge = IntGauge::new(format!("thingcall_store_{name}"), help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        let mut gauges = Vec::with_capacity(GAUGES.len());
        for (name, help, read, limit) in GAUGES {
            gauges.push((gauge((*name).to_owned(), (*help).to_owned())?, *read));
            gauge(format!("{name}_limit"), format!("{help}: as many as there may be"))?.set(signed(limit(config)));
        }
        let writable = gauge("writable".to_owned(), "0 while the store cannot be written".to_owned())?;
        let notes_lost = IntCounter::new(
            "thingcall_store_notes_lost_total",
            "Notes on what became of calls that could not be written; their commands may be sent again",
        )?;
        registry.register(Box::new(notes_lost.clone()))?;
        let about = Opts::new("thingcall_store_failures_total", "Failures of the store's write connection, by reason");
        let family = IntCounterVec::new(about, &["reason"])?;
        registry.register(Box::new(family.clone()))?;
        let of = |trouble: &Trouble| Ok((family.get_metric_with_label_values(&[trouble.as_str()])?, *trouble));
        let failures = Trouble::ALL.iter().map(of).collect::<Result<_, prometheus::Error>>()?;
        Ok(Self { gauges, writable, notes_lost, failures })
    }

    fn refresh(&self, store: &Store) {
        for (gauge, read) in &self.gauges {
            gauge.set(signed(read(store)));
        }
        let Shared { health, notes_lost, .. } = store.shared();
        self.writable.set(i64::from(health.trouble().is_none()));
        up_to(&self.notes_lost, notes_lost.load(Ordering::Relaxed));
        for (counter, trouble) in &self.failures {
            up_to(counter, health.failures(*trouble));
        }
    }
}

impl Store {
    /// Shows how full the store is in this registry, from the next refresh on.
    ///
    /// # Errors
    /// If the metrics are registered already.
    pub fn show_metrics(&self, registry: &Registry) -> Result<(), prometheus::Error> {
        let metrics = Metrics::register(&self.shared().config, registry)?;
        let _shown_once = self.shared().metrics.set(metrics);
        Ok(())
    }

    /// Brings the metrics up to date.
    pub fn refresh_metrics(&self) {
        if let Some(metrics) = self.shared().metrics.get() {
            metrics.refresh(self);
        }
    }
}

fn up_to(counter: &IntCounter, value: u64) {
    counter.inc_by(value.saturating_sub(counter.get()));
}

fn size(of: &AtomicU64) -> u64 {
    of.load(Ordering::Relaxed)
}

fn wide(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
