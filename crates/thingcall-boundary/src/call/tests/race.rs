//! The same with threads: a plugin's own, its pool's and the server's, all at once.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use thingcall_plugin::abi::{E_STALE, OK, Token};

use crate::terms::Terms;
use crate::testbench::{BEGUN, Event, FakeDevice, Script, bench, inline, pooled, replied, script};

const CALLS: u32 = 2000;

/// A thread of the plugin that answers, wakes and gives up whatever call it is told of.
fn racer(answered: Arc<AtomicU32>) -> (Sender<(Arc<Script>, Token)>, std::thread::JoinHandle<()>) {
    let (tell, told) = channel::<(Arc<Script>, Token)>();
    let thread = std::thread::spawn(move || {
        for (script, token) in told {
            script.wake(token);
            script.cancel(token, 1);
            match script.complete(token, OK, 200, "{}") {
                OK => answered.fetch_add(1, Ordering::Relaxed),
                E_STALE => 0,
                other => panic!("{other}"),
            };
            assert_eq!(script.wake(token), E_STALE);
        }
    });
    (tell, thread)
}

/// What happened, call by call.
fn by_call(events: &[Event]) -> HashMap<Token, Vec<&Event>> {
    let mut calls: HashMap<Token, Vec<&Event>> = HashMap::new();
    for event in events {
        if let Event::Begin(token) | Event::Poll(token) | Event::Done(token, _) | Event::End(token, _) = event {
            calls.entry(*token).or_default().push(event);
        }
    }
    calls
}

async fn run(settings: Terms) {
    let answered = Arc::new(AtomicU32::new(0));
    let ((first, one), (second, two)) = (racer(answered.clone()), racer(answered.clone()));
    let told = std::sync::Mutex::new(Some((first, second)));
    let told = Arc::new(told);
    let own = told.clone();
    let started = Arc::new(AtomicU32::new(0));
    let starting = started.clone();
    let bench = Arc::new(bench(
        script(move |script, token, _| {
            // The operation is tagged with the call. Its caller may have hung up before.
            if script.forward(token, "{}", 0, token, |_, _| {}) > 0 {
                starting.fetch_add(1, Ordering::Relaxed);
            }
            if let Some((first, second)) = &*own.lock().unwrap() {
                first.send((script.clone(), token)).unwrap();
                second.send((script.clone(), token)).unwrap();
            }
            BEGUN
        }),
        settings,
    ));
    let callers = (0..8).map(|caller| {
        let bench = bench.clone();
        tokio::spawn(async move {
            let device = FakeDevice::echo();
            let mut hung_up = 0;
            for nth in 0..CALLS / 8 {
                // Some callers hang up while their plugin answers.
                let patience = if (nth + caller) % 3 == 0 { Duration::ZERO } else { Duration::from_secs(20) };
                match tokio::time::timeout(patience, bench.call(&device)).await {
                    Ok(answer) => assert_eq!(answer, Ok(replied(200, "{}"))),
                    Err(_) => hung_up += 1,
                }
            }
            hung_up
        })
    });
    let mut hung_up = 0;
    for caller in callers.collect::<Vec<_>>() {
        hung_up += caller.await.unwrap();
    }
    bench.script.wait_for(|events| {
        let count = |wanted: fn(&Event) -> bool| events.iter().filter(|event| wanted(event)).count();
        count(|event| matches!(event, Event::Begin(_))) == count(|event| matches!(event, Event::End(..)))
    });
    assert!(bench.generation.clone().retire().await);
    drop(told.lock().unwrap().take());
    one.join().unwrap();
    two.join().unwrap();
    let answered = answered.load(Ordering::Relaxed);
    // Who hung up may have done so just after the answer was given.
    assert!(answered >= CALLS - hung_up && answered <= CALLS, "{answered} answers, {hung_up} hung up");
    let mut done = 0;
    for (token, events) in by_call(&bench.script.events()) {
        let count = |wanted: fn(&Event) -> bool| events.iter().filter(|event| wanted(event)).count();
        assert!(matches!((events.first(), events.last()), (Some(Event::Begin(_)), Some(Event::End(..)))), "{events:?}");
        assert_eq!(count(|event| matches!(event, Event::Begin(_) | Event::End(..))), 2, "{token}");
        done += count(|event| matches!(event, Event::Done(..)));
    }
    // A second time would have been a second use of the operation's box.
    assert_eq!(done, started.load(Ordering::Relaxed) as usize);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_answers_first_on_a_pool_is_the_only_one() {
    run(pooled()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_answers_first_inline_is_the_only_one() {
    run(inline()).await;
}
