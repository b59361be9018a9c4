//! Facts about the order of orders, and about what is left of them.

use std::sync::Arc;

use super::Orders;

#[tokio::test]
async fn orders_come_in_order_and_wake_the_one_that_waits() {
    let orders = Arc::new(Orders::new());
    let own = orders.clone();
    let session = tokio::spawn(async move { [own.next().await, own.next().await, own.next().await] });
    // It waits by now, as there is one thread.
    tokio::task::yield_now().await;
    orders.put(1).unwrap();
    tokio::task::yield_now().await;
    orders.put(2).unwrap();
    orders.put(3).unwrap();
    assert_eq!(session.await.unwrap(), [1, 2, 3]);
    assert_eq!(orders.take(), None);
}

#[test]
fn an_empty_queue_holds_no_memory() {
    let orders = Orders::new();
    for number in 0..100 {
        orders.put(number).unwrap();
    }
    assert_eq!((orders.len(), orders.take()), (100, Some(0)));
    while orders.take().is_some() {}
    assert_eq!(orders.queue().waiting.capacity(), 0);
}

#[test]
fn what_has_ended_takes_nothing_and_keeps_nothing() {
    let (orders, order) = (Orders::new(), Arc::new(()));
    orders.put(order.clone()).unwrap();
    assert!(!orders.is_over());
    orders.end();
    assert_eq!((Arc::strong_count(&order), orders.is_over()), (1, true));
    assert!(orders.put(order).is_err());
}
