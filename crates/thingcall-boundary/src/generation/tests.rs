//! A generation's life: create, calls, retire.
#![expect(unsafe_code, reason = "plays a plugin")]

use std::sync::Mutex;
use std::sync::mpsc::channel;

use prometheus::Registry;
use thingcall_core::{CallError, Executed};
use thingcall_plugin::abi::{Bytes, E_INVAL, E_SHUTDOWN, METRIC_COUNTER};

use super::*;
use crate::testbench::{BEGUN, Event, FakeDevice, Script, TABLE, bench, create_with, echo, inline, pooled};
use crate::testbench::{replied, script, try_bench};

#[tokio::test]
async fn an_echo_answers_on_its_pool_and_inline_and_is_destroyed_once() {
    for settings in [pooled(), inline()] {
        let bench = bench(echo(), settings);
        assert_eq!(bench.call(&FakeDevice::silent()).await, Ok(replied(200, r#"{"a":1}"#)));
        let script = bench.script.clone();
        script.wait_for(|events| matches!(events, [Event::Begin(_), Event::End(_, OK)]));
        assert_eq!(bench.ended("ok"), 1.0);
        assert_eq!(bench.metric(r#"thingcall_plugin_call_duration_seconds_count{plugin="bench"}"#), 1.0);
        assert!(bench.generation.retire().await);
        assert_eq!(script.events().last(), Some(&Event::Destroy));
        assert_eq!(script.events().len(), 3);
    }
}

#[tokio::test]
async fn a_create_that_says_no_is_quoted() {
    for settings in [pooled(), inline()] {
        let create = |script: &Arc<Script>, token, err: *mut abi::Out| {
            script.timer(token, 3_600_000, 1, |_, _| {});
            // SAFETY: readable bytes.
            unsafe { HOST.out_write.unwrap()(err, b"config says no".as_ptr(), 14) };
            E_INVAL
        };
        let (own, seen) = channel();
        let create = move |script: &Arc<Script>, token, err| {
            own.send(script.clone()).unwrap();
            create(script, token, err)
        };
        let refused = try_bench("no", Script { create: Box::new(create), ..echo() }, settings, Registry::new());
        let error = refused.err().unwrap();
        assert_eq!(error.to_string(), "create failed (-2): config says no");
        // What it had started is told all the same.
        assert_eq!(seen.recv().unwrap().events(), [Event::Done(1, abi::E_CANCELLED)]);
    }
}

#[tokio::test]
async fn a_table_without_what_it_needs_is_refused() {
    let refused = |table: abi::PluginApi| check(&table).unwrap_err().to_string();
    assert_eq!(refused(abi::PluginApi { create: None, ..TABLE }), "its table has no create");
    let neither = "its table has no begin, nor both encode and decode";
    assert_eq!(refused(abi::PluginApi { begin: None, encode: None, ..TABLE }), neither);
    assert_eq!(refused(abi::PluginApi { begin: None, decode: None, ..TABLE }), neither);
    assert!(check(&abi::PluginApi { begin: None, ..TABLE }).is_ok());
    assert!(check(&abi::PluginApi { encode: None, decode: None, destroy: None, poll: None, ..TABLE }).is_ok());
}

#[tokio::test]
async fn without_a_runtime_there_is_no_plugin() {
    let outside = std::thread::spawn(|| try_bench("p", echo(), pooled(), Registry::new()).err());
    assert!(matches!(outside.join().unwrap(), Some(CreateError::Host(_))));
}

#[tokio::test]
async fn retire_waits_for_calls_and_destroys_then() {
    for settings in [pooled(), inline()] {
        let bench = bench(
            script(|script, token, _| {
                script.forward(token, "{}", 0, 1, move |script, _| {
                    script.complete(token, OK, 200, "");
                });
                BEGUN
            }),
            settings,
        );
        let (answer, answered) = tokio::sync::oneshot::channel::<()>();
        let answered = Mutex::new(Some(answered));
        let device = FakeDevice::new(move |_| {
            let answered = answered.lock().unwrap().take().unwrap();
            async move {
                answered.await.unwrap();
                Ok(replied(200, "{}"))
            }
        });
        let call = bench.call(&device);
        tokio::pin!(call);
        tokio::select! { biased; _ = &mut call => panic!("too soon"), () = tokio::task::yield_now() => {} }
        let retired = bench.generation.clone().retire();
        tokio::pin!(retired);
        tokio::select! { biased; _ = &mut retired => panic!("too soon"), () = tokio::task::yield_now() => {} }
        assert_eq!(bench.generation.calls_in_flight(), 1);
        answer.send(()).unwrap();
        let (destroyed, told) = tokio::join!(retired, call);
        assert_eq!((destroyed, told), (true, Ok(replied(200, "{}"))));
        assert_eq!(bench.script.events().last(), Some(&Event::Destroy));
    }
}

#[tokio::test]
async fn calls_that_outlast_their_time_are_ended_and_their_callers_told() {
    for mut settings in [pooled(), inline()] {
        settings.retire_timeout = Duration::from_millis(20);
        let bench = bench(
            script(|script, token, _| {
                script.forward(token, "{}", 0, 1, |_, _| {});
                BEGUN
            }),
            settings,
        );
        let device = FakeDevice::silent();
        let asked = async {
            while device.asked.lock().unwrap().is_empty() {
                tokio::task::yield_now().await;
            }
            bench.generation.clone().retire().await
        };
        let (told, destroyed) = tokio::join!(bench.call(&device), asked);
        assert!(matches!(told, Err(CallError::Plugin { executed: Executed::Maybe, .. })), "{told:?}");
        assert!(destroyed);
        let events = bench.script.events();
        let [Event::Begin(_), Event::Done(1, abi::E_CANCELLED), end, Event::Destroy] = &events[..] else {
            panic!("{events:?}")
        };
        assert!(matches!(end, Event::End(_, E_SHUTDOWN)));
    }
}

#[tokio::test]
async fn a_destroy_that_does_not_return_is_left_behind() {
    let (go_on, blocked) = channel::<()>();
    let blocked = Mutex::new(blocked);
    let destroy = Box::new(move || {
        let _ = blocked.lock().unwrap().recv();
    });
    let bench = bench(Script { destroy, ..echo() }, pooled());
    let began = tokio::time::Instant::now();
    assert!(!bench.generation.clone().retire().await);
    assert!(began.elapsed() >= DESTROY_MAX);
    drop(go_on);
}

#[tokio::test]
async fn metrics_of_a_plugin_are_defined_in_create_and_go_on_in_the_next_generation() {
    let counting = || {
        let create = |_: &Arc<Script>, token, _| {
            let (name, help, mut id) = (Bytes::of(b"seen_total"), Bytes::of(b"seen"), 77);
            // SAFETY: readable texts and a place for a number.
            unsafe {
                assert_eq!(HOST.metric_define.unwrap()(token, METRIC_COUNTER, &name, &help, &raw mut id), OK);
                assert_eq!(HOST.metric_record.unwrap()(token, id, 2.0), OK);
            }
            OK
        };
        Script { create: Box::new(create), ..echo() }
    };
    let first = bench(counting(), pooled());
    let (metering, metrics) = (first.metering.clone(), first.metrics.clone());
    let second = create_with("bench", counting(), pooled(), metering, metrics).unwrap();
    assert_eq!(second.metric("thingcall_plugin_bench_seen_total"), 4.0);
    let token = second.script.token.load(std::sync::atomic::Ordering::SeqCst);
    let (name, mut id) = (Bytes::of(b"late_total"), 0);
    // SAFETY: readable texts and a place for a number.
    let status = unsafe { HOST.metric_define.unwrap()(token, METRIC_COUNTER, &name, &name, &raw mut id) };
    assert_eq!(status, abi::E_STALE);
}
