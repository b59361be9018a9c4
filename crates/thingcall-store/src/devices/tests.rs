//! Look-ups against a database that answers when the test says so.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::atomic::AtomicUsize;

use async_trait::async_trait;
use thingcall_core::{
    CallId, Device, DeviceName, EndedCall, LastValue, OpenCall, Past, PastWanted, ProductKey, Record, Secret,
    TransportName, UnixMillis,
};
use tokio::sync::Semaphore;

use super::*;
use crate::live::{Live, Seen};
use crate::told::Told;
use crate::trouble::Trouble;
use crate::waits::{ReadConnections, Wait};

mod no_audit;
mod no_messages;
mod no_records;

/// Rows, and who may read them now.
#[derive(Debug)]
struct Rows {
    /// IotId, whether it is enabled, and what is known of its connection.
    devices: Mutex<HashMap<DeviceKey, (IotId, bool, Seen)>>,
    reads: AtomicUsize,
    /// A read takes its row, then waits for one of these.
    answers: Semaphore,
    fails: AtomicUsize,
}

impl Rows {
    async fn read(&self, found: Option<DeviceEntry>) -> Result<Option<DeviceEntry>, Failure> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.answers.acquire().await.unwrap().forget();
        let fails = self.fails.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        if fails { Err(Failure::new(Trouble::Unreachable, false, "it is away")) } else { Ok(found) }
    }

    fn entry(&self, key: &DeviceKey) -> Option<DeviceEntry> {
        let (iot_id, enabled, seen) = self.devices.lock().unwrap().get(key)?.clone();
        Some(DeviceEntry {
            device: Arc::new(Device { key: key.clone(), iot_id, enabled, transport: None }),
            secret: Secret::new("s"),
            nickname: None,
            created_at: UnixMillis(1),
            live: Arc::new(Live::new(seen)),
        })
    }

    fn put(&self, name: &str, iot_id: &str, enabled: bool) {
        let iot_id = IotId::try_from(iot_id).unwrap();
        self.devices.lock().unwrap().insert(key(name), (iot_id, enabled, Seen::default()));
    }
}

#[async_trait]
impl Database for Rows {
    fn is_shared(&self) -> bool {
        false
    }
    async fn tell(&self, _: &Told) {}
    fn read_connections(&self) -> ReadConnections {
        ReadConnections { in_use: 0, max: 0 }
    }
    fn ran_out(&self, _: Wait) -> u64 {
        0
    }
    async fn device(&self, key: &DeviceKey) -> Result<Option<DeviceEntry>, Failure> {
        self.read(self.entry(key)).await
    }
    async fn device_by_id(&self, id: &IotId) -> Result<Option<DeviceEntry>, Failure> {
        let key = self.devices.lock().unwrap().iter().find(|(_, row)| row.0 == *id).map(|(key, _)| key.clone());
        self.read(key.and_then(|key| self.entry(&key))).await
    }
    async fn devices(&self, _: &ProductKey, _: Option<&DeviceName>, _: usize) -> Result<Vec<DeviceEntry>, Failure> {
        Ok(Vec::new())
    }
    async fn records(&self, _: CallId) -> Result<Vec<Record>, Failure> {
        Ok(Vec::new())
    }
    async fn records_of_request(&self, _: &str) -> Result<Vec<Record>, Failure> {
        Ok(Vec::new())
    }
    async fn last_place(&self) -> Result<i64, Failure> {
        Ok(0)
    }
    async fn open_in_slot(&self, _: u8, _: RangeInclusive<i64>, _: usize) -> Result<Vec<OpenCall>, Failure> {
        Ok(Vec::new())
    }
    async fn past(&self, _: &DeviceKey, _: &PastWanted) -> Result<Vec<Past>, Failure> {
        Ok(Vec::new())
    }

    async fn last_values(&self, _: &DeviceKey) -> Result<Vec<LastValue>, Failure> {
        Ok(Vec::new())
    }
    async fn due(&self, _: usize) -> Result<Vec<EndedCall>, Failure> {
        Ok(Vec::new())
    }
    async fn close(&self) {}
}

