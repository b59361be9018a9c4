//! The engine's side of a call.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use thingcall_core::{Answer, CallError, CallMode, Executed};
use thingcall_plugin::abi::{CODE_ACCEPTED, E_TIMEOUT, OK, Token};
use tokio::time::{Instant, sleep};

use crate::testbench::{BEGUN, FakeDevice, Script, bench, inline, pooled, replied, script};

fn forever(script: &Arc<Script>, token: Token) {
    script.forward(token, "{}", 0, 1, move |script, _| forever(script, token));
}

#[tokio::test(start_paused = true)]
async fn a_plugin_that_asks_a_quick_device_for_ever_meets_its_deadline() {
    let bench = bench(
        script(|script, token, _| {
            forever(script, token);
            BEGUN
        }),
        inline(),
    );
    // Real time passes in no await: the timer is looked at only if the driver gives way.
    let turns = Arc::new(AtomicU32::new(0));
    let counted = turns.clone();
    let device = FakeDevice::new(move |_| {
        let turn = counted.fetch_add(1, Ordering::Relaxed);
        assert!(turn < 1_000_000, "the driver never gives way");
        std::future::ready(Ok(replied(200, "{}")))
    });
    let call = bench.call(&device);
    tokio::pin!(call);
    tokio::select! {
        biased;
        answer = &mut call => panic!("{answer:?}"),
        () = async { while turns.load(Ordering::Relaxed) < 100 { tokio::task::yield_now().await } } => {}
    }
}

#[tokio::test(start_paused = true)]
async fn a_forwards_own_timeout_ends_it_alone_and_the_plugin_may_ask_again() {
    let bench = bench(
        script(|script, token, _| {
            script.forward(token, r#"{"try":1}"#, 50, 1, move |script, told| {
                assert_eq!(told.status, E_TIMEOUT);
                script.forward(token, r#"{"try":2}"#, 0, 2, move |script, told| {
                    script.complete(token, told.status, told.code, &told.data);
                });
            });
            BEGUN
        }),
        inline(),
    );
    let device = FakeDevice::new(|command| async move {
        if command.params.as_str().contains('1') {
            std::future::pending::<()>().await;
        }
        Ok(replied(200, command.params.as_str()))
    });
    let began = Instant::now();
    assert_eq!(bench.call(&device).await, Ok(replied(200, r#"{"try":2}"#)));
    assert_eq!(began.elapsed().as_millis(), 50);
}

#[tokio::test(start_paused = true)]
async fn a_forwards_timeout_passed_on_is_a_timeout_for_the_caller() {
    let bench = bench(
        script(|script, token, _| {
            script.forward(token, "{}", 50, 1, move |script, told| {
                script.complete(token, told.status, 0, "");
            });
            BEGUN
        }),
        inline(),
    );
    let timeout = CallError::Timeout { device: "pk1/dev1".to_owned(), waited_ms: 50, hint: None };
    assert_eq!(bench.call(&FakeDevice::silent()).await, Err(timeout));
}

#[tokio::test(start_paused = true)]
async fn a_timer_fires_when_its_time_has_passed() {
    let bench = bench(
        script(|script, token, _| {
            script.timer(token, 300, 1, move |script, told| {
                script.complete(token, told.status, 200, "");
            });
            BEGUN
        }),
        inline(),
    );
    let began = Instant::now();
    assert_eq!(bench.call(&FakeDevice::silent()).await, Ok(replied(200, "{}")));
    assert_eq!(began.elapsed(), Duration::from_millis(300));
}

#[tokio::test]
async fn an_asynchronous_command_is_done_when_it_is_durable() {
    for settings in [pooled(), inline()] {
        let bench = bench(
            script(|script, token, _| {
                script.forward(token, "{}", 0, 1, move |script, told| {
                    assert_eq!((told.status, told.code, told.data.as_str()), (OK, CODE_ACCEPTED, "{}"));
                    script.complete(token, OK, told.code, "");
                });
                BEGUN
            }),
            settings,
        );
        let device = FakeDevice::new(|_| std::future::ready(Ok(Answer::Accepted)));
        assert_eq!(bench.call_as(CallMode::Async, &device).await, Ok(Answer::Accepted));
    }
}

#[tokio::test(start_paused = true)]
async fn the_time_of_its_device_is_not_the_plugins_own() {
    let bench = bench(
        script(|script, token, _| {
            script.forward(token, "{}", 0, 1, move |script, told| {
                script.timer(token, 250, 2, move |script, _| {
                    script.complete(token, OK, 200, "");
                });
                assert_eq!(told.status, OK);
            });
            BEGUN
        }),
        inline(),
    );
    let device = FakeDevice::new(|_| async {
        sleep(Duration::from_secs(2)).await;
        Ok(replied(200, "{}"))
    });
    assert!(bench.call(&device).await.is_ok());

    let sum = |name: &str| bench.metric(&format!(r#"thingcall_plugin_{name}_sum{{plugin="bench"}}"#));
    let (whole, own) = (sum("call_duration_seconds"), sum("own_seconds"));
    assert!((2.25..2.5).contains(&whole), "{whole}");
    assert!((0.25..0.5).contains(&own), "its timer is its own: {own}");
}

#[tokio::test]
async fn one_call_more_than_allowed_is_turned_away_with_the_plugins_name() {
    let mut settings = inline();
    settings.calls_in_flight_max = 1;
    let bench = bench(script(|_, _, _| BEGUN), settings);
    let device = FakeDevice::silent();
    let first = bench.call(&device);
    tokio::pin!(first);
    tokio::select! { biased; _ = &mut first => panic!("nobody answers"), () = std::future::ready(()) => {} }
    let answer = bench.call(&device).await;
    assert_eq!(answer, Err(CallError::Overloaded("plugin bench has 1 calls in flight".to_owned())));
    assert_eq!((bench.ended("busy"), bench.generation.calls_in_flight()), (1.0, 1));
}

#[tokio::test]
async fn a_plugin_that_is_gone_says_so() {
    let bench = bench(script(|_, _, _| BEGUN), inline());
    let handler = bench.generation.handler().unwrap();
    assert!(bench.generation.clone().retire().await);
    let call = crate::testbench::call(CallMode::Sync, "{}");
    let device = FakeDevice::silent();
    let answer = handler.handle(&call, &device).now_or_never();
    assert!(matches!(answer, Some(Err(CallError::Plugin { executed: Executed::No, .. }))), "{answer:?}");
}

#[tokio::test(start_paused = true)]
async fn a_deadline_met_while_the_device_was_asked_is_not_the_plugins_fault() {
    for (asked, silent, own) in [(true, 1.0, 0.0), (false, 0.0, 1.0)] {
        let begin = move |script: &Arc<Script>, token, _: &_| {
            if asked {
                script.forward(token, "{}", 0, 1, |_, _| ());
            }
            BEGUN
        };
        let bench = bench(script(begin), inline());
        let device = FakeDevice::silent();
        assert!(tokio::time::timeout(Duration::from_secs(8), bench.call(&device)).await.is_err());
        assert_eq!((bench.ended("device_timeout"), bench.ended("timeout")), (silent, own));
    }
}
