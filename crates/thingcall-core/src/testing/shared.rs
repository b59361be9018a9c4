//! What every [`SharedNonces`] and every [`SharedQuota`] must do, whatever it keeps them in.

use std::any::Any;
use std::future::poll_fn;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use crate::{Grant, NonceUse, NonceVerdict, SharedNonces, SharedQuota, UnixMillis, Want};

/// Two instances of what is shared between them, with nothing in it yet.
pub struct SharedUnderTest<T: ?Sized> {
    /// As the first instance has it, and as the second has.
    pub instances: [Arc<T>; 2],
    /// What must live as long.
    pub keeps: Box<dyn Any + Send>,
}

impl<T: ?Sized> SharedUnderTest<T> {
    fn first(&self) -> &T {
        let [first, _] = &self.instances;
        first
    }

    fn second(&self) -> &T {
        let [_, second] = &self.instances;
        second
    }
}

/// Holds shared nonces to all that is asked of them; each fact gets a set of its own.
///
/// # Panics
/// Where it breaks a fact.
pub async fn assert_shared_nonces(make: impl AsyncFn() -> SharedUnderTest<dyn SharedNonces>) {
    a_nonce_is_new_once_for_all_instances(make().await).await;
    of_many_at_once_one_is_the_first(make().await).await;
    any_text_is_a_nonce(make().await).await;
    what_was_signed_before_all_is_too_old(make().await).await;
}

/// Holds a shared quota to all that is asked of it; each fact gets one of its own.
///
/// # Panics
/// Where it breaks a fact.
pub async fn assert_shared_quota(make: impl AsyncFn() -> SharedUnderTest<dyn SharedQuota>) {
    all_instances_reserve_from_one_quota(make().await).await;
    of_many_at_once_nobody_reserves_what_another_has(make().await).await;
    what_was_used_is_paid_back(make().await).await;
    what_is_given_back_is_there_for_others(make().await).await;
    a_bucket_fills_up_again(make().await).await;
    accounts_have_a_quota_each_and_answers_their_order(make().await).await;
}

/// Signed late enough for a set that begins now.
fn used<'a>(key: &'a str, nonce: &'a str) -> NonceUse<'a> {
    let signed_at = UnixMillis(UnixMillis::now().0 + 10_000);
    NonceUse { key, nonce, signed_at, keep: Duration::from_secs(600) }
}

async fn a_nonce_is_new_once_for_all_instances(set: SharedUnderTest<dyn SharedNonces>) {
    assert_eq!(set.first().note(used("k1", "n1")).await, Ok(NonceVerdict::New));
    assert_eq!(set.second().note(used("k1", "n1")).await, Ok(NonceVerdict::Used));
    assert_eq!(set.first().note(used("k1", "n1")).await, Ok(NonceVerdict::Used));
    assert_eq!(set.second().note(used("k1", "n2")).await, Ok(NonceVerdict::New));
    assert_eq!(set.second().note(used("k2", "n1")).await, Ok(NonceVerdict::New), "another key's is another");
    assert_eq!(set.first().note(used("k", "1n1")).await, Ok(NonceVerdict::New), "where a key ends is part of it");
}

async fn of_many_at_once_one_is_the_first(set: SharedUnderTest<dyn SharedNonces>) {
    let names: Vec<String> = (0..50).map(|number| format!("n{number}")).collect();
    let asked = (0..8).flat_map(|turn| names.iter().map(move |name| (turn, name)));
    let asked = asked.map(|(turn, name)| {
        let instance = if turn % 2 == 0 { set.first() } else { set.second() };
        async move { (name, instance.note(used("k", name)).await) }
    });
    let told = together(asked).await;
    for name in &names {
        let first = told.iter().filter(|(of, verdict)| *of == name && *verdict == Ok(NonceVerdict::New)).count();
        let used = told.iter().filter(|(of, verdict)| *of == name && *verdict == Ok(NonceVerdict::Used)).count();
        assert_eq!((first, used), (1, 7), "{name}: {told:?}");
    }
}

async fn any_text_is_a_nonce(set: SharedUnderTest<dyn SharedNonces>) {
    let long = "x".repeat(20_000);
    let longer = format!("{long}y");
    for nonce in ["", "\0", "\0\0", "'; DROP TABLE nonces; --", "a\r\nb", "\u{1F600}", "a b", &long, &longer] {
        assert_eq!(set.first().note(used("k\r\n", nonce)).await, Ok(NonceVerdict::New), "{nonce:?}");
        assert_eq!(set.second().note(used("k\r\n", nonce)).await, Ok(NonceVerdict::Used), "{nonce:?}");
    }
}

async fn what_was_signed_before_all_is_too_old(set: SharedUnderTest<dyn SharedNonces>) {
    let old = NonceUse { signed_at: UnixMillis(0), ..used("k", "old") };
    let verdict = set.first().note(old).await;
    let Ok(NonceVerdict::TooOld { began }) = verdict else {
        assert_eq!(verdict, Ok(NonceVerdict::TooOld { began: UnixMillis(0) }), "with whatever time");
        return;
    };
    assert_eq!(began.0.rem_euclid(1000), 0, "a whole second: {began:?}");
    assert!(began.0 > 1_000_000_000_000, "{began:?}");
    let again = NonceUse { nonce: "older", ..old };
    assert_eq!(set.second().note(again).await, verdict, "it began once");
    let just = NonceUse { signed_at: began, ..used("k", "just") };
    assert_eq!(set.second().note(just).await, Ok(NonceVerdict::New));
}

