//! User names as the platform's samples write them, and the signatures that belong to them.

use super::{User, UserFault};
use crate::machine::BodyEncoding;

const SECRET: &[u8] = b"testsecret";

fn name(method: &str, more: &str) -> String {
    format!(
        "app|authMode=aksign,signMethod={method},timestamp=1573489088171,authId=testid,consumerGroupId=DEFAULT_GROUP{more}|"
    )
}

#[test]
fn signatures_are_those_of_the_platform() {
    for (method, password) in [
        ("hmacmd5", "I/Tb6mPPa1CH7tc+1vO7lQ=="),
        ("hmacsha1", "RG+3WYzI9qDD0P9m6ER+maK4yH0="),
        ("hmacsha256", "dAMr0c09P/ECCozeLuJydCVfplDP8RzdvNouS3nf3EA="),
    ] {
        let name = name(method, "");
        let user = User::read(&name).expect("a user name");

        assert!(user.proves(password.as_bytes(), SECRET), "{method}");
        assert!(!user.proves(password.as_bytes(), b"another"), "{method}");
        assert!(!user.proves(b"", SECRET), "{method}");
        assert!(!user.proves(&password.as_bytes()[1..], SECRET), "{method}");
    }
}

#[test]
fn token_with_equal_signs_is_signed_between_key_and_time() {
    let name = "app|authMode=ststoken,securityToken=TOKEN==,signMethod=hmacsha1,timestamp=1573489088171,authId=testid,\
                consumerGroupId=DEFAULT_GROUP|";
    let user = User::read(name).expect("a user name");

    assert_eq!(user.security_token, Some("TOKEN=="));
    assert!(user.proves(b"ycWP26gEtHu4Fex5wj9EzyZc5ow=", SECRET));
}

#[test]
fn methods_are_compared_without_case() {
    let name = name("Hmacsha1", "");
    let user = User::read(&name).expect("the Go sample's user name");

    assert!(user.proves(b"RG+3WYzI9qDD0P9m6ER+maK4yH0=", SECRET));
}

#[test]
fn pairs_come_in_any_order() {
    let pairs = ["authMode=aksign", "signMethod=hmacsha1", "timestamp=1", "authId=testid", "consumerGroupId=G"];
    for turn in 0..pairs.len() {
        let mut pairs = pairs;
        pairs.rotate_left(turn);
        let name = format!("app|{}|", pairs.join(","));
        let user = User::read(&name).expect("a user name");

        assert_eq!((user.client_id, user.group, user.key_id), ("app", "G", "testid"));
    }
}

#[test]
fn instance_may_be_absent_or_empty() {
    for (more, instance) in [("", None), (",iotInstanceId=", None), (",iotInstanceId=iot-1", Some("iot-1"))] {
        let name = name("hmacsha1", more);
        assert_eq!(User::read(&name).expect("a user name").instance, instance, "{more}");
    }
}

#[test]
fn old_and_tiny_timestamps_are_taken() {
    for timestamp in ["1573489088171", "7", "0"] {
        let name = format!("app|authMode=aksign,signMethod=hmacsha1,timestamp={timestamp},authId=a,consumerGroupId=G|");
        User::read(&name).expect("no window of time");
    }
}

#[test]
fn body_encoding_is_asked_for_by_the_user_name() {
    let (plain, encoded) = (name("hmacsha1", ""), name("hmacsha1", ",encode=base64"));
    assert_eq!(User::read(&plain).expect("a user name").body, BodyEncoding::Plain);
    assert_eq!(User::read(&encoded).expect("a user name").body, BodyEncoding::Base64);
}

#[test]
fn what_is_wrong_is_named() {
    let check = |name: &str, fault| assert_eq!(User::read(name), Err(fault), "{name}");
    check("", UserFault::Form);
    check("app", UserFault::Form);
    check("|authMode=aksign|", UserFault::ClientId);
    check(&format!("{}|authMode=aksign|", "x".repeat(65)), UserFault::ClientId);
    check("app||", UserFault::Missing("authMode"));
    check("app|authMode=other|", UserFault::AuthMode);
    check("app|authMode=ststoken,timestamp=1|", UserFault::Missing("securityToken"));
    check("app|authMode=aksign,timestamp=now|", UserFault::Timestamp);
    check("app|authMode=aksign,timestamp=1,authId=a|", UserFault::Missing("consumerGroupId"));
    check("app|authMode=aksign,timestamp=1,authId=a,consumerGroupId=G,signMethod=md5|", UserFault::SignMethod);
    check(&"x".repeat(7000), UserFault::TooLong);
}

#[test]
fn what_a_refused_name_says_is_shown_as_far_as_it_goes() {
    let all = User::shown("c|authMode=none,consumerGroupId=G,x,authId=K|");
    assert_eq!(all, ("c", Some("K"), Some("G")));
    assert_eq!(User::shown("c|authId=,consumerGroupId"), ("c", None, None));
    assert_eq!(User::shown("guest"), ("guest", None, None));
}
