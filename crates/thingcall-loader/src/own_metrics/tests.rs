//! Plugins' own metrics.

use prometheus::Registry;
use thingcall_plugin::abi::METRIC_COUNTER as COUNTER;

use super::*;

fn metrics() -> (Registry, Metrics) {
    let registry = Registry::new();
    let metrics = Metrics::register(&registry).unwrap();
    (registry, metrics)
}

impl OwnMetrics {
    fn defined(&self, metrics: &Metrics, plugin: &str, kind: u32, name: &str) -> Result<u32, i32> {
        self.define(metrics, plugin, &Definition { kind, name: name.to_owned(), help: String::new() })
    }
}

fn text(registry: &Registry) -> String {
    prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap()
}

#[test]
fn a_name_is_the_plugins_and_sanitised() {
    let (registry, metrics) = metrics();
    let own = OwnMetrics::new();
    let id = own.defined(&metrics, "test-fb", COUNTER, "odd name!").unwrap();
    assert_eq!(own.record(id, 2.0), OK);
    assert!(text(&registry).contains("\nthingcall_plugin_test_fb_odd_name_ 2\n"));
}

#[test]
fn a_later_generation_goes_on_with_the_same_series_and_may_not_change_its_kind() {
    let (registry, metrics) = metrics();
    for _ in 0..2 {
        let own = OwnMetrics::new();
        let id = own.defined(&metrics, "p", COUNTER, "asked_total").unwrap();
        own.record(id, 1.0);
        assert_eq!(OwnMetrics::new().defined(&metrics, "p", METRIC_GAUGE, "asked_total"), Err(E_INVAL));
    }
    assert!(text(&registry).contains("\nthingcall_plugin_p_asked_total 2\n"));
}

#[test]
fn nothing_is_defined_after_create() {
    let (_, metrics) = metrics();
    let own = OwnMetrics::new();
    own.freeze();
    assert_eq!(own.defined(&metrics, "p", COUNTER, "n"), Err(E_STALE));
}

#[test]
fn a_plugin_gets_32_metrics_over_all_its_generations() {
    let (_, metrics) = metrics();
    let own = OwnMetrics::new();
    for n in 0..32 {
        assert_eq!(own.defined(&metrics, "p", COUNTER, &format!("n{n}")), Ok(n));
    }
    assert_eq!(own.defined(&metrics, "p", COUNTER, "n32"), Err(E_LIMIT));
    assert_eq!(OwnMetrics::new().defined(&metrics, "p", COUNTER, "n32"), Err(E_LIMIT));
    assert_eq!(OwnMetrics::new().defined(&metrics, "other", COUNTER, "n32"), Ok(0));
}

#[test]
fn a_plugin_gets_neither_the_hosts_names_nor_another_plugins() {
    let (_, metrics) = metrics();
    let own = OwnMetrics::new();
    assert_eq!(own.defined(&metrics, "images", METRIC_GAUGE, "resident"), Err(E_INVAL));
    assert_eq!(own.defined(&metrics, "a", COUNTER, "b_c"), Ok(0));
    assert_eq!(OwnMetrics::new().defined(&metrics, "a-b", COUNTER, "c"), Err(E_INVAL));
    for name in ["", &"x".repeat(NAME_BYTES_MAX + 1)] {
        assert_eq!(own.defined(&metrics, "a", COUNTER, name), Err(E_INVAL));
    }
    assert_eq!(own.defined(&metrics, "a", 9, "kind"), Err(E_INVAL));
}

#[test]
fn values_that_are_none_are_refused() {
    let (_, metrics) = metrics();
    let own = OwnMetrics::new();
    let counter = own.defined(&metrics, "p", COUNTER, "c").unwrap();
    let gauge = own.defined(&metrics, "p", METRIC_GAUGE, "g").unwrap();
    let histogram = own.defined(&metrics, "p", METRIC_HISTOGRAM, "h").unwrap();
    for id in [counter, gauge, histogram] {
        assert_eq!(own.record(id, f64::NAN), E_INVAL);
        assert_eq!(own.record(id, f64::INFINITY), E_INVAL);
        assert_eq!(own.record(id, 1.5), OK);
    }
    assert_eq!((own.record(counter, -1.0), own.record(gauge, -1.0)), (E_INVAL, OK));
    assert_eq!((own.record(3, 1.0), own.record(u32::MAX, 1.0)), (E_INVAL, E_INVAL));
}