fn key(name: &str) -> DeviceKey {
    DeviceKey { product: "p".try_into().unwrap(), name: name.try_into().unwrap() }
}

fn named(name: &str) -> DeviceRef {
    DeviceRef::Key(key(name))
}

struct Bench {
    rows: Arc<Rows>,
    devices: Arc<Devices>,
}

/// Devices `d1` and `d2`, of which at most `max` are in memory; so many reads are answered without being asked to.
fn bench(max: usize, answers: usize) -> Bench {
    let (devices, reads, fails) = (Mutex::default(), AtomicUsize::new(0), AtomicUsize::new(0));
    let rows = Arc::new(Rows { devices, reads, answers: Semaphore::new(answers), fails });
    rows.put("d1", "i1", true);
    rows.put("d2", "i2", true);
    let devices = Devices::new(rows.clone(), max, Duration::from_secs(5));
    Bench { rows, devices }
}

impl Bench {
    async fn find(&self, target: &DeviceRef) -> Option<Arc<Known>> {
        self.devices.look_up(target, Some).await.unwrap()
    }

    /// A look-up that has begun and asked the database.
    async fn begun(&self, target: DeviceRef) -> tokio::task::JoinHandle<thingcall_core::LookedUp<Arc<Known>>> {
        let (devices, before) = (self.devices.clone(), self.reads());
        let looking = tokio::spawn(async move { devices.look_up(&target, Some).await });
        while self.reads() == before {
            tokio::task::yield_now().await;
        }
        looking
    }

    fn reads(&self) -> usize {
        self.rows.reads.load(Ordering::SeqCst)
    }

    fn answer(&self, reads: usize) {
        self.rows.answers.add_permits(reads);
    }
}

