//! What the refusals say.

use super::*;

#[test]
fn every_status_is_counted_from_the_start() {
    for refusal in [
        GatewayError::Method(String::new()),
        GatewayError::KeyUnknown,
        GatewayError::KeyInactive,
        GatewayError::UriTooLong { bytes: 1, max: 0 },
        GatewayError::BodyTooLarge { max: 0 },
        GatewayError::BodyTimeout(Duration::ZERO),
        GatewayError::BodyType(String::new()),
        GatewayError::NonceUsed,
    ] {
        assert!(GatewayError::STATUSES.contains(&refusal.status()), "{refusal:?}");
    }
}

#[test]
fn throttling_says_when_to_come_again_in_whole_seconds() {
    let throttled = |wait| GatewayError::Throttled { calls_per_second_max: 1, wait }.retry_after();
    assert_eq!(throttled(Duration::from_millis(2)), Some(1));
    assert_eq!(throttled(Duration::from_secs(2)), Some(2));
    assert_eq!(throttled(Duration::from_millis(2001)), Some(3));
    assert_eq!(GatewayError::NonceUsed.retry_after(), None);
}

#[test]
fn sdks_find_their_own_string_after_the_first_colon() {
    let text = GatewayError::SignatureDoesNotMatch("POST&%2F&a".to_owned()).to_string();
    assert_eq!(text.split_once(':').unwrap().1, "POST&%2F&a");
    assert_eq!(text.split_once("string to sign is:").unwrap().1, "POST&%2F&a");
}
