//! How each kind is written, and that examples stand at their buckets.

use enum_map::{Enum, EnumMap};
use prometheus::{Counter, IntCounter, Registry, TextEncoder};
use strum::IntoStaticStr;

use super::*;
use crate::{Maker, Traced};

#[derive(Debug, Clone, Copy, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
enum Mode {
    Sync,
    Async,
}

fn written(registry: &Registry, exemplars: &Exemplars) -> String {
    openmetrics(&TextEncoder::new().encode_to_string(&registry.gather()).unwrap(), exemplars)
}

#[test]
fn counters_lose_their_end_in_the_head_and_keep_it_in_samples() {
    let registry = Registry::new();
    let make = Maker::new(&registry);
    let calls: EnumMap<Mode, IntCounter> = make.counters("calls_total", "Calls \"made\"\\", ["mode"]).unwrap();
    make.gauge("open", "Open").unwrap().set(7);
    calls[Mode::Async].inc_by(3);

    let expected = "# TYPE thingcall_calls counter\n# HELP thingcall_calls Calls \\\"made\\\"\\\\\n\
        thingcall_calls_total{mode=\"async\"} 3\nthingcall_calls_total{mode=\"sync\"} 0\n\
        # TYPE thingcall_open gauge\n# HELP thingcall_open Open\nthingcall_open 7\n# EOF\n";
    assert_eq!(written(&registry, &Exemplars::default()), expected);
}

#[test]
fn a_counter_without_the_end_gets_it_and_one_whose_name_is_taken_is_of_no_kind() {
    let registry = Registry::new();
    for name in ["asked", "size_total"] {
        registry.register(Box::new(Counter::new(name, "Of a plugin").unwrap())).unwrap();
    }
    registry.register(Box::new(prometheus::Gauge::new("size", "Of a plugin").unwrap())).unwrap();

    let text = written(&registry, &Exemplars::default());
    for line in ["# TYPE asked counter\n", "\nasked_total 0\n", "# TYPE size gauge\n", "# TYPE size_total unknown\n"] {
        assert!(text.contains(line), "{line:?} in {text}");
    }
    assert!(text.contains("\nsize_total 0\n"), "{text}");
}

#[test]
fn an_example_stands_at_its_bucket_and_only_of_what_has_a_trace() {
    let (registry, exemplars) = (Registry::new(), Exemplars::default());
    let make = Maker::new(&registry);
    let seconds: EnumMap<Mode, Traced> = make.histograms("seconds", "Time", &[0.5, 8.0], ["mode"]).unwrap();
    exemplars.of("seconds", seconds.values());

    seconds[Mode::Sync].observe(0.5, Some([0xab; 16]));
    seconds[Mode::Sync].observe(7.0, None);
    seconds[Mode::Sync].observe(9.25, Some([1; 16]));
    seconds[Mode::Sync].observe(9.5, Some([2; 16]));

    let text = written(&registry, &exemplars);
    let line = |start: &str| text.lines().find(|line| line.starts_with(start)).map(str::to_owned).unwrap();
    let first = line("thingcall_seconds_bucket{mode=\"sync\",le=\"0.5\"} 1 # {trace_id=");
    let (_, example) = first.split_once(" # ").unwrap();
    let [id, value, at] = example.split(' ').collect::<Vec<_>>()[..] else { panic!("{example}") };
    assert_eq!((id, value), ("{trace_id=\"abababababababababababababababab\"}", "0.5"));
    assert!(at.parse::<f64>().unwrap() > 1.7e9, "{at}");
    assert!(!line("thingcall_seconds_bucket{mode=\"sync\",le=\"8.0\"} 2").contains('#'));
    assert!(line("thingcall_seconds_bucket{mode=\"sync\",le=\"+Inf\"} 4").contains(&"02".repeat(16)));
    assert_eq!(text.matches(" # ").count(), 2, "{text}");
    assert!(text.contains("thingcall_seconds_count{mode=\"sync\"} 4\n"), "{text}");
    assert!(text.ends_with("\n# EOF\n"), "{text}");
}
