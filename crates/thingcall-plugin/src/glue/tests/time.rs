//! Sleeps, times of commands, deadlines, and what is given up.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::{bench, call, fine};
use crate::future::{join_all, select};
use crate::log::Level;
use crate::prelude::*;
use crate::testing::Fault;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_sleep_takes_its_time_from_the_call() {
    let mut sleeps = bench(|call, _| {
        Box::pin(async move {
            assert_eq!(call.remaining(), Some(8 * SECOND));
            call.sleep(3 * SECOND).await;
            assert_eq!(call.remaining(), Some(5 * SECOND));
            fine()
        })
    });

    assert!(call(&mut sleeps).is_ok());
}

#[test]
fn a_call_ends_at_its_deadline_and_drops_its_handler() {
    static DROPPED: AtomicUsize = AtomicUsize::new(0);
    struct Guard;
    impl Drop for Guard {
        fn drop(&mut self) {
            let _before = DROPPED.fetch_add(1, Ordering::Relaxed);
        }
    }
    let mut sleeps = bench(|call, device| {
        Box::pin(async move {
            let _guard = Guard;
            let _asked = select(Box::pin(device.call_json(b"{}", None)), Box::pin(call.sleep(9 * SECOND))).await;
            fine()
        })
    })
    .device(|_| Err(Fault::Timeout));

    assert_eq!(call(&mut sleeps).unwrap_err().message(), "the call's deadline passed");
    assert_eq!(DROPPED.load(Ordering::Relaxed), 1);
}

#[test]
fn a_command_with_a_time_of_its_own_may_be_sent_again() {
    let mut first = true;
    let mut asks = bench(|_, device| {
        Box::pin(async move {
            let failed = device.call_within(3 * SECOND, &json!({ "try": 1 })).await.unwrap_err();
            assert!(failed.is_timeout());
            Ok(device.call_within(3 * SECOND, &json!({ "try": 2 })).await?)
        })
    })
    .device(move |args| if std::mem::take(&mut first) { Err(Fault::Timeout) } else { Ok(args) });

    assert_eq!(call(&mut asks).unwrap().data::<Value>().unwrap(), json!({ "try": 2 }));
}

#[test]
fn commands_run_at_the_same_time() {
    let mut asks = bench(|call, device| {
        Box::pin(async move {
            let all = join_all((0..10).map(|_| device.call_json(b"{}", None))).await;
            assert!(all.iter().all(Result::is_ok));
            assert_eq!(call.remaining(), Some(3 * SECOND));
            fine()
        })
    })
    .takes(5 * SECOND);

    assert!(call(&mut asks).is_ok());
}

#[test]
fn a_dropped_operation_is_given_up() {
    // Were they not, the 65th would be refused.
    let mut drops = bench(|call, device| {
        Box::pin(async move {
            for _ in 0..200 {
                let silent = select(Box::pin(device.call_json(b"{}", None)), Box::pin(call.sleep(SECOND / 1000)));
                drop(silent.await);
            }
            fine()
        })
    })
    .device(|_| Err(Fault::Timeout));

    assert!(call(&mut drops).is_ok());
    assert_eq!(drops.asked().len(), 200);
}

#[test]
fn a_sleep_that_the_host_refuses_is_not_over_at_once() {
    let mut sleeps = bench(|call, device| {
        Box::pin(async move {
            let asked = join_all((0..64).map(|_| device.call_json(b"{}", None)));
            let _ended = select(asked, Box::pin(call.sleep(SECOND))).await;
            fine()
        })
    })
    .device(|_| Err(Fault::Timeout));

    assert_eq!(call(&mut sleeps).unwrap_err().message(), "the call's deadline passed");
    let line = "call.sleep: too many operations at once, or too large".to_owned();
    assert_eq!(sleeps.logged(), [(Level::Warn, line)]);
}
