//! How many lines pass.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use prometheus::{Registry, TextEncoder};
use tokio::time::Instant;
use tracing::{Event, Subscriber, info, warn};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use super::{Limit, WINDOW};

/// Counts what passes.
#[derive(Clone, Default)]
struct Passed(Arc<Mutex<usize>>);

impl<S: Subscriber> Layer<S> for Passed {
    fn on_event(&self, _: &Event<'_>, _: Context<'_, S>) {
        *self.0.lock().expect("no panic") += 1;
    }
}

impl Passed {
    fn taken(&self) -> usize {
        std::mem::take(&mut *self.0.lock().expect("no panic"))
    }
}

fn limited(lines_max: u32, run: impl FnOnce(&Limit, &Passed)) -> String {
    let (registry, passed) = (Registry::new(), Passed::default());
    let limit = Limit::new(lines_max, &registry).expect("a new registry");
    let subscriber = tracing_subscriber::registry().with(limit.clone()).with(passed.clone());
    tracing::subscriber::with_default(subscriber, || run(&limit, &passed));
    TextEncoder::new().encode_to_string(&registry.gather()).expect("text")
}

fn later() -> Instant {
    Instant::now() + WINDOW + Duration::from_millis(1)
}

#[test]
fn lines_of_a_kind_are_limited_and_those_left_out_are_told_once() {
    let metrics = limited(3, |limit, passed| {
        for number in 0..10 {
            info!(number, "connect refused");
        }
        assert_eq!(passed.taken(), 3);
        assert!(limit.closed(Instant::now()).is_empty(), "the second is not over");
        assert_eq!(limit.closed(later()), [(7, "connect refused".to_owned())]);
        assert!(limit.closed(later()).is_empty());
    });
    assert!(metrics.contains("thingcall_log_messages_left_out_total{level=\"info\"} 7"), "{metrics}");
}

#[test]
fn one_kind_does_not_silence_another() {
    limited(1, |_, passed| {
        for _ in 0..5 {
            info!("one");
        }
        warn!("another");
        assert_eq!(passed.taken(), 2);
    });
}

#[test]
fn plugins_have_lines_of_their_own() {
    limited(1, |_, passed| {
        for plugin in ["a", "a", "a", "b"] {
            info!(plugin, "said");
        }
        assert_eq!(passed.taken(), 2);
    });
}

#[test]
fn lines_pass_again_in_the_next_second() {
    limited(1, |limit, passed| {
        for _ in 0..2 {
            for _ in 0..5 {
                info!("again");
            }
            assert_eq!(passed.taken(), 1);
            assert_eq!(limit.closed(later()).len(), 1);
        }
    });
}
