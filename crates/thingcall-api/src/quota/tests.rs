//! What is counted of calls that were let through and of those that were not.

use super::*;

#[tokio::test(start_paused = true)]
async fn the_account_that_made_most_calls_is_told_once_a_second() {
    let accounts = Accounts::new();
    let quota = Quota::own(NonZeroU32::new(4).unwrap(), Each::Call, accounts.clone());
    let (a, b) = ("a".to_owned(), "b".to_owned());
    for _ in 0..4 {
        quota.take(&a).expect("within the quota");
    }
    assert!(quota.take(&a).is_err(), "refused, and not counted");
    quota.take(&b).expect("its own quota");
    assert_eq!(accounts.calls_per_second().to_bits(), 0.0_f64.to_bits(), "not counted for a second yet");
    tokio::time::advance(Duration::from_secs(2)).await;
    let counted = accounts.calls_per_second();
    assert!((counted - 2.0).abs() < 0.01, "four calls in two seconds, {counted}");
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(accounts.calls_per_second().to_bits(), 0.0_f64.to_bits(), "none since");
}

#[test]
fn what_was_taken_long_ago_does_not_count_for_a_quota_of_another_size() {
    // A call was made an hour after the accounts began; now, an hour after, the quota is another one.
    let hour = Nanos::from(Duration::from_secs(3600));
    let now = DefaultClock::default().now();
    let accounts = Accounts::begun(now.saturating_sub(hour));
    let account = "a".to_owned();
    let taken: Result<(), ()> = accounts.measure_and_replace(&account, |_| Ok(((), hour)));
    taken.expect("it is taken");
    let quota = Quota::own(NonZeroU32::new(2).unwrap(), Each::Call, accounts.clone());
    quota.take(&account).expect("nothing is in the way");
    quota.take(&account).expect("two a second");
    assert!(quota.take(&account).is_err(), "and no more");
    let larger = Quota::own(NonZeroU32::new(2).unwrap(), Each::Call, accounts);
    assert!(larger.take(&account).is_err(), "what was taken just now counts on");
}
