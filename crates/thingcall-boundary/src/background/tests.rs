//! Timers of a plugin's own.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use thingcall_plugin::abi::{E_CANCELLED, E_INVAL, E_LIMIT, E_STALE, OK};
use tokio::runtime::Handle;

use crate::terms::Terms;
use crate::testbench::{Event, Script, bench, echo, inline, pooled};

fn both() -> [Terms; 2] {
    [pooled(), inline()]
}

#[tokio::test]
async fn a_timer_of_create_is_told_after_create_and_may_start_another() {
    for settings in both() {
        let create = |script: &Arc<Script>, token, _| {
            script.timer(token, 0, 1, move |script, told| {
                assert_eq!(told.status, OK);
                script.timer(token, 1, 2, |_, _| {});
            });
            // A later timer of the same runtime has fired; the plugin's own must wait all the same.
            let (fire, fired) = std::sync::mpsc::channel();
            Handle::current().spawn(async move {
                tokio::time::sleep(Duration::from_millis(5)).await;
                fire.send(()).unwrap();
            });
            fired.recv().unwrap();
            assert_eq!(script.events(), []);
            OK
        };
        let plugin = Script { create: Box::new(create), ..echo() };
        let bench = tokio::task::spawn_blocking(move || bench(plugin, settings)).await.unwrap();
        let script = bench.script.clone();
        let done = tokio::task::spawn_blocking(move || {
            script.wait_for(|events| events == [Event::Done(1, OK), Event::Done(2, OK)]);
        });
        done.await.unwrap();
    }
}

#[tokio::test]
async fn open_timers_are_cancelled_before_destroy_and_none_starts_after() {
    for settings in both() {
        let bench = bench(echo(), settings);
        let (script, token) = (bench.script.clone(), bench.script.token.load(Ordering::SeqCst));
        for tag in 1..=3 {
            assert!(script.timer(token, 3_600_000, tag, |_, _| {}) > 0);
        }
        assert!(bench.generation.clone().retire().await);
        let cancelled = [1, 2, 3].map(|tag| Event::Done(tag, E_CANCELLED));
        assert_eq!(script.events(), [&cancelled[..], &[Event::Destroy]].concat());
        assert_eq!(script.timer(token, 1, 4, |_, _| {}), E_STALE);
    }
}

#[tokio::test]
async fn a_given_up_timer_is_told_so_once() {
    for settings in both() {
        let bench = bench(echo(), settings);
        let (script, token) = (bench.script.clone(), bench.script.token.load(Ordering::SeqCst));
        let number = script.timer(token, 3_600_000, 1, |_, _| {});
        assert_eq!((script.cancel(token, number), script.cancel(token, 77)), (OK, E_INVAL));
        let own = script.clone();
        let told = move || own.wait_for(|events| events == [Event::Done(1, E_CANCELLED)]);
        tokio::task::spawn_blocking(told).await.unwrap();
        assert_eq!(script.cancel(token, number), E_INVAL);
        assert!(bench.generation.clone().retire().await);
        assert_eq!(script.events(), [Event::Done(1, E_CANCELLED), Event::Destroy]);
    }
}

#[tokio::test]
async fn there_is_a_limit() {
    let bench = bench(echo(), pooled());
    let (script, token) = (&bench.script, bench.script.token.load(Ordering::SeqCst));
    for tag in 0..1024 {
        assert!(script.timer(token, 3_600_000, tag, |_, _| {}) > 0);
    }
    assert_eq!(script.timer(token, 3_600_000, 1024, |_, _| {}), E_LIMIT);
    assert!(bench.generation.clone().retire().await);
}
