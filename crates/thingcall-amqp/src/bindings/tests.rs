//! Which patterns are bound, and when.

use super::*;
use crate::tests::delivery;
use thingcall_core::Qos;

fn call(service: &str, mode: CallMode) -> Delivery {
    Delivery { service: service.parse().unwrap(), mode, ..delivery(7, "d1", Qos::AtMostOnce) }
}

#[test]
fn at_the_start_no_topic_of_a_request_is_bound() {
    let all: Vec<_> = Wanted::default().all().into_iter().collect();
    let replies =
        ["rrpc.response.*", "thing.model.down_raw_reply", "thing.model.up_raw", "thing.service.property.set_reply"];
    assert_eq!(all, replies.map(|reply| format!(".sys.*.*.{reply}")));
    assert!(Wanted::default().of(&call("set", CallMode::Async), SyncTopic::Rrpc).is_empty());
}

#[test]
fn a_request_adds_the_topics_of_its_answer_and_later_connections_have_them() {
    let wanted = Wanted::default();
    let own = ".sys.*.*.thing.service.fb:Set_reply";
    assert_eq!(wanted.of(&call("fb:Set", CallMode::Async), SyncTopic::Ext), [own]);
    assert_eq!(wanted.all().len(), 5);
    let ext = wanted.of(&call("fb:Set", CallMode::Sync), SyncTopic::Ext);
    assert_eq!(ext.len(), 4, "{ext:?}");
    assert!(wanted.all().contains(own) && wanted.all().len() == 8);
}

#[test]
fn services_without_end_take_bounded_room() {
    let wanted = Wanted::default();
    for at in 0..SERVICES_MAX + 10 {
        wanted.of(&call(&format!("s{at}"), CallMode::Async), SyncTopic::Rrpc);
    }
    assert_eq!(wanted.of(&call("another", CallMode::Async), SyncTopic::Rrpc), [ANY_SERVICE]);
    // The shared one has a place of its own.
    assert_eq!(wanted.all().len(), SERVICES_MAX + 1 + 4);
}
