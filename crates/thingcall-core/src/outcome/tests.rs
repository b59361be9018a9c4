//! Words that stand in stores, in metrics and in what callers get: derived from names, and never to change with them.

use enum_map::Enum;

use crate::{CallMode, DropReason, Executed, Outcome, RecordState, Repair, SyncTopic, TransportKind};

fn words<T: Enum + Into<&'static str>>() -> String {
    (0..T::LENGTH).map(|at| T::from_usize(at).into()).collect::<Vec<_>>().join(" ")
}

#[test]
fn words_of_outcomes_and_ways_stay_as_they_are() {
    assert_eq!(
        words::<Outcome>(),
        "ok device_error timeout offline not_delivered invalid_args invalid_reply too_large unknown_target denied throttled \
         overloaded transport_down plugin_failed cancelled draining no_lease internal"
    );
    assert_eq!(words::<TransportKind>(), "embedded mqtt amqp plugin");
    assert_eq!(words::<CallMode>(), "sync async");
    assert_eq!(
        [SyncTopic::Ext, SyncTopic::Rrpc, SyncTopic::Service].map(SyncTopic::as_str),
        ["ext", "rrpc", "service"]
    );
    let states = [RecordState::Queued, RecordState::Sent, RecordState::Acked, RecordState::Ended];
    assert_eq!(states.map(RecordState::as_str), ["queued", "sent", "acked", "ended"]);
}

#[test]
fn words_of_what_is_dropped_or_mended_stay_as_they_are() {
    assert_eq!(
        words::<DropReason>(),
        "unknown_id without_id unreadable unreadable_post unknown_device too_large untranslated rrpc_without_id \
         request_topic no_reply_suffix echo foreign_topic other_instance other_devices_topic other_devices_call overloaded"
    );
    assert_eq!(
        words::<Repair>(),
        "trailing_nul byte_order_mark id_as_float code_as_float code_as_text data_null data_empty_array data_empty_text \
         data_as_text"
    );
    assert_eq!([Executed::No, Executed::Yes, Executed::Maybe].map(Executed::as_str), ["no", "yes", "maybe"]);
}
