//! When a reply is acknowledged to whoever sent it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use thingcall_core::{Arrival, CallId, Receipt, ReplySink, Sent};
use thingcall_tsl::{ProductSettings, ReplyCheck};

use crate::Config;
use crate::testbench::{Bench, SECOND, TOPIC, bench, bench_with, reply};

/// A message whose acknowledgement is watched, if it is held.
#[derive(Default)]
pub(super) struct Watched {
    held: AtomicBool,
    settled: Arc<AtomicBool>,
}

impl Watched {
    /// Whether it was held, and whether it is acknowledged since.
    pub(super) fn is(&self) -> (bool, bool) {
        (self.held.load(Ordering::Relaxed), self.settled.load(Ordering::Relaxed))
    }
}

impl Arrival for Watched {
    fn hold(&self) -> Receipt {
        assert!(!self.held.swap(true, Ordering::Relaxed), "once");
        let settled = self.settled.clone();
        Receipt::new(move || settled.store(true, Ordering::Relaxed))
    }
}

async fn set_scene(bench: &Bench) -> CallId {
    bench.engine.invoke(bench.request("SetScene", "{}")).await.unwrap().id
}

#[tokio::test(start_paused = true)]
async fn reply_to_an_asynchronous_call_is_acknowledged_once_it_is_written() {
    for reply_check in [ReplyCheck::default(), ReplyCheck::Reject] {
        let settings = ProductSettings { reply_check, ..ProductSettings::default() };
        let bench = bench_with(Config::default(), settings, |_, _| Ok(Sent::Sent));
        let id = set_scene(&bench).await;
        bench.journal.stand_still();
        let message = Watched::default();
        bench.engine.accept(reply("dev1", id, "{}"), TOPIC, &message);
        tokio::time::sleep(SECOND).await;
        assert_eq!(message.is(), (true, false), "{reply_check:?}");
        bench.journal.go_on();
        assert_eq!(message.is(), (true, true), "{reply_check:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn reply_that_the_journal_never_writes_is_not_acknowledged() {
    let bench = bench(|_, _| Ok(Sent::Sent));
    let id = set_scene(&bench).await;
    bench.journal.stand_still();
    let message = Watched::default();
    bench.engine.accept(reply("dev1", id, "{}"), TOPIC, &message);
    drop(bench);
    assert_eq!(message.is(), (true, false));
}

#[tokio::test(start_paused = true)]
async fn reply_that_somebody_waits_for_is_not_held() {
    let bench = bench(|delivery, answering| {
        let message = Watched::default();
        answering.by(reply("dev1", delivery.id, "{}"), &message);
        assert_eq!(message.is(), (false, false));
        Ok(Sent::Sent)
    });
    bench.engine.invoke(bench.request("Measure", r#"{"channel":1}"#)).await.unwrap();
}
