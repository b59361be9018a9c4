//! The pump between a made-up outbox, or a real one, and a made-up broker.

use std::collections::VecDeque;
use std::sync::Mutex;

use thingcall_core::{
    Args, CallId, CallMode, Delivery, Device, DeviceKey, Ending, Journal, JournalEntry, JournalError, MessageFilter,
    MessageId, MessageKind, MessageLog, NewMessage, Outcome, Qos, RequestId, UnixMillis, Words,
};
use thingcall_store::Store;
use thingcall_subscription::words::PlatformWords;
use thingcall_tsl::{Directory, NewDevice, NewProduct, ProductNotes, ProductSettings};
use tokio::sync::Notify;

use super::*;

fn failed(device: &DeviceKey, id: u32, outcome: Outcome, why: &str) -> Ending {
    Ending::Failed { device: device.clone(), id: CallId::from_u32(id), outcome, why: why.to_owned() }
}

/// An outbox, and a broker that does what is planned and then takes everything.
#[derive(Default)]
struct Both {
    due: Mutex<Vec<Message>>,
    plan: Mutex<VecDeque<Published>>,
    seen: Mutex<Vec<i64>>,
    changed: Notify,
    trimmed: Mutex<u64>,
    all_done: Notify,
    /// How long the broker takes for each, and for one of the device `never`: for ever.
    takes: Duration,
    /// How many it has before it now, and had at most.
    at_once: Mutex<(usize, usize)>,
    /// Told of each that it took.
    took: Notify,
}

#[async_trait]
impl Outbox for Both {
    async fn due(&self, max: usize) -> Result<Vec<Message>, JournalError> {
        Ok(self.due.lock().unwrap().iter().take(max).cloned().collect())
    }

    fn published(&self, places: &[i64]) {
        let mut due = self.due.lock().unwrap();
        due.retain(|result| !places.contains(&result.place));
        if due.is_empty() && !places.is_empty() {
            self.all_done.notify_one();
        }
    }

    fn due_max(&self) -> usize {
        100
    }

    async fn trim(&self) -> Result<Backlog, JournalError> {
        *self.trimmed.lock().unwrap() += 1;
        Ok(Backlog { due: u64::try_from(self.due.lock().unwrap().len()).unwrap(), given_up: 0 })
    }

    async fn changed(&self) {
        self.changed.notified().await;
    }

    async fn let_go(&self) {}
}

#[async_trait]
impl ResultSink for Both {
    async fn publish(&self, result: &Message) -> Published {
        if result.device.name.as_str() == "never" {
            return std::future::pending().await;
        }
        {
            let (now, most) = &mut *self.at_once.lock().unwrap();
            *now += 1;
            *most = (*now).max(*most);
        }
        sleep(self.takes).await;
        self.at_once.lock().unwrap().0 -= 1;
        let planned = self.plan.lock().unwrap().pop_front().unwrap_or(Published::Yes);
        if planned == Published::Yes {
            self.seen.lock().unwrap().push(result.place);
            self.took.notify_one();
        }
        planned
    }
}

fn result(place: i64, device: &str) -> Message {
    Message {
        place,
        id: MessageId(place.unsigned_abs()),
        kind: MessageKind::Result,
        device: DeviceKey { product: "pk".try_into().unwrap(), name: device.try_into().unwrap() },
        at: UnixMillis(place),
        words: Words { topic: "t".to_owned(), body: "{}".into(), trace: None },
    }
}

async fn started(due: Vec<Message>, plan: Vec<Published>) -> (Arc<Both>, Publishing) {
    started_with(Both { due: Mutex::new(due), plan: Mutex::new(plan.into()), ..Both::default() }).await
}

