//! What a cookie proves, and what it does not.

use std::time::Duration;

use thingcall_core::{AccessKey, Secret, UnixMillis};

use super::Session;

const HOUR: Duration = Duration::from_secs(3600);

fn key(secret: &str) -> AccessKey {
    AccessKey {
        id: "key.with dots".to_owned(),
        secret: Secret::new(secret),
        account: "default".to_owned(),
        enabled: true,
        security_token: None,
        result: None,
        allow: None,
        temporary: None,
    }
}

#[test]
fn a_session_holds_for_its_time_and_its_key_alone() {
    let begun = UnixMillis(1_000_000);
    let key = key("secret");
    let session = Session::begin(&key.id, begun).unwrap();
    let cookie = session.sealed(&key);
    assert!(!cookie.contains("secret"));
    let claimed = Session::claimed(&cookie).unwrap();
    assert_eq!(claimed, session);
    assert!(claimed.holds(&cookie, &key, UnixMillis(begun.0 + 3_599_999), HOUR));
    assert!(!claimed.holds(&cookie, &key, UnixMillis(begun.0 + 3_600_000), HOUR));
    assert!(!claimed.holds(&cookie, &key, UnixMillis(begun.0 - 1), HOUR), "it would begin later");
    assert!(!claimed.holds(&cookie, &self::key("another"), begun, HOUR));
    assert!(!claimed.holds(&cookie, &AccessKey { enabled: false, ..key }, begun, HOUR));
}

#[test]
fn nothing_of_a_cookie_can_be_changed() {
    let begun = UnixMillis(1_000_000);
    let key = key("secret");
    let cookie = Session::begin(&key.id, begun).unwrap().sealed(&key);
    for at in 0..cookie.len() {
        let mut other = cookie.clone().into_bytes();
        other[at] = if other[at] == b'A' { b'B' } else { b'A' };
        let other = String::from_utf8(other).unwrap();
        let holds = Session::claimed(&other).is_some_and(|claimed| claimed.holds(&other, &key, begun, HOUR));
        assert!(!holds, "{other} in place of {cookie}");
    }
    for junk in ["", ".", "...", "a.b.c.d", "====.1.x.y"] {
        assert!(Session::claimed(junk).is_none_or(|claimed| !claimed.holds(junk, &key, begun, HOUR)));
    }
}

#[test]
fn a_form_token_is_of_its_session_and_is_no_login() {
    let key = key("secret");
    let (one, two) = (Session::begin(&key.id, UnixMillis(1)).unwrap(), Session::begin(&key.id, UnixMillis(1)).unwrap());
    assert!(one.is_form_token(&key, &one.form_token(&key)));
    assert!(!one.is_form_token(&key, &two.form_token(&key)));
    assert!(!one.is_form_token(&key, ""));
    assert!(!one.sealed(&key).ends_with(&one.form_token(&key)));
}
