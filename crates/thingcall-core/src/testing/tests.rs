//! What is kept in memory keeps the contracts.

use std::future::ready;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;

use super::*;
use crate::{DeviceKey, IotId, Leases, SharedNonces, SharedQuota};

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
