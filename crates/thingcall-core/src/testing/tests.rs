//! The journal in memory keeps the contract.

use std::future::ready;
use std::task::{Context, Poll, Waker};

use super::*;
use crate::{DeviceKey, IotId};

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
    let checked = std::pin::pin!(assert_journal(make));
    // It never waits for anything.
    assert_eq!(checked.poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(()));
}
