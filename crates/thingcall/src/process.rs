//! What the process uses, as Prometheus' clients call it: read from `/proc` when it is asked for.
//!
//! **Invariant:** the names and meanings are those of every Prometheus client; CPU time has the fractions that Linux counts.

use std::fs;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Counter, IntGauge, Opts, Registry};

/// The collector.
struct Process {
    cpu: Counter,
    gauges: [IntGauge; 6],
    clock: Clock,
}

/// How Linux counts.
#[derive(Debug, Clone, Copy)]
struct Clock {
    ticks_per_second: u64,
    page_bytes: u64,
}

/// What `/proc` says now.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Used {
    cpu_seconds: f64,
    threads: i64,
    virtual_bytes: i64,
    resident_bytes: i64,
    start_seconds: i64,
}

/// Registers it.
///
/// # Errors
/// If such a collector is registered already.
pub(crate) fn register(registry: &Registry) -> Result<(), prometheus::Error> {
    registry.register(Box::new(Process::new()?))
}

impl Process {
    fn new() -> Result<Self, prometheus::Error> {
        let gauge = |name: &str, help: &str| IntGauge::with_opts(Opts::new(name, help));
        Ok(Self {
            cpu: Counter::new("process_cpu_seconds_total", "CPU time used, of user and system, in seconds")?,
            gauges: [
                gauge("process_open_fds", "Open files and sockets")?,
                gauge("process_max_fds", "How many there may be")?,
                gauge("process_virtual_memory_bytes", "Virtual memory")?,
                gauge("process_resident_memory_bytes", "Memory in RAM")?,
                gauge("process_start_time_seconds", "When it started, in seconds since 1970")?,
                gauge("process_threads", "Threads")?,
            ],
            clock: Clock {
                ticks_per_second: rustix::param::clock_ticks_per_second(),
                page_bytes: u64::try_from(rustix::param::page_size()).unwrap_or(4096),
            },
        })
    }

    fn read(&self) {
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let machine = fs::read_to_string("/proc/stat").unwrap_or_default();
        if let Some(used) = used(&stat, &machine, self.clock) {
            self.cpu.inc_by((used.cpu_seconds - self.cpu.get()).max(0.0));
            let [_, _, of_virtual, resident, start, threads] = &self.gauges;
            of_virtual.set(used.virtual_bytes);
            resident.set(used.resident_bytes);
            start.set(used.start_seconds);
            threads.set(used.threads);
        }
        let [open, max, ..] = &self.gauges;
        open.set(open_files());
        let files_max = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        max.set(files_max.and_then(|files| i64::try_from(files).ok()).unwrap_or(i64::MAX));
    }
}

/// How many files are open. Linux 6.2 and later tell it as the size of the folder; to list that takes milliseconds where there are
/// ten thousands of connections.
fn open_files() -> i64 {
    let told = fs::metadata("/proc/self/fd").map_or(0, |folder| folder.len());
    let counted = || fs::read_dir("/proc/self/fd").map_or(0, |files| files.count().saturating_sub(1));
    let files = if told > 0 { usize::try_from(told).unwrap_or(usize::MAX) } else { counted() };
    i64::try_from(files).unwrap_or(i64::MAX)
}

/// Reads `/proc/self/stat` and `/proc/stat`.
#[expect(clippy::cast_precision_loss, reason = "ticks of centuries are below 2^52")]
fn used(stat: &str, machine: &str, clock: Clock) -> Option<Used> {
    // The program's name stands in parentheses and may hold anything.
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    let ticks = clock.ticks_per_second.max(1);
    let booted: u64 = machine.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    Some(Used {
        cpu_seconds: (field(14)? + field(15)?) as f64 / ticks as f64,
        threads: signed(field(20)?),
        virtual_bytes: signed(field(23)?),
        resident_bytes: signed(field(24)?.saturating_mul(clock.page_bytes)),
        start_seconds: signed(booted + field(22)? / ticks),
    })
}

impl Collector for Process {
    fn desc(&self) -> Vec<&Desc> {
        self.cpu.desc().into_iter().chain(self.gauges.iter().flat_map(Collector::desc)).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.read();
        self.cpu.collect().into_iter().chain(self.gauges.iter().flat_map(Collector::collect)).collect()
    }
}

#[cfg(test)]
mod tests {
    //! What is read of `/proc`, and that CPU time has fractions.

    use super::*;

    const STAT: &str =
        "4242 (a) b (c) S 1 4242 4242 0 -1 4194560 500 0 3 0 107 36 0 0 20 0 9 0 12345 104857600 2560 1 0";
    const MACHINE: &str = "cpu  1 2 3\nbtime 1700000000\nprocesses 7\n";
    const CLOCK: Clock = Clock { ticks_per_second: 100, page_bytes: 4096 };

    #[test]
    fn fields_are_found_behind_a_name_that_looks_like_fields() {
        let expected = Used {
            cpu_seconds: 1.43,
            threads: 9,
            virtual_bytes: 104_857_600,
            resident_bytes: 2560 * 4096,
            start_seconds: 1_700_000_123,
        };
        assert_eq!(used(STAT, MACHINE, CLOCK), Some(expected));
        assert_eq!(used("", MACHINE, CLOCK), None);
        assert_eq!(used(STAT, "", CLOCK), None);
    }

    #[test]
    fn every_gauge_of_this_process_is_above_zero_and_its_start_is_past() {
        let process = Process::new().unwrap();
        process.read();
        assert!(process.gauges.iter().all(|gauge| gauge.get() > 0), "{:?}", process.gauges);
        let started = process.gauges[4].get();
        let now = thingcall_core::UnixMillis::now().0 / 1000;
        assert!((now - 86_400..=now + 1).contains(&started), "{started}");
    }
}
