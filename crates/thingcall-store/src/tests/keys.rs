//! Access keys.

use std::time::Duration;

use thingcall_core::{AccessKey, Keys, ResultShape, Secret, Target, UnixMillis};

use super::*;
use crate::{KeyError, NewKey, NewTemporaryKey};

#[tokio::test]
async fn the_first_key_is_made_once() {
    let bench = bench().await;
    let made = bench.store.first_key(NewKey::default()).await.unwrap().unwrap();
    assert!(made.id.starts_with("LTAI") && made.secret.expose().len() == 30 && made.enabled);
    assert!(bench.store.first_key(NewKey::default()).await.unwrap().is_none());
    let bench = bench.reopened().await;
    assert!(bench.store.first_key(NewKey::default()).await.unwrap().is_none());
    assert_eq!(bench.store.key(&made.id).unwrap().secret, made.secret);
}

#[tokio::test]
async fn a_key_is_kept_as_it_was_given() {
    let bench = bench().await;
    let new = NewKey {
        id: Some("STS.abc".into()),
        secret: Some(Secret::new("1e5")),
        account: "acme".into(),
        security_token: Some(Secret::new("token")),
        result: Some(ResultShape::Data),
        allow: Some("actions=Query*\nproducts=a*".parse().unwrap()),
    };
    bench.store.add_key(new).await.unwrap();
    let bench = bench.reopened().await;
    let key = bench.store.key("STS.abc").unwrap();
    assert_eq!((key.secret.expose(), key.account.as_str(), key.result), ("1e5", "acme", Some(ResultShape::Data)));
    assert_eq!(key.security_token.as_ref().unwrap().expose(), "token");
    assert!(!format!("{key:?}").contains("1e5"));
    assert_eq!(key.allow.as_ref().unwrap().to_string(), "actions=Query*\nproducts=a*");
}

#[tokio::test]
async fn rules_of_a_key_are_replaced_and_taken_away() {
    let bench = bench().await;
    let id = bench.store.first_key(NewKey::default()).await.unwrap().unwrap().id;
    let rules = || bench.store.key(&id).unwrap().allow.clone().map(|rules| rules.to_string());
    bench.store.set_key_allow(&id, Some(&"groups=*".parse().unwrap())).await.unwrap();
    assert_eq!(rules().as_deref(), Some("groups=*"));
    bench.store.set_key_allow(&id, None).await.unwrap();
    assert_eq!(rules(), None);
    assert_eq!(bench.store.set_key_allow("x", None).await.unwrap_err(), KeyError::NoKey("x".into()));
}

#[tokio::test]
async fn rules_that_cannot_be_read_allow_nothing() {
    let bench = bench().await;
    let id = bench.store.first_key(NewKey::default()).await.unwrap().unwrap().id;
    bench.run("UPDATE access_keys SET allowed = 'colours=red'").await;
    let bench = bench.reopened().await;
    let key = bench.store.key(&id).unwrap();
    assert!(!key.allows("InvokeThingService", Target::Product("a")));
}

#[tokio::test]
async fn a_disabled_key_stays_known_and_disabled_until_it_is_enabled() {
    let bench = bench().await;
    let made = bench.store.first_key(NewKey::default()).await.unwrap().unwrap();
    bench.store.set_key_enabled(&made.id, false).await.unwrap();
    assert!(!bench.store.key(&made.id).unwrap().enabled);
    let bench = bench.reopened().await;
    assert!(!bench.store.keys()[0].enabled);
    bench.store.set_key_enabled(&made.id, true).await.unwrap();
    assert!(bench.store.key(&made.id).unwrap().enabled);
    let bench = bench.reopened().await;
    assert!(bench.store.keys()[0].enabled);
    assert_eq!(bench.store.set_key_enabled("x", false).await.unwrap_err(), KeyError::NoKey("x".into()));
}

#[tokio::test]
async fn a_key_that_cannot_be_used_is_refused() {
    let bench = bench_with(Config { keys_max: std::num::NonZeroUsize::MIN, ..Config::default() }).await;
    let with =
        |id: &str, secret: &str| NewKey { id: Some(id.into()), secret: Some(Secret::new(secret)), ..NewKey::default() };
    for id in ["", "a b", "a&b", "ü", &"x".repeat(129)] {
        assert!(matches!(bench.store.add_key(with(id, "s")).await, Err(KeyError::BadId(_))), "{id:?}");
    }
    assert_eq!(bench.store.add_key(with("a", "")).await.unwrap_err(), KeyError::EmptySecret);
    bench.store.add_key(with("a", "s")).await.unwrap();
    assert_eq!(bench.store.add_key(with("b", "s")).await.unwrap_err(), KeyError::Full(1));
}

#[tokio::test]
async fn a_taken_key_id_is_refused() {
    let bench = bench().await;
    let made = bench.store.first_key(NewKey::default()).await.unwrap().unwrap();
    let again = NewKey { id: Some(made.id.clone()), ..NewKey::default() };
    assert_eq!(bench.store.add_key(again).await.unwrap_err(), KeyError::Exists(made.id));
}

