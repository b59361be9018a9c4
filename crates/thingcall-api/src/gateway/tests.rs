//! What the refusals say.

use std::collections::BTreeSet;

use super::*;

/// One of each, by its pattern: a new one does not compile until it stands here too.
macro_rules! every {
    ($($name:ident $fields:tt),* $(,)?) => {{
        let _none_is_left_out = |error: GatewayError| match error {
            $(GatewayError::$name { .. } => {})*
        };
        [$(every!(@ $name $fields)),*]
    }};
    (@ $name:ident {}) => { GatewayError::$name };
    (@ $name:ident $fields:tt) => { GatewayError::$name $fields };
}

#[test]
fn every_status_is_counted_from_the_start() {
    let (max, text) = (0, String::new);
    let all = every![
        Method { 0: text() },
        Path { 0: text() },
        Action { 0: text() },
        UriTooLong { bytes: 1, max },
        HeadTooLarge { max },
        TooManyHeaders { max },
        HeadTimeout { 0: Duration::ZERO },
        Malformed {},
        BytesFull { max },
        StreamsFull { what: "", setting: "", max },
        MessagesUnreadable {},
        BodyTooLarge { max },
        BodyTimeout { 0: Duration::ZERO },
        BodyUnreadable {},
        BodyType { 0: text() },
        TooManyParameters { max },
        Duplicate { 0: text() },
        Nul { 0: text() },
        Missing { 0: "" },
        Invalid { name: "", problem: text() },
        Version { 0: text() },
        KeyUnknown {},
        KeyInactive {},
        Forbidden { action: "", what: text() },
        SignatureDoesNotMatch { 0: text() },
        IncompleteSignature { 0: text() },
        SignatureMethod { 0: text() },
        ContentHash { 0: text() },
        NonceUsed {},
        Expired { off_seconds: 1, max_seconds: 0 },
        BeforeStart { seconds: 1 },
        BeforeMemory { seconds: 1 },
        NoncesUnknown {},
        TimeFormat { 0: text() },
        TokenMismatch {},
        TokenExpired {},
        OnceDiffers {},
        Throttled { max: 1, of: "calls", wait: Duration::ZERO },
        NoncesFull { nonces_max: 1, wait: Duration::ZERO },
    ];
    let given: BTreeSet<_> = all.iter().map(|error| error.status().as_u16()).collect();
    let counted: BTreeSet<_> = GatewayError::STATUSES.iter().map(StatusCode::as_u16).collect();
    assert_eq!(given, counted);
}

#[test]
fn throttling_says_when_to_come_again_in_whole_seconds() {
    let throttled = |wait| GatewayError::Throttled { max: 1, of: "calls", wait }.retry_after();
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
