//! How full the store is, and what it lost: each figure beside its limit.

mod gauges;
mod past;

use std::sync::atomic::{AtomicU64, Ordering};

use enum_map::{Enum, EnumMap};
use prometheus::{IntCounter, IntGauge, Registry};
use strum::IntoStaticStr;
use thingcall_core::MessageKind;
use thingcall_metrics::Maker;

use gauges::{GAUGES, Read};
use past::OfThePast;

use crate::all_wanted::ReaderKind;
use crate::left_out::Why;
use crate::recording::LeftOut;
use crate::shared::Shared;
use crate::trouble::Trouble;
use crate::waits::Wait;

/// The series of one store.
#[derive(Debug)]
pub(crate) struct Metrics {
    gauges: Vec<(IntGauge, Read)>,
    writable: IntGauge,
    notes_lost: IntCounter,
    failures: EnumMap<Trouble, IntCounter>,
    look_ups: EnumMap<LookedUp, IntCounter>,
    signs_lost: IntCounter,
    ran_out: EnumMap<Wait, IntCounter>,
    listener_up: IntGauge,
    listener_connections: IntCounter,
    messages_written: EnumMap<MessageKind, IntCounter>,
    messages_lost: EnumMap<ReaderKind, IntCounter>,
    appends_refused: IntCounter,
    past: OfThePast,
    values_left_out: EnumMap<Why, IntCounter>,
    turns_lost: IntCounter,
    recorded: Recorded,
}

/// What became of a device's look-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
enum LookedUp {
    /// Memory answered.
    Hit,
    /// The database was asked, or somebody was waited for who asked it.
    Miss,
    /// The database did not answer.
    Failed,
}

impl Metrics {
    /// Makes them, with the limits, which do not change.
    pub(crate) fn register(shared: &Shared, registry: &Registry) -> Result<Self, prometheus::Error> {
        let make = Maker::new(registry);
        Ok(Self {
            gauges: gauges(make, shared)?,
            writable: make.gauge("store_writable", "0 while the store cannot be written")?,
            notes_lost: make.counter(
                "store_notes_lost_total",
                "Notes on what became of calls that could not be written; their commands may be sent again",
            )?,
            failures: make.counters(
                "store_failures_total",
                "Failures of the store's write connection, by reason",
                ["reason"],
            )?,
            look_ups: make.counters(
                "store_device_look_ups_total",
                "Look-ups of devices: answered by memory, by the database, or not at all (which is a miss, too)",
                ["result"],
            )?,
            signs_lost: make.counter(
                "store_presence_signs_lost_total",
                "Signs of devices that were left out, since too much that was heard is not written yet",
            )?,
            ran_out: make.counters(
                "store_waits_ran_out_total",
                "Waits for PostgreSQL that ran out: to be connected, for one of the connections for reading, for an answer",
                ["wait"],
            )?,
            listener_up: make.gauge(
                "store_listener_up",
                "1 while PostgreSQL tells of changes by itself; else they are looked for, as always in a file",
            )?,
            listener_connections: make.counter(
                "store_listener_connections_total",
                "How often the connection was made on which PostgreSQL tells of changes",
            )?,
            messages_written: make.counters(
                "store_messages_written_total",
                "Messages for applications that this server wrote, by kind",
                ["kind"],
            )?,
            messages_lost: make.counters(
                "store_messages_lost_total",
                "Messages that this server dropped before a reader had read them, by what kind of reader that is; streams tell their own",
                ["reader"],
            )?,
            turns_lost: make.counter(
                "store_status_lost_total",
                "Devices that came or went without a message of it, since too many waited to be written",
            )?,
            values_left_out: values_left_out(make)?,
            recorded: Recorded::register(make)?,
            past: OfThePast::register(make)?,
            appends_refused: make.counter(
                "store_appends_refused_total",
                "Appends of messages that were refused, since too many waited to be written",
            )?,
        })
    }

