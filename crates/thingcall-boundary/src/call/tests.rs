//! The order of what happens to a call, and that each thing happens once.

use std::ffi::c_void;
use std::pin::{Pin, pin};
use std::sync::mpsc;
use std::task::Context;
use std::time::Duration;

use thingcall_core::{Answer, CallError};
use thingcall_plugin::abi::{CallResult, E_CANCELLED, E_INVAL, E_LIMIT, E_OFFLINE, E_PANIC, E_STALE, E_TIMEOUT, OK};

use super::*;
use crate::terms::Terms;
use crate::testbench::{BEGUN, Begun, Bench, Event, FakeDevice, bench, inline, pooled, replied, script};

mod model;
mod race;

/// Both ways to run a plugin.
fn both() -> [Terms; 2] {
    [pooled(), inline()]
}

fn has_ended(events: &[Event]) -> bool {
    matches!(events.last(), Some(Event::End(..)))
}

/// Waits for `end` and gives what happened, without tokens.
fn told(bench: &Bench) -> Vec<String> {
    bench.script.wait_for(has_ended);
    let name = |event: &Event| match event {
        Event::Begin(_) => "begin".to_owned(),
        Event::Poll(_) => "poll".to_owned(),
        Event::Done(tag, status) => format!("done {tag} {status}"),
        Event::End(_, reason) => format!("end {reason}"),
        Event::Destroy => "destroy".to_owned(),
    };
    bench.script.events().iter().map(name).collect()
}

