//! What MQTT 5 adds.

use rumqttc_v5::PubAck;

use super::*;

#[test]
fn an_expiry_is_rounded_up_to_whole_seconds() {
    let millis = |millis| seconds(Duration::from_millis(millis));
    assert_eq!([millis(0), millis(1), millis(999), millis(1000), millis(1001)], [0, 1, 1, 1, 2]);
    assert_eq!(seconds(Duration::MAX.saturating_sub(Duration::from_secs(1))), u32::MAX);
}

#[test]
fn a_refusal_is_not_taken_for_an_acknowledgement() {
    let word = |reason| acknowledged(Ok(PublishResult::Qos1(PubAck { pkid: 1, reason, properties: None })));
    assert_eq!(word(PubAckReason::Success), Ok(()));
    assert_eq!(word(PubAckReason::NoMatchingSubscribers), Err(DeliverError::Offline));
    for reason in [PubAckReason::NotAuthorized, PubAckReason::QuotaExceeded, PubAckReason::UnspecifiedError] {
        assert!(matches!(word(reason), Err(DeliverError::Refused(_))), "{reason:?}");
        let failed = acknowledged(Err(PublishNoticeError::V5PubAck(reason)));
        assert!(matches!(failed, Err(DeliverError::Refused(_))), "{reason:?}");
    }
}

#[test]
fn a_message_whose_session_ended_may_have_left() {
    for error in [PublishNoticeError::SessionReset, PublishNoticeError::Recv] {
        assert_eq!(acknowledged(Err(error)), Err(DeliverError::Lost));
    }
}