fn max(calls: u32) -> NonZeroU32 {
    NonZeroU32::new(calls).expect("more than 0")
}

fn want(account: &str, ahead: u32) -> Want {
    Want { account: account.to_owned(), ahead, ..Want::default() }
}

async fn settle(quota: &dyn SharedQuota, want: Want, calls_per_second_max: u32) -> Grant {
    let grants = quota.reserve(&[want], max(calls_per_second_max)).await.expect("it can be asked");
    assert_eq!(grants.len(), 1, "one answer to one: {grants:?}");
    grants.into_iter().next().expect("one answer")
}

/// How many calls of a bucket there can be at most, full at the start and filled up since. A machine may be slow, so the
/// time that passed is what counts.
fn at_most(calls_per_second_max: u32, since: Instant) -> f64 {
    f64::from(calls_per_second_max) * (1.0 + since.elapsed().as_secs_f64())
}

async fn all_instances_reserve_from_one_quota(quota: SharedUnderTest<dyn SharedQuota>) {
    let since = now();
    let first = settle(quota.first(), want("a", 6), 10).await;
    assert_eq!(first.calls, 6, "{first:?}");
    let second = settle(quota.second(), want("a", 100), 10).await;
    assert!(second.calls >= 4, "{second:?}");
    let third = settle(quota.first(), want("a", 100), 10).await;
    assert!(f64::from(first.calls + second.calls + third.calls) <= at_most(10, since), "{second:?} {third:?}");
}

async fn of_many_at_once_nobody_reserves_what_another_has(quota: SharedUnderTest<dyn SharedQuota>) {
    let since = now();
    let asked = (0..20).map(|turn| {
        let instance = if turn % 2 == 0 { quota.first() } else { quota.second() };
        settle(instance, want("a", 3), 30)
    });
    let calls: u32 = together(asked).await.iter().map(|grant| grant.calls).sum();
    assert!(calls >= 30 && f64::from(calls) <= at_most(30, since), "{calls}");
}

async fn what_was_used_is_paid_back(quota: SharedUnderTest<dyn SharedQuota>) {
    // At 10 a second, these take a day.
    let day = Duration::from_secs(24 * 3600);
    let since = now();
    let used = Want { used: 864_000, ..want("a", 5) };
    let grant = settle(quota.first(), used, 10).await;
    assert!(grant.calls == 0 && grant.full_in <= day && grant.full_in >= day - since.elapsed(), "{grant:?}");
    let grant = settle(quota.second(), want("a", 5), 10).await;
    assert!(grant.calls == 0 && grant.full_in <= day && grant.full_in >= day - since.elapsed(), "{grant:?}");
}

async fn what_is_given_back_is_there_for_others(quota: SharedUnderTest<dyn SharedQuota>) {
    assert_eq!(settle(quota.first(), want("a", 10), 10).await.calls, 10);
    let back = settle(quota.first(), Want { unused: 10, ..want("a", 0) }, 10).await;
    assert_eq!(back, Grant { calls: 0, full_in: Duration::ZERO });
    let others = settle(quota.second(), want("a", 50), 10).await;
    assert_eq!(others.calls, 10, "no more than a second's calls, whatever was given back: {others:?}");
}

async fn a_bucket_fills_up_again(quota: SharedUnderTest<dyn SharedQuota>) {
    let most = 100_000;
    assert_eq!(settle(quota.first(), want("a", most), most).await.calls, most);
    // As quick as the store answers: each round trip is some calls' time.
    let since = now();
    let mut calls = 0;
    while calls == 0 && since.elapsed() < Duration::from_secs(30) {
        calls = settle(quota.second(), want("a", 1), most).await.calls;
    }
    assert_eq!(calls, 1);
}

async fn accounts_have_a_quota_each_and_answers_their_order(quota: SharedUnderTest<dyn SharedQuota>) {
    let wants = [want("b\0'", 7), want("a", 3), want("", 0), want("\u{1F600}", 5)];
    let grants = quota.first().reserve(&wants, max(10)).await.expect("it can be asked");
    let calls: Vec<u32> = grants.iter().map(|grant| grant.calls).collect();
    assert_eq!(calls, [7, 3, 0, 5]);
    assert_eq!(quota.second().reserve(&[], max(10)).await, Ok(Vec::new()));
    let turned: Vec<Want> = wants.iter().rev().map(|want| Want { ahead: 3, ..want.clone() }).collect();
    let grants = quota.second().reserve(&turned, max(10)).await.expect("it can be asked");
    let calls: Vec<u32> = grants.iter().map(|grant| grant.calls).collect();
    assert_eq!(calls, [3, 3, 3, 3]);
}

#[expect(clippy::disallowed_methods, reason = "it is the store's time that passes, whatever a test's runtime says")]
fn now() -> Instant {
    Instant::now()
}

/// Runs them beside each other, and returns what they gave in their order.
async fn together<F: Future>(all: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<Pin<Box<F>>> = all.into_iter().map(Box::pin).collect();
    let mut done: Vec<Option<F::Output>> = running.iter().map(|_| None).collect();
    poll_fn(|context| {
        for (one, done) in running.iter_mut().zip(&mut done) {
            if done.is_none()
                && let Poll::Ready(output) = one.as_mut().poll(context)
            {
                *done = Some(output);
            }
        }
        if done.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    done.into_iter().flatten().collect()
}