#[tokio::test]
async fn a_reply_goes_to_done_and_the_answer_of_done_to_the_caller() {
    for settings in both() {
        let bench = bench(
            script(|script, token, _| {
                let number = script.forward(token, r#"{"b":2}"#, 0, 1, move |script, told| {
                    assert_eq!((told.status, told.code, told.data.as_str()), (OK, 200, r#"{"b":2}"#));
                    assert_eq!(script.complete(token, OK, 201, &told.data), OK);
                });
                assert!(number > 0);
                BEGUN
            }),
            settings,
        );
        let device = FakeDevice::echo();
        assert_eq!(bench.call(&device).await, Ok(replied(201, r#"{"b":2}"#)));
        assert_eq!(*device.asked.lock().unwrap(), [r#"{"b":2}"#]);
        assert_eq!(told(&bench), ["begin", "done 1 0", "end 0"]);
    }
}

#[tokio::test]
async fn what_is_open_when_the_call_is_answered_is_cancelled_before_end() {
    for settings in both() {
        let bench = bench(
            script(|script, token, _| {
                script.forward(token, "{}", 0, 1, |_, _| {});
                script.timer(token, 60_000, 2, |_, _| {});
                script.complete(token, OK, 200, "");
                BEGUN
            }),
            settings,
        );
        assert_eq!(bench.call(&FakeDevice::silent()).await, Ok(replied(200, "{}")));
        let mut told = told(&bench);
        told[1..3].sort();
        assert_eq!(told, ["begin", "done 1 -4", "done 2 -4", "end 0"]);
    }
}

#[tokio::test]
async fn the_first_answer_wins_and_later_ones_are_stale_and_counted() {
    for settings in both() {
        let bench = bench(
            script(|script, token, _| {
                let codes = [200, 500, 500].map(|code| script.complete(token, OK, code, ""));
                assert_eq!(codes, [OK, E_STALE, E_STALE]);
                assert_eq!((script.wake(token), script.cancel(token, 1)), (E_STALE, E_STALE));
                assert_eq!(script.forward(token, "{}", 0, 1, |_, _| {}), E_STALE);
                assert_eq!(script.timer(token, 1, 1, |_, _| {}), E_STALE);
                BEGUN
            }),
            settings,
        );
        assert_eq!(bench.call(&FakeDevice::silent()).await, Ok(replied(200, "{}")));
        assert_eq!(told(&bench), ["begin", "end 0"]);
        assert_eq!(bench.metric(r#"thingcall_plugin_stale_total{plugin="bench"}"#), 2.0);
    }
}

#[tokio::test]
async fn a_thread_of_the_plugin_may_answer_after_begin_returned() {
    for settings in both() {
        let bench = bench(
            script(|script, token, _| {
                let own = script.clone();
                std::thread::spawn(move || {
                    own.wait_for(|events| matches!(events, [Event::Begin(_)]));
                    assert_eq!(own.complete(token, OK, 200, r#"{"late":1}"#), OK);
                    assert_eq!(own.complete(token, OK, 200, ""), E_STALE);
                });
                // No state, no operation: the token alone is kept.
                Begun(OK, false)
            }),
            settings,
        );
        assert_eq!(bench.call(&FakeDevice::silent()).await, Ok(replied(200, r#"{"late":1}"#)));
    }
}

#[tokio::test]
async fn a_wake_from_anywhere_is_a_poll() {
    for settings in both() {
        let mut woken = script(|script, token, _| {
            let own = script.clone();
            std::thread::spawn(move || assert_eq!(own.wake(token), OK));
            BEGUN
        });
        woken.poll = Box::new(|script, token| {
            let polls = script.events().iter().filter(|event| matches!(event, Event::Poll(_))).count();
            let status = if polls < 3 { script.wake(token) } else { script.complete(token, OK, 200, "") };
            assert_eq!(status, OK);
        });
        let bench = bench(woken, settings);
        assert_eq!(bench.call(&FakeDevice::silent()).await, Ok(replied(200, "{}")));
        assert_eq!(told(&bench), ["begin", "poll", "poll", "poll", "end 0"]);
    }
}

#[tokio::test]
async fn a_caller_who_hangs_up_cancels_everything_once() {
    for settings in both() {
        let bench = bench(
            script(|script, token, _| {
                script.forward(token, "{}", 0, 1, move |script, _| {
                    // The token is stale before the first cancellation is told.
                    assert_eq!(script.complete(token, OK, 200, ""), E_STALE);
                    assert_eq!(script.forward(token, "{}", 0, 9, |_, _| {}), E_STALE);
                });
                BEGUN
            }),
            settings,
        );
        let device = FakeDevice::silent();
        let asked = async {
            while device.asked.lock().unwrap().is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            biased;
            answer = bench.call(&device) => panic!("{answer:?}"),
            () = asked => {}
        }
        assert_eq!(told(&bench), ["begin", "done 1 -4", "end -4"]);
        bench.generation.clone().retire().await;
        assert_eq!((bench.generation.calls_in_flight(), bench.ended("cancelled")), (0, 1.0));
    }
}

#[tokio::test]
async fn a_call_that_never_began_is_never_begun() {
    let (unblock, blocked) = mpsc::channel::<()>();
    let blocked = Mutex::new(blocked);
    let mut settings = pooled();
    settings.threads = 1;
    let bench = bench(
        script(move |script, token, _| {
            let _ = blocked.lock().unwrap().recv();
            script.complete(token, OK, 200, "");
            BEGUN
        }),
        settings,
    );
    let device = FakeDevice::silent();
    let first = bench.call(&device);
    tokio::pin!(first);
    let begun = tokio::task::spawn_blocking({
        let script = bench.script.clone();
        move || script.wait_for(|events| !events.is_empty())
    });
    tokio::select! { _ = &mut first => panic!("it is blocked"), begun = begun => begun.unwrap() }
    {
        let second = bench.call(&device);
        tokio::pin!(second);
        // Polled once, then dropped while the only thread is blocked: nobody waits for the thread.
        tokio::select! { biased; _ = &mut second => panic!("it is blocked"), () = std::future::ready(()) => {} }
    }
    assert_eq!(bench.generation.calls_in_flight(), 2);
    unblock.send(()).unwrap();
    assert_eq!(first.await, Ok(replied(200, "{}")));
    assert!(bench.generation.clone().retire().await);
    assert_eq!(told_begins(&bench), 1);
}

fn told_begins(bench: &Bench) -> usize {
    bench.script.events().iter().filter(|event| matches!(event, Event::Begin(_))).count()
}

#[tokio::test]
async fn the_65th_operation_is_one_too_many() {
    for settings in both() {
        let bench = bench(
            script(|script, token, _| {
                let numbers: Vec<i32> = (0..66).map(|tag| script.timer(token, 60_000, tag, |_, _| {})).collect();
                assert!(numbers[..64].iter().all(|number| *number > 0));
                assert_eq!(numbers[64..], [E_LIMIT, E_LIMIT]);
                assert_eq!(script.cancel(token, 999), E_INVAL);
                script.complete(token, OK, 200, "");
                BEGUN
            }),
            settings,
        );
        bench.call(&FakeDevice::silent()).await.unwrap();
        assert_eq!(told(&bench).len(), 1 + 64 + 1);
    }
}

#[tokio::test]
async fn a_given_up_operation_is_told_so_and_its_device_is_not_asked() {
    for settings in both() {
        let bench = bench(
            script(|script, token, _| {
                let number = script.forward(token, "{}", 0, 1, move |script, told| {
                    assert_eq!(told.status, E_CANCELLED);
                    script.complete(token, OK, 200, "");
                });
                assert_eq!((script.cancel(token, number), script.cancel(token, number)), (OK, OK));
                BEGUN
            }),
            settings,
        );
        assert_eq!(bench.call(&FakeDevice::silent()).await, Ok(replied(200, "{}")));
        assert_eq!(told(&bench), ["begin", "done 1 -4", "end 0"]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_given_up_ends_alone_whichever_was_first() {
    let bench = bench(
        script(|script, token, _| {
            let first = script.timer(token, 60_000, 1, |_, told| assert_eq!(told.status, E_CANCELLED));
            let second = script.timer(token, 60_000, 2, |_, told| assert_eq!(told.status, E_CANCELLED));
            script.timer(token, 2_000, 3, move |script, _| {
                script.complete(token, OK, 200, "");
            });
            script.timer(token, 1_000, 4, move |script, _| {
                assert_eq!((script.cancel(token, first), script.cancel(token, second)), (OK, OK));
            });
            BEGUN
        }),
        inline(),
    );
    let began = Instant::now();
    assert_eq!(bench.call(&FakeDevice::silent()).await, Ok(replied(200, "{}")));
    assert_eq!(began.elapsed(), Duration::from_secs(2));
    assert_eq!(told(&bench), ["begin", "done 4 0", "done 1 -4", "done 2 -4", "done 3 0", "end 0"]);
}

#[tokio::test]
async fn a_bad_status_of_begin_ends_the_call_and_an_invented_one_is_internal() {
    for (status, end) in [(E_LIMIT, -3), (E_PANIC, -7), (-77, -9), (i32::MIN, -9)] {
        for settings in both() {
            let bench = bench(script(move |_, _, _| Begun(status, true)), settings);
            let answer = bench.call(&FakeDevice::silent()).await;
            assert!(matches!(answer, Err(CallError::Plugin { .. })), "{answer:?}");
            assert_eq!(told(&bench), ["begin".to_owned(), format!("end {end}")]);
        }
    }
}

#[tokio::test]
async fn errors_of_the_device_reach_the_plugin_as_statuses_and_the_caller_unchanged() {
    let offline = CallError::Offline("pk1/dev1".to_owned());
    for settings in both() {
        let bench = bench(
            script(|script, token, _| {
                script.forward(token, "{}", 0, 1, move |script, told| {
                    assert_eq!((told.status, told.code), (E_OFFLINE, 0));
                    assert!(told.message.contains("is offline"));
                    script.complete(token, told.status, 0, "");
                });
                BEGUN
            }),
            settings,
        );
        let error = offline.clone();
        let device = FakeDevice::new(move |_| std::future::ready(Err(error.clone())));
        assert_eq!(bench.call(&device).await, Err(offline.clone()));
    }
}

/// A call in which the plugin has done nothing yet, and its actor.
fn held(bench: &Bench, driver: Pin<&mut (dyn Future<Output = Result<Answer, CallError>> + Send)>) -> Arc<CallActor> {
    assert!(driver.poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let Some(Event::Begin(token)) = bench.script.events().last().cloned() else { panic!("not begun") };
    CallActor::named(token).unwrap()
}

#[tokio::test]
async fn who_found_the_call_before_its_end_finds_it_over() {
    let bench = bench(script(|_, _, _| BEGUN), inline());
    let device = FakeDevice::silent();
    let mut driver = pin!(bench.call(&device));
    let actor = held(&bench, driver.as_mut());
    let answer = || Completion::Answered { code: 200, message: None, data: "{}".to_owned() };
    let stale = Err(Fault::Stale);
    assert_eq!([actor.complete(answer()), actor.complete(answer()), actor.wake()], [Ok(()), stale, stale]);
    extern "C" fn never(_: *mut c_void, _: *const CallResult) {
        std::process::abort();
    }
    let order = actor.order(Ordered::Timer(Duration::ZERO), never, Foreign::NULL);
    assert_eq!((order, actor.clone().cancel(1)), (Err(Fault::Stale), stale));
    actor.shut_down();
    assert_eq!(driver.await, Ok(replied(200, "{}")));
    assert_eq!(told(&bench), ["begin", "end 0"]);
}

#[tokio::test]
async fn what_comes_in_before_the_driver_waits_keeps_it_awake() {
    let bench = bench(script(|_, _, _| BEGUN), inline());
    let device = FakeDevice::silent();
    let mut driver = pin!(bench.call(&device));
    let actor = held(&bench, driver.as_mut());
    let waits = || actor.park(Waker::noop());
    assert!(waits());
    assert_eq!(actor.wake(), Ok(()));
    assert!(!waits(), "a poll is asked for");
    let mut out = Exchange::default();
    assert_eq!(actor.exchange(&mut out), More::No);
    assert!(waits());
    actor.ended_later(77, OperationEnd::Fired);
    assert!(!waits(), "an end is to be told");
    assert_eq!(actor.exchange(&mut out), More::No);
    let Some(Event::Poll(token)) = bench.script.events().last().cloned() else { panic!("not polled") };
    bench.script.timer(token, 60_000, 1, |_, _| {});
    assert!(!waits(), "a timer is to be started");
    assert_eq!(actor.exchange(&mut out), More::No);
    assert!(out.completion.is_none() && out.orders.len() == 1 && waits());
    assert_eq!((bench.script.cancel(token, 1), bench.script.cancel(token, 1)), (OK, OK));
    assert!(!waits(), "a timer is given up");
    out.orders.clear();
    assert_eq!(actor.exchange(&mut out), More::No);
    assert!(out.completion.is_none() && out.given_up.as_slice() == [1] && waits());
    bench.script.complete(token, OK, 200, "");
    assert!(!waits(), "there is an answer");
}

#[tokio::test(start_paused = true)]
async fn at_the_deadline_the_plugin_is_told_so() {
    let bench = bench(script(|_, _, _| BEGUN), inline());
    let device = FakeDevice::silent();
    assert!(tokio::time::timeout(Duration::from_secs(8), bench.call(&device)).await.is_err());
    assert_eq!(told(&bench), ["begin".to_owned(), format!("end {E_TIMEOUT}")]);
    assert_eq!((bench.generation.calls_in_flight(), bench.ended("timeout")), (0, 1.0));
}