fn temporary(of: &str, seconds: u64) -> NewTemporaryKey {
    NewTemporaryKey { of: of.to_owned(), lasts: Duration::from_secs(seconds), allow: None }
}

#[tokio::test]
async fn a_temporary_key_may_what_its_key_may_and_no_longer() {
    let bench = bench().await;
    let new = NewKey { id: Some("partner".into()), account: "acme".into(), ..NewKey::default() };
    bench.store.add_key(new).await.unwrap();
    let narrow = NewTemporaryKey { allow: Some("actions=Query*".parse().unwrap()), ..temporary("partner", 3600) };
    let wide = bench.store.add_temporary_key(temporary("partner", 3600)).await.unwrap();
    let narrow = bench.store.add_temporary_key(narrow).await.unwrap();
    assert!(wide.id.starts_with("STS.") && wide.security_token.is_some() && wide.account == "acme", "{wide:?}");
    let bench = bench.reopened().await;
    let may = |key: &AccessKey, action| {
        let now = UnixMillis::now();
        let key = bench.store.key(&key.id).unwrap();
        key.stands(now) && key.allows(action, Target::Product("a"))
    };
    assert!(may(&wide, "Invoke") && may(&narrow, "QueryProduct") && !may(&narrow, "Invoke"));

    bench.store.set_key_allow("partner", Some(&"products=b".parse().unwrap())).await.unwrap();
    assert!(!may(&wide, "Invoke") && !may(&narrow, "QueryProduct"));
    bench.store.set_key_allow("partner", None).await.unwrap();
    bench.store.set_key_enabled("partner", false).await.unwrap();
    assert!(!may(&wide, "Invoke") && !may(&narrow, "QueryProduct"));
    bench.store.set_key_enabled("partner", true).await.unwrap();
    let key = bench.store.key(&wide.id).unwrap();
    let ends_at = key.temporary.as_ref().unwrap().ends_at;
    assert!(may(&wide, "Invoke") && !key.stands(ends_at) && key.stands(UnixMillis(ends_at.0 - 1)));
}

#[tokio::test]
async fn temporary_keys_have_a_limit_and_leave_when_they_have_ended() {
    let config =
        Config { temporary_keys_max: 2.try_into().unwrap(), keys_max: 1.try_into().unwrap(), ..Config::default() };
    let bench = bench_with(config).await;
    let id = bench.store.first_key(NewKey::default()).await.unwrap().unwrap().id;
    let first = bench.store.add_temporary_key(temporary(&id, 3600)).await.unwrap();
    bench.store.add_temporary_key(temporary(&id, 3600)).await.unwrap();
    let full = bench.store.add_temporary_key(temporary(&id, 3600)).await.unwrap_err();
    assert_eq!(full, KeyError::TemporaryFull(2));

    bench.run("UPDATE access_keys SET ends_at = 1 WHERE ends_at IS NOT NULL").await;
    bench.store.add_temporary_key(temporary(&id, 3600)).await.unwrap();
    assert!(bench.store.key(&first.id).is_none() && bench.store.keys().len() == 2);
    assert!(bench.other().await.key(&first.id).is_none());
}

#[tokio::test]
async fn of_what_no_temporary_key_is_made() {
    let bench = bench().await;
    let id = bench.store.first_key(NewKey::default()).await.unwrap().unwrap().id;
    let made = bench.store.add_temporary_key(temporary(&id, 1)).await.unwrap().id;
    for (new, why) in [
        (temporary("x", 60), KeyError::NoKey("x".into())),
        (temporary(&made, 60), KeyError::IsTemporary(made.clone())),
        (temporary(&id, 0), KeyError::Lifetime),
        (temporary(&id, 7 * 24 * 3600 + 1), KeyError::Lifetime),
    ] {
        assert_eq!(bench.store.add_temporary_key(new).await.unwrap_err(), why);
    }
    bench.store.set_key_enabled(&id, false).await.unwrap();
    assert_eq!(bench.store.add_temporary_key(temporary(&id, 60)).await.unwrap_err(), KeyError::Disabled(id));
}

#[tokio::test]
async fn a_key_is_removed_with_those_that_were_made_of_it() {
    let bench = bench().await;
    let store = &bench.store;
    for id in ["one", "other"] {
        store.add_key(NewKey { id: Some(id.to_owned()), ..NewKey::default() }).await.unwrap();
    }
    let lasts = Duration::from_secs(60);
    let of_one = store.add_temporary_key(NewTemporaryKey { of: "one".to_owned(), lasts, allow: None }).await.unwrap();
    let other = bench.other().await;
    assert!(other.key(&of_one.id).is_some());
    store.remove_key("one").await.unwrap();
    assert!(store.key("one").is_none() && store.key(&of_one.id).is_none() && store.key("other").is_some());
    assert_eq!(store.remove_key("one").await.unwrap_err(), KeyError::NoKey("one".to_owned()));
    while other.key("one").is_some() || other.key(&of_one.id).is_some() {
        tokio::task::yield_now().await;
    }
}
