//! What is carried, and what is known again.

use std::sync::Arc;

use bytes::Bytes;
use thingcall_core::{Extras, LetterTo};
use tokio::time::advance;

use super::*;

fn key() -> DeviceKey {
    DeviceKey { product: "pk".parse().unwrap(), name: "d1".parse().unwrap() }
}

fn letter(extras: Option<Extras>) -> Letter {
    let to = LetterTo::Topic(Arc::from("/pk/d1/user/get"));
    Letter { to, payload: Bytes::from_static(b"x"), extras: extras.map(Box::new) }
}

fn config(version: Version, posts: Posts) -> Config {
    Config { version, posts: Some(posts), ..Config::default() }
}

#[test]
fn what_the_version_cannot_carry_is_refused_and_so_is_what_would_come_back_as_a_report() {
    let carried = |version, posts, extras| carries(&config(version, posts), &key(), &letter(extras)).is_ok();
    let extras = || Some(Extras { response_topic: Some("/pk/d1/user/answer".to_owned()), ..Extras::default() });
    assert!(carried(Version::V4, Posts::Plain, None) && !carried(Version::V4, Posts::Plain, extras()));
    assert!(carried(Version::V5, Posts::Plain, extras()) && carried(Version::V5, Posts::Shared, extras()));
    assert!(!carried(Version::V4, Posts::Shared, None) && carried(Version::V4, Posts::None, None));
    // What our own subscriptions do not bring back goes all the same.
    let config_push = Letter { to: LetterTo::Topic(Arc::from("/sys/pk/d1/thing/config/push")), ..letter(None) };
    assert_eq!(carries(&config(Version::V4, Posts::Shared), &key(), &config_push), Ok(()));
    let question = Letter { to: LetterTo::RrpcOn(Arc::from("/pk/d1/user/get")), ..letter(None) };
    assert_eq!(carries(&config(Version::V4, Posts::Shared), &key(), &question), Ok(()));
    let elsewhere = Letter { to: LetterTo::Topic(Arc::from("/pk/d2/user/get")), ..letter(None) };
    let refused = carries(&config(Version::V5, Posts::Plain), &key(), &elsewhere);
    assert!(matches!(refused, Err(NotCarried::Topic(_))), "{refused:?}");
}

#[tokio::test(start_paused = true)]
async fn as_many_come_back_as_were_sent_and_soon() {
    let sent = Sent::default();
    sent.expect("/pk/d1/user/get", b"on");
    sent.expect("/pk/d1/user/get", b"on");
    assert!(!sent.take("/pk/d1/user/get", b"off") && !sent.take("/pk/d2/user/get", b"on"));
    assert!(sent.take("/pk/d1/user/get", b"on") && sent.take("/pk/d1/user/get", b"on"));
    assert!(!sent.take("/pk/d1/user/get", b"on"), "the third is the device's own");
    sent.expect("/pk/d1/user/get", b"on");
    advance(COMES_WITHIN).await;
    assert!(!sent.take("/pk/d1/user/get", b"on"), "it comes too late to be ours");
}
