//! Panics wherever an author's code runs: none leaves the library, and the next call is as good as ever.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{bench, call, fine};
use crate::glue::Plugin;
use crate::prelude::*;
use crate::testing::{Bench, Fault};

/// Panics when it is dropped, unless that is told to stop.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("the bomb went off");
    }
}

#[test]
fn a_panic_of_the_handler_is_the_calls_answer() {
    let mut panics = bench(|call, device| {
        Box::pin(async move {
            let args: Value = call.args()?;
            if args["panic"] == json!("at once") {
                panic!("at once");
            }
            let reply = device.call(&args).await?;
            if args["panic"] == json!("later") {
                panic!("after {}", reply.code);
            }
            Ok(reply)
        })
    });

    for (when, said) in [("at once", "at once"), ("later", "after 200")] {
        let failed = panics.call("s", json!({ "panic": when })).unwrap_err();
        assert_eq!((failed.code(), failed.message()), (None, said));
    }
    assert!(panics.call("s", json!({ "panic": "never" })).is_ok());
}

#[test]
fn a_panic_while_a_future_is_dropped_stays_inside() {
    let mut panics = bench(|_, device| {
        Box::pin(async move {
            let _bomb = Bomb;
            Ok(device.call(&json!({})).await?)
        })
    })
    .device(|_| Err(Fault::Timeout));

    // The deadline comes, and the host drops the call.
    assert_eq!(call(&mut panics).unwrap_err().message(), "the call's deadline passed");
    assert_eq!(call(&mut panics).unwrap_err().message(), "the call's deadline passed");
}

#[test]
fn a_panic_while_a_finished_future_is_dropped_is_told() {
    let mut panics = bench(|_, _| {
        Box::pin(async move {
            let bomb = Bomb;
            let answer = fine();
            drop(bomb);
            answer
        })
    });

    assert_eq!(call(&mut panics).unwrap_err().message(), "the bomb went off");
}

#[test]
fn a_payload_that_panics_when_it_is_dropped_stays_inside() {
    let mut panics = bench(|_, _| Box::pin(async { std::panic::panic_any(Bomb) }));

    assert_eq!(call(&mut panics).unwrap_err().message(), "a panic without words");
    assert_eq!(call(&mut panics).unwrap_err().message(), "a panic without words");
}

/// Panics in all that is not `handle`.
struct Elsewhere;

static DROPPED: AtomicBool = AtomicBool::new(false);

impl Handler for Elsewhere {
    fn encode(&self, _message: CodecInput<'_>) -> Result<Vec<u8>, String> {
        panic!("in encode");
    }

    fn decode(&self, _message: CodecInput<'_>) -> Result<Vec<u8>, String> {
        panic!("in decode");
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        DROPPED.store(true, Ordering::Relaxed);
        panic!("in destroy");
    }
}

#[test]
fn panics_outside_of_calls_stay_inside() {
    let elsewhere = Bench::new(Elsewhere);

    assert_eq!(elsewhere.encode("s", &json!({})).unwrap_err(), "in encode");
    assert_eq!(elsewhere.decode(&[1]).unwrap_err(), "in decode");
    drop(elsewhere);
    assert!(DROPPED.load(Ordering::Relaxed));
}

struct Unmade;

impl Handler for Unmade {}

impl Plugin for Unmade {
    const TOKIO: bool = false;

    fn create(setup: Setup<'_>) -> Result<Self, String> {
        match setup.config::<Value>()?["fails"].as_bool() {
            Some(true) => Err("it does not want to".to_owned()),
            _ => panic!("in create"),
        }
    }
}

#[test]
fn what_create_says_or_panics_refuses_the_plugin() {
    assert_eq!(Bench::<Unmade>::create(&json!({ "fails": true })).err().unwrap(), "it does not want to");
    assert_eq!(Bench::<Unmade>::create(&json!({})).err().unwrap(), "panicked: in create");
}
