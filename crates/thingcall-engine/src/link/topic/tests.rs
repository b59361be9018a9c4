//! Which topic is next.

use super::*;

/// The topics of so many calls in a row that are not answered.
fn topics(known: Option<SyncTopic>, assumed: SyncTopic, calls: u8) -> Vec<SyncTopic> {
    (0..calls).map(|unanswered| next_topic(known, unanswered, assumed)).collect()
}

#[test]
fn a_device_that_was_never_heard_is_tried_on_both_in_turns() {
    use SyncTopic::{Ext, Rrpc, Service};
    assert_eq!(topics(None, Rrpc, 4), [Rrpc, Ext, Rrpc, Ext]);
    assert_eq!(topics(None, Ext, 3), [Ext, Rrpc, Ext]);
    assert_eq!(topics(None, Service, 3), [Service; 3]);
}

#[test]
fn a_device_that_was_heard_is_seldom_tried_on_the_other() {
    use SyncTopic::{Ext, Rrpc, Service};
    let topics_of_known = topics(Some(Ext), Rrpc, 40);
    let others: Vec<usize> = (0..40).filter(|at| topics_of_known[*at] == Rrpc).collect();
    assert_eq!(others, [15, 31]);
    assert_eq!(topics(Some(Service), Rrpc, 5), [Service; 5]);
}

#[test]
fn the_turns_go_on_where_the_count_begins_anew() {
    for known in [None, Some(SyncTopic::Rrpc)] {
        let at = |unanswered| next_topic(known, unanswered, SyncTopic::Rrpc);
        assert_eq!((at(u8::MAX), at(0)), (SyncTopic::Ext, SyncTopic::Rrpc));
    }
}
