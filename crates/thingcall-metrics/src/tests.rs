//! What is made is there at zero, under its name and its labels, and what cannot be made is named.

use enum_map::{Enum, EnumMap};
use prometheus::{Histogram, IntCounter, IntGauge, Registry, TextEncoder};
use strum::IntoStaticStr;

use crate::{Maker, gauge_of};

#[derive(Debug, Clone, Copy, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
enum Mode {
    Sync,
    Async,
}

#[derive(Debug, Clone, Copy, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
enum Outcome {
    Ok,
    DeviceError,
}

/// A label with a value more than another.
#[derive(Debug, Clone, Copy, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
enum Way {
    #[strum(transparent)]
    Through(Mode),
    None,
}

fn shown(registry: &Registry) -> String {
    TextEncoder::new().encode_to_string(&registry.gather()).unwrap()
}

#[test]
fn every_series_is_there_from_the_start_and_at_zero() {
    let registry = Registry::new();
    let make = Maker::new(&registry);

    let _calls: EnumMap<Mode, EnumMap<Way, EnumMap<Outcome, IntCounter>>> =
        make.counters("calls_total", "Calls", ["mode", "way", "outcome"]).unwrap();

    let mut expected = "# HELP thingcall_calls_total Calls\n# TYPE thingcall_calls_total counter\n".to_owned();
    for mode in ["async", "sync"] {
        for outcome in ["device_error", "ok"] {
            for way in ["async", "none", "sync"] {
                expected +=
                    &format!("thingcall_calls_total{{mode=\"{mode}\",outcome=\"{outcome}\",way=\"{way}\"}} 0\n");
            }
        }
    }
    let mut lines: Vec<_> = expected.lines().collect();
    let text = shown(&registry);
    let mut found: Vec<_> = text.lines().collect();
    lines.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, lines);
}

#[test]
fn each_value_finds_its_own_series() {
    let registry = Registry::new();
    let calls: EnumMap<Way, EnumMap<Outcome, IntCounter>> =
        Maker::new(&registry).counters("calls_total", "Calls", ["way", "outcome"]).unwrap();

    calls[Way::Through(Mode::Async)][Outcome::DeviceError].inc_by(3);
    calls[Way::None][Outcome::Ok].inc_by(5);

    let text = shown(&registry);
    assert!(text.contains("{outcome=\"device_error\",way=\"async\"} 3\n"), "{text}");
    assert!(text.contains("{outcome=\"ok\",way=\"none\"} 5\n"), "{text}");
    assert_eq!(text.matches("} 0\n").count(), 4, "{text}");
}

#[test]
fn fields_share_a_family() {
    let registry = Registry::new();
    let calls = Maker::new(&registry).counter_family("calls_total", "Calls", ["mode", "outcome"]).unwrap();
    let _known: EnumMap<Mode, EnumMap<Outcome, IntCounter>> = calls.series([]);
    let unknown: EnumMap<Outcome, IntCounter> = calls.series(["unknown"]);

    unknown[Outcome::Ok].inc();

    let text = shown(&registry);
    assert!(text.contains("{mode=\"unknown\",outcome=\"ok\"} 1\n"), "{text}");
    assert_eq!(text.matches("} 0\n").count(), 5, "{text}");
}

#[test]
fn several_of_a_thing_carry_their_names() {
    let registry = Registry::new();
    for name in ["api", "gate"] {
        let make = Maker::of(&registry, "listener", name);
        let _cut: EnumMap<Outcome, IntCounter> = make.counters("cut_total", "Cut", ["reason"]).unwrap();
        make.limit("open_limit", "Open", 7).unwrap();
    }

    let text = shown(&registry);
    for name in ["api", "gate"] {
        assert!(text.contains(&format!("thingcall_cut_total{{listener=\"{name}\",reason=\"ok\"}} 0\n")), "{text}");
        assert!(text.contains(&format!("thingcall_open_limit{{listener=\"{name}\"}} 7\n")), "{text}");
    }
}

#[test]
fn one_series_has_no_labels() {
    let registry = Registry::new();
    let make = Maker::new(&registry);
    let counter: IntCounter = make.counter("ticks_total", "Ticks").unwrap();
    let gauge: IntGauge = make.gauge("open", "Open").unwrap();
    let seconds: Histogram = make.histogram("seconds", "Seconds", &[0.5]).unwrap();

    counter.inc();
    gauge.set(gauge_of(2));
    seconds.observe(0.1);

    let text = shown(&registry);
    for line in ["thingcall_ticks_total 1\n", "thingcall_open 2\n", "thingcall_seconds_bucket{le=\"0.5\"} 1\n"] {
        assert!(text.contains(line), "{text}");
    }
}

#[test]
fn what_cannot_be_made_is_named() {
    let registry = Registry::new();
    let make = Maker::new(&registry);
    let _first = make.counter("ticks_total", "Ticks").unwrap();
    let le: Result<EnumMap<Outcome, Histogram>, _> = make.histograms("in_vain", "Le is taken", &[0.5], ["le"]);

    let twice = make.counter("ticks_total", "Ticks").unwrap_err().to_string();
    let unordered = make.histogram("seconds", "Seconds", &[2.0, 1.0]).unwrap_err().to_string();

    assert!(twice.contains("thingcall_ticks_total"), "{twice}");
    assert!(unordered.contains("thingcall_seconds"), "{unordered}");
    assert!(le.unwrap_err().to_string().contains("thingcall_in_vain"));
    assert!(!shown(&registry).contains("thingcall_in_vain"));
}
