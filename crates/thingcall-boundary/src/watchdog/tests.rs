//! Code that blocks is seen, and stalls nobody else. In real time: what blocks is a thread.

use std::sync::mpsc::{Sender, channel};

use thingcall_core::{CallError, Executed};
use thingcall_plugin::abi::OK;

use super::*;
use crate::terms::Fallback;
use crate::terms::Terms;
use crate::testbench::{BEGUN, Bench, FakeDevice, bench, echo, inline, pooled, replied, script};

/// A plugin whose calls block until they are told to go on.
fn blocking(mut settings: Terms) -> (Bench, Sender<()>) {
    let (go_on, blocked) = channel();
    let blocked = Mutex::new(blocked);
    settings.stall_warn = Duration::from_millis(50);
    settings.stall_open = Duration::from_millis(200);
    let plugin = script(move |script, token, _| {
        let _ = blocked.lock().unwrap().recv();
        script.complete(token, OK, 200, "");
        BEGUN
    });
    (bench(plugin, settings), go_on)
}

async fn until(what: &str, wanted: impl Fn() -> bool) {
    let waited = tokio::time::timeout(Duration::from_secs(20), async {
        while !wanted() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    assert!(waited.await.is_ok(), "{what}");
}

const OPEN: &str = r#"thingcall_plugin_circuit_open{plugin="bench"}"#;
const STALLS: &str = r#"thingcall_plugin_stalls_total{plugin="bench"}"#;

#[tokio::test]
async fn a_blocked_thread_is_counted_and_opens_the_circuit_until_it_returns() {
    let (blocking, go_on) = blocking(pooled());
    let device = FakeDevice::silent();
    let first = blocking.call(&device);
    tokio::pin!(first);
    assert!(!blocking.generation.circuit_open());
    tokio::select! {
        _ = &mut first => panic!("it is blocked"),
        () = until("the circuit opens", || blocking.generation.circuit_open()) => {}
    }
    until("the gauge says so", || blocking.metric(OPEN) == 1.0).await;
    assert!(blocking.metric(STALLS) >= 1.0);
    let answer = blocking.call(&device).await;
    let Err(CallError::Plugin { why, executed: Executed::No }) = answer else { panic!("{answer:?}") };
    assert!(why.starts_with("plugin bench is stuck"), "{why}");
    // Another plugin answers as ever.
    let other = bench(echo(), pooled());
    assert_eq!(other.call(&device).await, Ok(replied(200, r#"{"a":1}"#)));
    assert!(!other.generation.circuit_open());
    go_on.send(()).unwrap();
    assert_eq!(first.await, Ok(replied(200, "{}")));
    until("the circuit closes", || !blocking.generation.circuit_open()).await;
    until("the gauge says so", || blocking.metric(OPEN) == 0.0).await;
    go_on.send(()).unwrap();
    assert_eq!(blocking.call(&device).await, Ok(replied(200, "{}")));
    assert_eq!((blocking.ended("ok"), blocking.ended("busy")), (2.0, 1.0));
}

#[tokio::test]
async fn with_the_built_in_fall_back_calls_go_to_the_device() {
    let mut settings = pooled();
    settings.fallback = Fallback::BuiltIn;
    let (blocking, go_on) = blocking(settings);
    let (silent, device) = (FakeDevice::silent(), FakeDevice::echo());
    let first = blocking.call(&silent);
    tokio::pin!(first);
    tokio::select! {
        _ = &mut first => panic!("it is blocked"),
        () = until("the circuit opens", || blocking.generation.circuit_open()) => {}
    }
    assert_eq!(blocking.call(&device).await, Ok(replied(200, r#"{"a":1}"#)));
    assert_eq!(*device.asked.lock().unwrap(), [r#"{"a":1}"#]);
    drop(go_on);
    assert_eq!(first.await, Ok(replied(200, "{}")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn code_that_blocks_the_servers_own_thread_is_seen_too() {
    let (blocking, go_on) = blocking(inline());
    let blocking = Arc::new(blocking);
    let own = blocking.clone();
    let first = tokio::spawn(async move { own.call(&FakeDevice::silent()).await });
    until("the circuit opens", || blocking.generation.circuit_open()).await;
    go_on.send(()).unwrap();
    assert_eq!(first.await.unwrap(), Ok(replied(200, "{}")));
    until("the circuit closes", || !blocking.generation.circuit_open()).await;
}

#[tokio::test]
async fn a_caller_is_told_in_time_although_all_threads_block() {
    let (blocking, go_on) = blocking(pooled());
    let device = FakeDevice::silent();
    let began = Instant::now();
    let calls = (0..4).map(|_| tokio::time::timeout(Duration::from_millis(50), blocking.call(&device)));
    let answers = futures_util::future::join_all(calls).await;
    assert!(answers.iter().all(Result::is_err));
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    drop(go_on);
    assert!(blocking.generation.clone().retire().await);
    assert_eq!(blocking.generation.calls_in_flight(), 0);
}