#[tokio::test(start_paused = true)]
async fn many_that_ask_for_one_device_at_once_ask_the_database_once() {
    let bench = bench(10, 0);
    let first = bench.begun(named("d1")).await;
    let others: Vec<_> = (0..100)
        .map(|_| {
            let devices = bench.devices.clone();
            tokio::spawn(async move { devices.look_up(&named("d1"), Some).await })
        })
        .collect();
    tokio::task::yield_now().await;
    bench.answer(1);
    assert_eq!(first.await.unwrap().unwrap().unwrap().entry.device.iot_id.as_str(), "i1");
    for other in others {
        assert!(other.await.unwrap().unwrap().is_some());
    }
    assert!(matches!(bench.devices.look_up(&named("d1"), Some), LookUp::Known(_)), "memory has it");
    assert_eq!(bench.reads(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_asked_first_may_leave_and_the_next_one_asks() {
    let bench = bench(10, 0);
    let first = bench.begun(named("d1")).await;
    let devices = bench.devices.clone();
    let second = tokio::spawn(async move { devices.look_up(&named("d1"), Some).await });
    tokio::task::yield_now().await;
    first.abort();
    bench.answer(2);
    assert!(second.await.unwrap().unwrap().is_some());
    assert_eq!(bench.reads(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_name_is_believed_for_a_moment_and_no_longer_than_until_devices_are_registered() {
    let bench = bench(10, 100);
    assert!(bench.find(&named("d9")).await.is_none());
    assert!(bench.find(&named("d9")).await.is_none());
    assert_eq!(bench.reads(), 1);

    bench.rows.put("d9", "i9", true);
    bench.devices.added();
    assert!(bench.find(&named("d9")).await.is_some());
    assert_eq!(bench.reads(), 2);

    assert!(bench.find(&named("d8")).await.is_none());
    bench.rows.put("d8", "i8", true);
    tokio::time::advance(UNKNOWN_TIME).await;
    assert!(bench.find(&named("d8")).await.is_some(), "nobody told");
}

#[tokio::test(start_paused = true)]
async fn as_many_are_in_memory_as_may_be_and_made_up_names_push_out_nobody_who_is_called() {
    let bench = bench(64, 100_000);
    for number in 0..1_000 {
        bench.rows.put(&format!("m{number}"), &format!("j{number}"), true);
    }
    for _ in 0..3 {
        assert!(bench.find(&named("d1")).await.is_some());
    }
    for number in 0..1_000 {
        assert!(bench.find(&named(&format!("m{number}"))).await.is_some());
        assert!(bench.find(&DeviceRef::IotId(IotId::try_from(&*format!("j{number}")).unwrap())).await.is_some());
        assert!(bench.find(&named(&format!("unknown{number}"))).await.is_none());
        bench.find(&named("d1")).await;
    }
    assert!(bench.devices.len() <= 64, "{}", bench.devices.len());
    assert!(bench.devices.names.len() <= 64, "{}", bench.devices.names.len());
    let before = bench.reads();
    bench.find(&named("d1")).await;
    assert_eq!(bench.reads(), before, "called all the time, it stays");
}

#[tokio::test(start_paused = true)]
async fn a_change_wins_over_a_read_that_was_under_way() {
    let bench = bench(10, 0);
    let looking = bench.begun(named("d1")).await;
    bench.rows.put("d1", "i1", false);
    bench.devices.changed(&key("d1"));
    bench.answer(10);
    assert!(!looking.await.unwrap().unwrap().unwrap().entry.device.enabled, "read again");
    assert!(!bench.find(&named("d1")).await.unwrap().entry.device.enabled);
    assert_eq!(bench.reads(), 2);

    bench.rows.put("d1", "i1", true);
    bench.devices.changed(&key("d1"));
    assert!(bench.find(&named("d1")).await.unwrap().entry.device.enabled);

    bench.devices.all_changed();
    bench.rows.devices.lock().unwrap().remove(&key("d1"));
    assert!(bench.find(&named("d1")).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn whatever_was_missed_wins_over_all_reads_under_way() {
    let bench = bench(10, 0);
    let looking = bench.begun(named("d1")).await;
    bench.rows.put("d1", "i1", false);
    bench.devices.all_changed();
    bench.answer(10);
    assert!(!looking.await.unwrap().unwrap().unwrap().entry.device.enabled);
}

#[tokio::test(start_paused = true)]
async fn what_is_heard_during_a_read_is_in_what_it_brings() {
    let bench = bench(10, 0);
    let (from, sign) = (Some(TransportName::MQTT), Heard::sign(UnixMillis(5)));
    bench.devices.hear(&key("d1"), Heard { came_from: from, ..sign.clone() });
    let looking = bench.begun(named("d1")).await;
    bench.devices.hear(&key("d1"), Heard { online: Some(true), ..sign.clone() });
    bench.answer(1);
    let seen = looking.await.unwrap().unwrap().unwrap().entry.live.seen();
    assert_eq!((seen.online, seen.came_from, seen.last_seen_at), (true, from, Some(UnixMillis(5))));

    bench.devices.hear(&key("d1"), Heard { online: Some(false), ..sign });
    let known = bench.find(&named("d1")).await.unwrap();
    assert!(!known.entry.live.seen().online, "at once");
    assert_eq!(bench.reads(), 1);
    let written = bench.devices.take_heard();
    assert_eq!(written.len(), 1);
    assert_eq!((written[0].1.online, written[0].1.came_from), (Some(false), from));
    assert_eq!(bench.devices.take_heard(), written, "it could not be written: again");
    bench.devices.wrote(&[]);
    assert_eq!(bench.devices.take_heard(), []);
}

#[tokio::test(start_paused = true)]
async fn a_device_that_is_written_while_it_is_read_is_read_again() {
    let bench = bench(10, 0);
    let looking = bench.begun(named("d1")).await;
    // The row was taken before this came into it.
    bench.devices.hear(&key("d1"), Heard { online: Some(true), ..Heard::sign(UnixMillis(5)) });
    let heard = bench.devices.take_heard();
    assert_eq!(heard.len(), 1);
    let online = Seen { online: true, ..Seen::default() };
    bench.rows.devices.lock().unwrap().get_mut(&key("d1")).unwrap().2 = online;
    bench.devices.wrote(&[]);
    bench.answer(10);
    assert!(looking.await.unwrap().unwrap().unwrap().entry.live.seen().online);
    assert_eq!(bench.reads(), 2);
}

#[tokio::test(start_paused = true)]
async fn signs_beyond_the_limit_are_left_out_and_more_than_signs_are_not() {
    let bench = bench(2, 100);
    for name in ["d1", "d2", "d3"] {
        bench.devices.hear(&key(name), Heard::sign(UnixMillis(5)));
    }
    bench.devices.hear(&key("d4"), Heard { online: Some(true), ..Heard::sign(UnixMillis(5)) });
    let mut written: Vec<_> = bench.devices.take_heard().into_iter().map(|(key, _)| key.name.to_string()).collect();
    written.sort_unstable();
    assert_eq!(written, ["d1", "d2", "d4"]);
    assert_eq!(bench.devices.counts.signs_lost.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn a_database_that_does_not_answer_is_told_and_asked_again() {
    let bench = bench(10, 0);
    bench.rows.fails.store(1, Ordering::SeqCst);
    bench.answer(2);
    let failed = bench.devices.look_up(&named("d1"), Some).await.unwrap_err();
    assert_eq!(failed.0, "the store cannot be reached");
    assert!(bench.find(&named("d1")).await.is_some());

    let failed = bench.devices.look_up(&named("d2"), Some).await.unwrap_err();
    assert_eq!(failed.0, "the store did not answer within 5s");
    assert_eq!(bench.devices.counts.failures.load(Ordering::Relaxed), 2);
    assert_eq!(bench.devices.lock().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_iot_id_takes_one_read_and_is_nobody_elses_later() {
    let bench = bench(10, 100);
    let id = |id: &str| DeviceRef::IotId(IotId::try_from(id).unwrap());
    assert_eq!(bench.find(&id("i1")).await.unwrap().entry.device.key, key("d1"));
    assert!(matches!(bench.devices.look_up(&named("d1"), Some), LookUp::Known(_)));
    assert!(matches!(bench.devices.look_up(&id("i1"), Some), LookUp::Known(_)));
    assert_eq!(bench.reads(), 1);

    bench.devices.removed(&key("d1"));
    bench.rows.put("d1", "i3", true);
    bench.devices.added();
    assert!(bench.find(&id("i1")).await.is_none());
    assert_eq!(bench.find(&id("i3")).await.unwrap().entry.device.key, key("d1"));
    assert!(bench.find(&id("i9")).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn what_was_heard_of_a_device_that_is_gone_is_not_its_successors() {
    let bench = bench(10, 100);
    bench.devices.hear(&key("d1"), Heard { online: Some(true), ..Heard::sign(UnixMillis(5)) });
    bench.devices.removed(&key("d1"));
    bench.rows.put("d1", "i3", true);
    assert!(!bench.find(&named("d1")).await.unwrap().entry.live.seen().online);
    assert_eq!(bench.devices.take_heard(), []);
}

#[tokio::test(start_paused = true)]
async fn what_others_heard_is_looked_up_and_what_this_process_told_is_not() {
    let bench = bench(10, 100);
    bench.find(&named("d1")).await;
    let sign = Heard::sign(UnixMillis(5));
    let told = Subject::Heard(Some(key("d1")));
    bench.devices.hear(&key("d1"), sign.clone());
    assert!(!bench.devices.take_heard()[0].1.is_news, "a sign is none");
    bench.devices.hear(&key("d1"), Heard { online: Some(true), ..sign.clone() });
    assert!(bench.devices.take_heard()[0].1.is_news);
    bench.devices.wrote(std::slice::from_ref(&told));
    bench.devices.hear(&key("d1"), Heard { online: Some(true), ..sign });
    assert!(!bench.devices.take_heard()[0].1.is_news, "it was online before");
    bench.devices.wrote(&[Subject::Heard(None)]);

    bench.devices.heard(Some(&key("d1")));
    bench.devices.heard(None);
    assert!(matches!(bench.devices.look_up(&named("d1"), Some), LookUp::Known(_)), "it told that itself");
    bench.devices.heard(Some(&key("d1")));
    assert!(matches!(bench.devices.look_up(&named("d1"), Some), LookUp::Sought(_)));
    bench.find(&named("d2")).await;
    bench.devices.heard(None);
    assert!(matches!(bench.devices.look_up(&named("d2"), Some), LookUp::Sought(_)));
}