async fn started_with(both: Both) -> (Arc<Both>, Publishing) {
    let both = Arc::new(both);
    let publishing = start(Feed::Results, both.clone(), both.clone(), &Metering::new()).unwrap();
    (both, publishing)
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_is_away_gets_each_result_once_when_it_is_back_in_a_device_s_order() {
    let away = || Published::NotYet("away".to_owned());
    let due = (1..=5).map(|place| result(place, "d")).collect();
    let (both, publishing) = started(due, vec![away(), away(), Published::Yes, away()]).await;
    both.all_done.notified().await;
    assert_eq!(*both.seen.lock().unwrap(), [1, 2, 3, 4, 5]);
    assert_eq!(*both.trimmed.lock().unwrap(), 3, "each time there was a delay");
    publishing.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_result_that_can_never_be_published_does_not_hold_up_the_others() {
    let never = Published::Never("no".to_owned());
    let (both, publishing) = started((1..=3).map(|place| result(place, "d")).collect(), vec![never]).await;
    both.all_done.notified().await;
    assert_eq!(*both.seen.lock().unwrap(), [2, 3]);
    publishing.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_becomes_due_later_is_published_when_it_is_told_and_more_than_a_batch_at_once() {
    let (both, publishing) = started(Vec::new(), Vec::new()).await;
    both.due.lock().unwrap().extend((1..=600).map(|place| result(place, if place % 2 == 0 { "a" } else { "b" })));
    let before = Instant::now();
    both.changed.notify_one();
    both.all_done.notified().await;
    assert_eq!(before.elapsed(), Duration::ZERO, "nothing waits for the next look");
    assert_eq!(both.seen.lock().unwrap().len(), 600);
    publishing.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_another_process_ended_is_found_without_being_told() {
    let (both, publishing) = started(Vec::new(), Vec::new()).await;
    both.due.lock().unwrap().push(result(1, "d"));
    both.all_done.notified().await;
    assert_eq!(*both.seen.lock().unwrap(), [1]);
    publishing.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_backlog_leaves_room_for_commands() {
    let due = (1..=200).map(|place| result(place, &format!("d{place}"))).collect();
    let takes = Duration::from_millis(1);
    let (both, publishing) = started_with(Both { due: Mutex::new(due), takes, ..Both::default() }).await;
    both.all_done.notified().await;
    assert_eq!(both.at_once.lock().unwrap().1, PUBLISHING_DEVICES_MAX);
    publishing.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_broker_slower_than_the_calls_is_held_to_the_limit_too() {
    let due = (1..=1024).map(|place| result(place, "d")).collect();
    let takes = Duration::from_millis(10);
    let (both, publishing) = started_with(Both { due: Mutex::new(due), takes, ..Both::default() }).await;
    both.all_done.notified().await;
    assert_eq!(
        *both.trimmed.lock().unwrap(),
        4,
        "once for each batch, which takes longer than the time between two looks"
    );
    publishing.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_notes_what_was_confirmed_although_the_rest_hangs() {
    let due = vec![result(1, "never"), result(2, "d"), result(3, "d")];
    let (both, publishing) = started_with(Both { due: Mutex::new(due), ..Both::default() }).await;
    while both.seen.lock().unwrap().len() < 2 {
        both.took.notified().await;
    }
    let before = Instant::now();
    publishing.stop().await;
    assert!(before.elapsed() <= STOP_TIME + NOTE_TIME, "{:?}", before.elapsed());
    let left: Vec<_> = both.due.lock().unwrap().iter().map(|result| result.place).collect();
    assert_eq!(left, [1]);
}

#[tokio::test(start_paused = true)]
async fn metrics_say_how_many_wait_and_what_became_of_the_rest() {
    let away = Published::NotYet("away".to_owned());
    let due = Mutex::new((1..=3).map(|place| result(place, "d")).collect());
    let plan = Mutex::new([Published::Yes, away, Published::Unwanted].into());
    let (both, metering) = (Arc::new(Both { due, plan, ..Both::default() }), Metering::new());
    let publishing = start(Feed::Results, both.clone(), both.clone(), &metering).unwrap();
    both.took.notified().await;
    while *both.trimmed.lock().unwrap() == 0 {
        tokio::task::yield_now().await;
    }
    let told = || prometheus::TextEncoder::new().encode_to_string(&metering.gather()).unwrap();
    tokio::task::yield_now().await;
    assert!(told().contains("thingcall_results_due 2"), "{}", told());
    both.all_done.notified().await;
    publishing.stop().await;
    for line in ["{result=\"published\"} 2", "{result=\"unwanted\"} 1", "{result=\"delayed\"} 1", "{result=\"lost\"} 0"]
    {
        assert!(told().contains(&format!("thingcall_results_total{line}")), "{line}: {}", told());
    }
    assert!(told().contains("thingcall_results_due 0"), "{}", told());
}

/// The results of a store, so many at most.
async fn results_of(store: &Arc<Store>, due_max: usize) -> Result<LogResults, JournalError> {
    let filter = MessageFilter { kinds: vec![MessageKind::Result], ..MessageFilter::default() };
    LogResults::wanted(store.clone(), Feed::Results, &filter, due_max).await
}

/// A store with a device `d`.
async fn store(folder: &std::path::Path) -> (Arc<Store>, Arc<Device>) {
    let store = Store::open(thingcall_store::Config::default(), folder).await.unwrap();
    store.tell_in(Arc::new(PlatformWords));
    let key = DeviceKey { product: "pk".try_into().unwrap(), name: "d".try_into().unwrap() };
    let product = NewProduct {
        key: Some(key.product.clone()),
        name: "lamp".to_owned(),
        notes: ProductNotes::default(),
        settings: ProductSettings::default(),
    };
    store.create_product(product).await.unwrap();
    let (product, name) = (key.product.clone(), Some(key.name.clone()));
    store.register(NewDevice { product, name, secret: None, nickname: None, transport: None }).await.unwrap();
    let found = thingcall_tsl::Registry::find(&*store, &thingcall_core::DeviceRef::Key(key)).await.unwrap().unwrap();
    (store, found.device)
}

async fn open(store: &Store, device: &Arc<Device>, id: u32) {
    let delivery = Delivery {
        letter: None,
        id: CallId::from_u32(id),
        device: device.clone(),
        service: "do".try_into().unwrap(),
        raw: None,
        params: Args::checked("{}"),
        mode: CallMode::Async,
        qos: Qos::AtMostOnce,
        deadline: None,
        sync_topic: None,
        trace: None,
    };
    let entry = JournalEntry {
        delivery,
        answer: None,
        request_id: RequestId::random(),
        action: "",
        key: None,
        accepted_at: UnixMillis::now(),
        times: thingcall_core::CallTimes::default(),
    };
    store.open(entry).await.unwrap();
}

#[tokio::test]
async fn ends_of_every_kind_pass_through_a_real_store_once() {
    let folder = tempfile::tempdir().unwrap();
    let (store, device) = store(folder.path()).await;
    open(&store, &device, 1).await;
    store.end(failed(&device.key, 1, Outcome::Offline, "before anybody asked"));
    store.flush().await;
    let sink = Arc::new(Both { plan: Mutex::new([Published::NotYet("away".to_owned())].into()), ..Both::default() });
    let outbox = Arc::new(results_of(&store, 100).await.unwrap());
    let publishing = start(Feed::Results, outbox.clone(), sink.clone(), &Metering::new()).unwrap();
    for id in 2..=4 {
        open(&store, &device, id).await;
    }
    store.end(failed(&device.key, 2, Outcome::Offline, "away"));
    store.end(failed(&device.key, 3, Outcome::TransportDown, "broken"));
    store.flush().await;
    // Ends the last one.
    store.remove(&device.key).await.unwrap();
    while sink.seen.lock().unwrap().len() < 3 {
        sink.took.notified().await;
    }
    publishing.stop().await;
    // The places of calls 2 to 4 in the log, in which the first never was.
    assert_eq!(*sink.seen.lock().unwrap(), [1, 2, 3]);
    assert_eq!(outbox.due(9).await.unwrap().len(), 0);
    store.close().await;
}

/// A store with as many results as there are ids, which nobody published yet.
async fn left(folder: &std::path::Path, ids: std::ops::RangeInclusive<u32>) -> (Arc<Store>, Arc<LogResults>) {
    let (store, device) = store(folder).await;
    let outbox = Arc::new(results_of(&store, 2).await.unwrap());
    for id in ids {
        open(&store, &device, id).await;
        store.end(failed(&device.key, id, Outcome::Offline, "away"));
        store.flush().await;
    }
    (store, outbox)
}

fn places(due: &[Message]) -> Vec<i64> {
    due.iter().map(|result| result.place).collect()
}

#[tokio::test]
async fn the_oldest_results_are_given_up_where_too_many_wait() {
    let folder = tempfile::tempdir().unwrap();
    let (_store, outbox) = left(folder.path(), 1..=4).await;
    assert_eq!(places(&outbox.due(1).await.unwrap()), [1]);
    assert_eq!(outbox.trim().await.unwrap(), Backlog { due: 2, given_up: 2 });
    assert_eq!(places(&outbox.due(9).await.unwrap()), [3, 4]);
    assert_eq!(outbox.trim().await.unwrap(), Backlog { due: 2, given_up: 0 });
}

#[tokio::test]
async fn what_was_due_when_a_server_stopped_is_due_at_the_next_one_in_its_order() {
    let folder = tempfile::tempdir().unwrap();
    let (store, outbox) = left(folder.path(), 1..=3).await;
    assert_eq!(places(&outbox.due(2).await.unwrap()), [1, 2]);
    outbox.published(&[1]);
    outbox.let_go().await;
    store.close().await;
    let store = Store::open(thingcall_store::Config::default(), folder.path()).await.unwrap();
    let outbox = results_of(&store, 2).await.unwrap();
    assert_eq!(places(&outbox.due(9).await.unwrap()), [2, 3]);
}

#[tokio::test]
async fn what_is_about_other_modules_is_passed_over_and_waits_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let (store, device) = store(folder.path()).await;
    let filter = MessageFilter { modules: vec!["fb".to_owned()], ..MessageFilter::default() };
    let outbox = LogResults::wanted(store.clone(), Feed::Topics, &filter, 100).await.unwrap();
    let says = |identifier: &str| NewMessage {
        kind: MessageKind::Event,
        device: device.key.clone(),
        at: UnixMillis::now(),
        words: Words { topic: "t".to_owned(), body: format!(r#"{{"identifier":"{identifier}"}}"#).into(), trace: None },
    };
    let others = (0..5).map(|_| says("other:e"));
    MessageLog::append(&*store, others.chain([says("fb:e")]).collect()).await.unwrap();
    let due = outbox.due(2).await.unwrap();
    assert_eq!(places(&due), [6], "a batch of which nothing passes is not the end");
    outbox.published(&[6]);
    store.flush().await;
    assert_eq!(outbox.trim().await.unwrap(), Backlog { due: 0, given_up: 0 });
}
