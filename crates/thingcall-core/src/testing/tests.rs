//! What is kept in memory keeps the contracts.

use std::future::ready;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;

use super::*;
use crate::{
    DeviceKey, GivenBack, IotId, Leases, MessageKind, MessageLog, NewMessage, ReaderName, SharedNonces, SharedQuota,
    Taken, Wanted, Words,
};

fn device(name: &str) -> Arc<Device> {
    let key = DeviceKey { product: "p".try_into().unwrap(), name: name.try_into().unwrap() };
    Arc::new(Device { key, iot_id: IotId::try_from(name).unwrap(), enabled: true, transport: None })
}

#[test]
fn the_journal_in_memory_keeps_the_contract() {
    let make = || {
        let journal = Arc::new(MemoryJournal::default());
        let devices = [device("d1"), device("d2")];
        ready(UnderTest { journal: journal.clone(), outbox: journal, devices, keeps: Box::new(()) })
    };
    at_once(assert_journal(make));
}

/// It never waits for anything.
fn at_once(checked: impl Future<Output = ()>) {
    assert_eq!(std::pin::pin!(checked).poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(()));
}

#[test]
fn nonces_in_memory_keep_the_contract() {
    let make = || {
        let began = UnixMillis::now().0 / 1000 * 1000 + 1000;
        let nonces: Arc<dyn SharedNonces> = Arc::new(MemoryNonces::began(UnixMillis(began)));
        ready(SharedUnderTest { instances: [nonces.clone(), nonces], keeps: Box::new(()) })
    };
    at_once(assert_shared_nonces(make));
}

#[test]
fn a_quota_in_memory_keeps_the_contract() {
    let make = || {
        let quota: Arc<dyn SharedQuota> = MemoryQuota::new(|| UnixMillis::now().0 * 1000);
        ready(SharedUnderTest { instances: [quota.clone(), quota], keeps: Box::new(()) })
    };
    at_once(assert_shared_quota(make));
}

struct InMemory {
    leases: Arc<MemoryLeases>,
    millis: Arc<AtomicU64>,
}

#[async_trait]
impl LeasesUnderTest for InMemory {
    fn leases(&self) -> Arc<dyn Leases> {
        self.leases.clone()
    }

    async fn pass(&self, time: Duration) {
        self.millis.fetch_add(u64::try_from(time.as_millis()).unwrap(), Ordering::Relaxed);
    }

    async fn work(&self, slot: u8, there: bool) {
        self.leases.work(slot, there);
    }
}

#[test]
fn the_leases_in_memory_keep_the_contract() {
    let make = || {
        let millis = Arc::new(AtomicU64::new(0));
        let clock = millis.clone();
        let leases = MemoryLeases::new(move || Duration::from_millis(clock.load(Ordering::Relaxed)));
        ready(Box::new(InMemory { leases: Arc::new(leases), millis }) as Box<dyn LeasesUnderTest>)
    };
    at_once(assert_leases(make));
}

#[test]
fn subscriptions_in_memory_keep_the_contract() {
    let make = || {
        let products = ["p", "q"].map(|key| key.try_into().unwrap());
        let log = Arc::new(MemoryLog::default());
        let subscriptions = Arc::new(MemorySubscriptions::new(log.clone(), tight_limits(), products.clone()));
        ready(SubscriptionsUnderTest { subscriptions, log, products, keeps: Box::new(()) })
    };
    at_once(assert_subscriptions(make));
}

#[test]
fn the_log_in_memory_gives_what_came_back_once_more() {
    at_once(async {
        let (log, reader) = (MemoryLog::default(), ReaderName("reader".to_owned()));
        log.want(&reader, Wanted { of: vec![(None, [MessageKind::Status].into_iter().collect())] });
        let message = |kind| {
            let words = Words { topic: String::new(), body: bytes::Bytes::new(), trace: None };
            NewMessage { kind, device: device("d").key.clone(), at: UnixMillis::now(), words }
        };
        let (status, result) = (MessageKind::Status, MessageKind::Result);
        let appended = log.appended(log.newest());
        log.append(vec![message(status), message(result), message(status), message(status)]).await.unwrap();
        appended.await;

        let taken = log.take(&reader, 2).await.unwrap();
        let places = |taken: &[Taken]| taken.iter().map(|one| (one.message.place, one.tries)).collect::<Vec<_>>();
        assert_eq!(places(&taken), [(1, 0), (2, 0)]);
        let back = |place, again_at| GivenBack { place, again_at, tried: true, why: "why".to_owned() };
        log.give_back(&reader, vec![back(1, Some(UnixMillis(0))), back(2, None)]);
        let standing = log.standing(&reader).await.unwrap();
        assert_eq!((standing.unread, standing.again, standing.dead), (2, 1, 1));

        assert_eq!(places(&log.take_again(&reader, 9).await.unwrap()), [(1, 1)]);
        assert_eq!(log.dead(&reader, 0, 9).await.unwrap()[0].1, "why");
        assert_eq!(log.revive(&reader, Some(&[1, 2])).await, Ok(1));
        assert_eq!(log.skip(&reader).await, Ok(2));
        assert!(log.take(&reader, 9).await.unwrap().is_empty());
        log.settle(&reader, &[1]);
        log.append(vec![message(status)]).await.unwrap();
        log.take(&reader, 1).await.unwrap();
        log.give_back(&reader, vec![back(4, Some(UnixMillis(0)))]);
        log.settle(&reader, &[4]);
        assert_eq!(log.standing(&reader).await, Ok(crate::Standing::default()));
    });
}