    pub(crate) fn refresh(&self, shared: &Shared, queued: usize) {
        for (gauge, read) in &self.gauges {
            gauge.set(signed(read(shared, queued)));
        }
        let Shared { health, notes_lost, .. } = shared;
        self.writable.set(i64::from(health.trouble().is_none()));
        up_to(&self.notes_lost, notes_lost.load(Ordering::Relaxed));
        let counts = &shared.devices.counts;
        up_to(&self.signs_lost, size(&counts.signs_lost));
        let told = &shared.log.counts;
        up_to(&self.past.left_out, shared.history.left_out());
        up_to(&self.past.dropped, shared.history.dropped());
        up_to(&self.appends_refused, size(&told.refused));
        up_to(&self.turns_lost, size(&told.turns_lost));
        self.recorded.refresh(shared);
        for (why, counter) in &self.values_left_out {
            up_to(counter, shared.left_out.count(why));
        }
        for (kind, counter) in &self.messages_written {
            up_to(counter, size(&told.appended[kind]));
        }
        for (reader, counter) in &self.messages_lost {
            up_to(counter, size(&told.lost[reader]));
        }
        for (result, counter) in &self.look_ups {
            let count = match result {
                LookedUp::Hit => &counts.hits,
                LookedUp::Miss => &counts.misses,
                LookedUp::Failed => &counts.failures,
            };
            up_to(counter, size(count));
        }
        for (wait, counter) in &self.ran_out {
            up_to(counter, shared.reads.ran_out(wait));
        }
        self.listener_up.set(i64::from(shared.told.listens()));
        up_to(&self.listener_connections, shared.told.begun());
        for (trouble, counter) in &self.failures {
            up_to(counter, health.failures(trouble));
        }
    }
}

/// What became of records of calls, and of changes.
#[derive(Debug)]
struct Recorded {
    audit_lost: IntCounter,
    written: IntCounter,
    left_out: EnumMap<LeftOut, IntCounter>,
}

impl Recorded {
    fn register(make: Maker<'_>) -> Result<Self, prometheus::Error> {
        Ok(Self {
            audit_lost: make.counter(
                "store_audit_entries_lost_total",
                "Changes that are in no audit log, since it could not be written; each is a line of the program's log",
            )?,
            written: make.counter("store_call_records_written_total", "Records of calls that this server wrote")?,
            left_out: make.counters(
                "store_call_records_left_out_total",
                "Records of calls that are not kept: too many or too large ones wait, too many requests were refused in a minute, or the store closed",
                ["reason"],
            )?,
        })
    }

    fn refresh(&self, shared: &Shared) {
        up_to(&self.audit_lost, shared.audit.lost());
        up_to(&self.written, size(&shared.recording.written));
        for (why, counter) in &self.left_out {
            up_to(counter, shared.recording.left_out(why));
        }
    }
}

/// Last values that are not kept.
fn values_left_out(make: Maker<'_>) -> Result<EnumMap<Why, IntCounter>, prometheus::Error> {
    make.counters(
        "store_last_values_left_out_total",
        "Last values of properties that are not kept: the property's name is too long, or the device has as many as may be",
        ["limit"],
    )
}

/// Each with its limit, and limits that stand alone.
fn gauges(make: Maker<'_>, shared: &Shared) -> Result<Vec<(IntGauge, Read)>, prometheus::Error> {
    let (values, bytes) = (shared.config.last_values_per_device_max, shared.config.last_value_name_bytes_max);
    let help = "Of how many properties of a device the last value is kept";
    make.limit("store_last_values_per_device_limit", help, values.get())?;
    make.limit("store_last_value_name_bytes_limit", "How long the name of such a property may be", bytes.get())?;
    let (records, bytes) = (shared.config.history_records_per_product_max, shared.config.history_bytes_per_product_max);
    let help = "How many values and events of the past are kept for the devices of a product";
    make.gauge("store_history_records_per_product_limit", help)?.set(signed(records));
    make.gauge("store_history_bytes_per_product_limit", "How many bytes they may have")?.set(signed(bytes.get()));
    let mut gauges = Vec::with_capacity(GAUGES.len());
    for (name, help, read, limit) in GAUGES {
        gauges.push((make.gauge(&format!("store_{name}"), help)?, *read));
        let help = format!("{help}: as many as there may be");
        make.gauge(&format!("store_{name}_limit"), &help)?.set(signed(limit(shared)));
    }
    Ok(gauges)
}

fn up_to(counter: &IntCounter, value: u64) {
    counter.inc_by(value.saturating_sub(counter.get()));
}

fn size(of: &AtomicU64) -> u64 {
    of.load(Ordering::Relaxed)
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
