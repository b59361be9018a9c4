//! The last value of each property.

use std::num::NonZeroUsize;

use thingcall_core::{LastValue, LastValues};
use thingcall_tsl::Directory;

use super::*;

fn value(property: &str, value: &str, at: i64) -> LastValue {
    LastValue { property: property.to_owned(), value: value.to_owned(), at: UnixMillis(at) }
}

#[tokio::test]
async fn the_newest_value_by_its_time_is_kept_whichever_came_first() {
    let bench = bench().await.with_devices(&["d1", "d2"]).await;
    let last = [value("m:p", "\"x\"", 5), value("p", "2", 9)];
    for round in [[value("p", "1", 7), value("m:p", "\"x\"", 5)], [value("p", "2", 9), value("m:p", "0", 4)]] {
        assert!(bench.store.keep(&key("d1"), round.to_vec()));
    }
    assert_eq!(bench.store.of(&key("d1")).await.unwrap(), last, "before it is written");
    bench.store.flush().await;
    assert_eq!(bench.ask("SELECT value FROM last_values ORDER BY property").await, ["\"x\"", "2"]);
    assert!(bench.store.keep(&key("d1"), vec![value("p", "1", 8), value("q", "[]", 1)]));
    bench.store.flush().await;
    let bench = bench.reopened().await;
    let after = [last[0].clone(), last[1].clone(), value("q", "[]", 1)];
    assert_eq!(bench.store.of(&key("d1")).await.unwrap(), after);
    assert!(bench.store.of(&key("d2")).await.unwrap().is_empty());
}

#[tokio::test]
async fn values_go_with_their_device() {
    let bench = bench().await.with_devices(&["d1"]).await;
    assert!(bench.store.keep(&key("d1"), vec![value("p", "1", 7)]));
    bench.store.flush().await;
    bench.store.remove(&key("d1")).await.unwrap();
    assert!(bench.store.of(&key("d1")).await.unwrap().is_empty());
    assert!(bench.store.keep(&key("d1"), vec![value("p", "1", 8)]));
    bench.store.flush().await;
    assert!(bench.store.of(&key("d1")).await.unwrap().is_empty(), "of who is not there nothing is kept");
}

#[tokio::test]
async fn no_more_values_wait_than_may() {
    let unwritten_values_max = NonZeroUsize::new(1).unwrap();
    let bench = bench_with(Config { unwritten_values_max, ..Config::default() }).await.with_devices(&["d1"]).await;
    // Nothing is written meanwhile.
    let side = bench.store.shared().write.lock().await;
    assert!(bench.store.keep(&key("d1"), vec![value("p", "1", 7)]));
    assert!(bench.store.keep(&key("d1"), vec![value("p", "2", 8)]), "another value of the same takes no room");
    assert!(!bench.store.keep(&key("d1"), vec![value("q", "1", 7)]));
    drop(side);
    bench.store.flush().await;
    assert!(bench.store.keep(&key("d1"), vec![value("q", "1", 7)]), "there is room again");
    assert_eq!(bench.store.of(&key("d1")).await.unwrap(), [value("p", "2", 8), value("q", "1", 7)]);
}

#[tokio::test]
async fn no_more_bytes_of_values_wait_than_may_and_large_ones_are_written_in_parts() {
    let large = |at| value("p", &format!("\"{}\"", "x".repeat(1024 * 1024)), at);
    let unwritten_values_bytes_max = NonZeroUsize::new(8 * 1024 * 1024).unwrap();
    let names: Vec<String> = (0..9).map(|number| format!("d{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let bench = bench_with(Config { unwritten_values_bytes_max, ..Config::default() }).await.with_devices(&names).await;
    let side = bench.store.shared().write.lock().await;
    let kept = names.iter().filter(|name| bench.store.keep(&key(name), vec![large(7)])).count();
    assert_eq!(kept, 7, "each has a little more than its bytes");
    assert!(bench.store.keep(&key("d0"), vec![large(8)]), "instead of the one before");
    assert!(bench.store.shared().unkept.bytes() > 7 * 1024 * 1024);
    drop(side);
    bench.store.flush().await;
    assert_eq!((bench.store.shared().unkept.len(), bench.store.shared().unkept.bytes()), (0, 0));
    assert_eq!(bench.ask("SELECT count(*) FROM last_values").await, ["7"]);
}

#[tokio::test]
async fn of_a_device_no_more_values_are_kept_than_may_and_none_with_a_long_name() {
    let (last_values_per_device_max, last_value_name_bytes_max) =
        (NonZeroUsize::new(2).unwrap(), NonZeroUsize::new(3).unwrap());
    let config = Config { last_values_per_device_max, last_value_name_bytes_max, ..Config::default() };
    let bench = bench_with(config).await.with_devices(&["d1", "d2"]).await;
    let registry = prometheus::Registry::new();
    bench.store.show_metrics(&registry).unwrap();
    let keep = async |device: &str, values: &[LastValue]| {
        assert!(bench.store.keep(&key(device), values.to_vec()));
        bench.store.flush().await;
    };
    keep("d1", &[value("a", "1", 1), value("long", "1", 1)]).await;
    keep("d1", &(0..600).map(|number| value(&format!("{number:03}"), "1", 1)).collect::<Vec<_>>()).await;
    keep("d1", &[value("a", "2", 2), value("b", "1", 1)]).await;
    keep("d2", &[value("abc", "1", 1), value("b", "1", 1)]).await;
    let (d1, d2) = (bench.store.of(&key("d1")).await.unwrap(), bench.store.of(&key("d2")).await.unwrap());
    assert_eq!((d1.len(), &d1[1]), (2, &value("a", "2", 2)), "what was there first stays, and changes");
    assert_eq!(d2, [value("abc", "1", 1), value("b", "1", 1)], "each device has room of its own");
    bench.store.refresh_metrics();
    let text = prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
    for line in [
        "thingcall_store_last_values_per_device_limit 2",
        "thingcall_store_last_values_left_out_total{limit=\"device\"} 600",
        "thingcall_store_last_values_left_out_total{limit=\"name\"} 1",
    ] {
        assert!(text.lines().any(|told| told == line), "{line} is not in\n{text}");
    }
}
