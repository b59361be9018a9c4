//! Who is acknowledged when.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

type Acknowledged = Arc<Mutex<Vec<u32>>>;

fn bench(waiting_max: usize) -> (Arrivals<u32>, Acknowledged, IntCounter) {
    let (acknowledged, early) = (Acknowledged::default(), IntCounter::new("early", "of a test").unwrap());
    let list = acknowledged.clone();
    let acknowledge = move |one| {
        list.lock().unwrap().push(one);
        Ok(())
    };
    (Arrivals::new(waiting_max, early.clone(), acknowledge), acknowledged, early)
}

fn held(arrivals: &Arrivals<u32>, ack: u32) -> Receipt {
    let arriving = arrivals.came();
    let receipt = arriving.hold();
    arriving.taken(ack);
    receipt
}

fn list(acknowledged: &Acknowledged) -> Vec<u32> {
    acknowledged.lock().unwrap().clone()
}

#[tokio::test(start_paused = true)]
async fn what_is_not_held_is_acknowledged_when_it_is_taken() {
    let (arrivals, acknowledged, _) = bench(9);
    arrivals.came().taken(1);
    arrivals.came().taken(2);
    assert_eq!(list(&acknowledged), [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn what_is_held_is_acknowledged_by_its_receipt_and_all_after_it_only_then() {
    let (arrivals, acknowledged, _) = bench(9);
    let (first, third) = (held(&arrivals, 1), {
        arrivals.came().taken(2);
        held(&arrivals, 3)
    });
    arrivals.came().taken(4);
    third.settle();
    assert_eq!(list(&acknowledged), [0_u32; 0], "the first is held");
    first.settle();
    assert_eq!(list(&acknowledged), [1, 2, 3, 4]);
}

#[tokio::test(start_paused = true)]
async fn receipt_may_be_settled_before_its_message_is_taken() {
    let (arrivals, acknowledged, _) = bench(9);
    let arriving = arrivals.came();
    arriving.hold().settle();
    assert_eq!(list(&acknowledged), [0_u32; 0]);
    arriving.taken(1);
    assert_eq!(list(&acknowledged), [1]);
}

#[tokio::test(start_paused = true)]
async fn receipt_that_is_dropped_leaves_its_message_unacknowledged() {
    let (arrivals, acknowledged, early) = bench(9);
    drop(held(&arrivals, 1));
    arrivals.came().taken(2);
    arrivals.look();
    assert_eq!((list(&acknowledged).len(), early.get()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_stands_still_holds_nothing_up_until_it_writes_again() {
    let (arrivals, acknowledged, early) = bench(9);
    let first = held(&arrivals, 1);
    arrivals.came().taken(2);
    tokio::time::advance(HELD_MAX).await;
    arrivals.look();
    assert_eq!((list(&acknowledged), early.get()), (vec![1, 2], 1));
    let second = held(&arrivals, 3);
    assert_eq!((list(&acknowledged), early.get()), (vec![1, 2, 3], 2), "it would wait as long again");
    // It writes.
    first.settle();
    second.settle();
    let _third = held(&arrivals, 4);
    assert_eq!((list(&acknowledged), early.get()), (vec![1, 2, 3], 2));
}

#[tokio::test(start_paused = true)]
async fn no_more_wait_than_may() {
    let (arrivals, acknowledged, early) = bench(2);
    let _receipts = [held(&arrivals, 1), held(&arrivals, 2)];
    assert_eq!(list(&acknowledged).len(), 0);
    arrivals.came().taken(3);
    assert_eq!((list(&acknowledged), early.get()), (vec![1, 2, 3], 2));
}

#[tokio::test(start_paused = true)]
async fn acknowledgement_that_finds_no_room_is_tried_again() {
    let (sent, room) = (Acknowledged::default(), Arc::new(AtomicUsize::new(0)));
    let (list_of, rooms) = (sent.clone(), room.clone());
    let arrivals = Arrivals::new(9, IntCounter::new("early", "of a test").unwrap(), move |one| {
        let place = rooms.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |rooms| rooms.checked_sub(1));
        place.map_err(|_| one)?;
        list_of.lock().unwrap().push(one);
        Ok(())
    });
    arrivals.came().taken(1);
    arrivals.came().taken(2);
    assert_eq!(list(&sent).len(), 0);
    room.store(9, Ordering::Relaxed);
    arrivals.look();
    assert_eq!(list(&sent), [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn what_waits_too_long_does_not_hold_up_what_comes_next() {
    let (arrivals, acknowledged, early) = bench(9);
    let _receipt = held(&arrivals, 1);
    tokio::time::advance(HELD_MAX).await;
    arrivals.came().taken(2);
    assert_eq!((list(&acknowledged), early.get()), (vec![1, 2], 1));
}

fn report(arrivals: &Arrivals<u32>, ack: u32) -> Receipt {
    let arriving = arrivals.came();
    let receipt = arriving.hold().of_report();
    arriving.taken(ack);
    receipt
}

#[tokio::test(start_paused = true)]
async fn report_is_acknowledged_by_its_receipt_alone_and_told_of_where_that_is_dropped() {
    let (acknowledged, unwritten) = (Acknowledged::default(), Arc::new(AtomicUsize::new(0)));
    let (list_of, told) = (acknowledged.clone(), unwritten.clone());
    let acknowledge = move |one| {
        list_of.lock().unwrap().push(one);
        Ok(())
    };
    let early = IntCounter::new("early", "of a test").unwrap();
    let tell = move || {
        told.fetch_add(1, Ordering::Relaxed);
    };
    let arrivals = Arrivals::with_reports((2, early.clone()), acknowledge, tell);
    let reply = held(&arrivals, 1);
    let [first, second] = [report(&arrivals, 2), report(&arrivals, 3)];
    tokio::time::advance(HELD_MAX).await;
    arrivals.came().taken(4);
    assert_eq!((list(&acknowledged), early.get()), (vec![1], 1), "the reply alone waits no longer");
    let third = report(&arrivals, 5);
    assert_eq!(list(&acknowledged), [1], "also where the store stands still");
    reply.settle();
    first.settle();
    assert_eq!((list(&acknowledged), unwritten.load(Ordering::Relaxed)), (vec![1, 2], 0));
    drop(second);
    third.settle();
    assert_eq!((list(&acknowledged), unwritten.load(Ordering::Relaxed)), (vec![1, 2], 1));
}

#[tokio::test(start_paused = true)]
async fn patient_ones_acknowledge_nothing_before_it_is_written() {
    let (_, acknowledged, early) = bench(0);
    let list_of = acknowledged.clone();
    let arrivals = Arrivals::patient(early.clone(), move |one| {
        list_of.lock().unwrap().push(one);
        Ok(())
    });
    let receipt = held(&arrivals, 1);
    tokio::time::advance(HELD_MAX * 100).await;
    arrivals.came().taken(2);
    arrivals.look();
    assert_eq!((list(&acknowledged).len(), early.get(), arrivals.held_for()), (0, 0, HELD_MAX * 100));
    receipt.settle();
    assert_eq!(list(&acknowledged), [1, 2]);
    assert!(arrivals.is_empty() && arrivals.held_for().is_zero());
}
