//! Bytes and their bounds.

use super::*;

#[test]
fn content_is_base64_of_so_many_bytes_at_most() {
    let read = |text: &str| bytes(("MessageContent", text), 3);
    assert_eq!(read("YWJj").as_deref(), Ok(&b"abc"[..]));
    let refused = |text: &str| match read(text) {
        Err(ActionError::Service(failure)) => (failure.code, failure.outcome),
        other => panic!("{text}: {other:?}"),
    };
    assert_eq!(refused("YWJjZA=="), (ErrorCode::IllegalRequest, Outcome::TooLarge));
    assert_eq!(refused("plain text"), (ErrorCode::NotBase64, Outcome::InvalidArgs));
}
