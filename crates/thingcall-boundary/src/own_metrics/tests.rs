//! Plugins' own metrics.

use prometheus::Registry;
use thingcall_plugin::abi::METRIC_COUNTER as COUNTER;

use super::*;
use crate::metrics::Metrics;

fn names() -> (Registry, Arc<OwnNames>) {
    let registry = Registry::new();
    (registry.clone(), OwnNames::new(registry))
}

impl OwnMetrics {
    fn of(names: &Arc<OwnNames>, plugin: &str) -> Self {
        Self::new(&plugin.into(), names)
    }

    fn defined(&self, kind: u32, name: &str) -> Result<u32, Fault> {
        self.define(&Definition { kind, name: name.to_owned(), help: String::new() })
    }
}

fn text(registry: &Registry) -> String {
    prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap()
}

#[test]
fn a_name_is_the_plugins_and_sanitised() {
    let (registry, names) = names();
    let own = OwnMetrics::of(&names, "test-fb");
    let id = own.defined(COUNTER, "odd name!").unwrap();
    assert_eq!(own.record(id, 2.0), Ok(()));
    assert!(text(&registry).contains("\nthingcall_plugin_test_fb_odd_name_ 2\n"));
}

#[test]
fn a_later_generation_goes_on_with_the_same_series_and_may_not_change_its_kind() {
    let (registry, names) = names();
    for _ in 0..2 {
        let own = OwnMetrics::of(&names, "p");
        let id = own.defined(COUNTER, "asked_total").unwrap();
        own.record(id, 1.0).unwrap();
        assert_eq!(OwnMetrics::of(&names, "p").defined(METRIC_GAUGE, "asked_total"), Err(Fault::Invalid));
    }
    assert!(text(&registry).contains("\nthingcall_plugin_p_asked_total 2\n"));
}

#[test]
fn nothing_is_defined_after_create() {
    let (_, names) = names();
    let own = OwnMetrics::of(&names, "p");
    own.freeze();
    assert_eq!(own.defined(COUNTER, "n"), Err(Fault::Stale));
}

#[test]
fn a_plugin_gets_32_metrics_over_all_its_generations() {
    let (_, names) = names();
    let own = OwnMetrics::of(&names, "p");
    for n in 0..32 {
        assert_eq!(own.defined(COUNTER, &format!("n{n}")), Ok(n));
    }
    assert_eq!(own.defined(COUNTER, "n32"), Err(Fault::Limit));
    assert_eq!(OwnMetrics::of(&names, "p").defined(COUNTER, "n32"), Err(Fault::Limit));
    assert_eq!(OwnMetrics::of(&names, "other").defined(COUNTER, "n32"), Ok(0));
}

#[test]
fn a_plugin_gets_neither_the_hosts_names_nor_another_plugins() {
    let (registry, names) = names();
    let _hosts = Metrics::register(&registry).unwrap();
    let own = OwnMetrics::of(&names, "a");
    assert_eq!(OwnMetrics::of(&names, "in").defined(METRIC_GAUGE, "flight"), Err(Fault::Invalid));
    assert_eq!(own.defined(COUNTER, "b_c"), Ok(0));
    assert_eq!(OwnMetrics::of(&names, "a-b").defined(COUNTER, "c"), Err(Fault::Invalid));
    for name in ["", &"x".repeat(NAME_BYTES_MAX + 1)] {
        assert_eq!(own.defined(COUNTER, name), Err(Fault::Invalid));
    }
    assert_eq!(own.defined(9, "kind"), Err(Fault::Invalid));
}

#[test]
fn values_that_are_none_are_refused() {
    let (_, names) = names();
    let own = OwnMetrics::of(&names, "p");
    let counter = own.defined(COUNTER, "c").unwrap();
    let gauge = own.defined(METRIC_GAUGE, "g").unwrap();
    let histogram = own.defined(METRIC_HISTOGRAM, "h").unwrap();
    for id in [counter, gauge, histogram] {
        assert_eq!(own.record(id, f64::NAN), Err(Fault::Invalid));
        assert_eq!(own.record(id, f64::INFINITY), Err(Fault::Invalid));
        assert_eq!(own.record(id, 1.5), Ok(()));
    }
    assert_eq!((own.record(counter, -1.0), own.record(gauge, -1.0)), (Err(Fault::Invalid), Ok(())));
    assert_eq!((own.record(3, 1.0), own.record(u32::MAX, 1.0)), (Err(Fault::Invalid), Err(Fault::Invalid)));
}
