//! What one account may before it has asked.

use std::num::NonZeroU32;

use super::*;

const RATES: Rates = Rates { max: 100.0, share: 50.0 };

fn told(calls: u32, full_in: Duration) -> Grant {
    Grant { calls, full_in }
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Takes as many as there are, up to `most`.
fn take(account: &mut Account, now: Instant, most: u32) -> u32 {
    (0..most).take_while(|_| account.take(now, RATES).is_ok()).map(|_| 1).sum()
}

#[tokio::test(start_paused = true)]
async fn an_account_nobody_asked_for_gets_the_share_and_no_more() {
    let now = Instant::now();
    let mut account = Account::new(now);
    assert_eq!(take(&mut account, now, 1000), 50);
    assert_eq!(account.want("a", now, RATES).unwrap().used, 50);
    assert_eq!(take(&mut account, now, 1), 0, "what is told is owed until there is an answer");
    account.heard(told(0, ms(500)), now, now);
    assert_eq!(take(&mut account, now, 1000), 50, "the half that is left");
}

#[tokio::test(start_paused = true)]
async fn what_others_used_is_not_taken_again() {
    let now = Instant::now();
    let mut account = Account::new(now);
    account.heard(told(0, ms(990)), now, now);
    assert_eq!(take(&mut account, now + ms(50), 100), 2, "one, and one that is early: others take what comes back");
    let _told = account.want("a", now + ms(50), RATES);
    account.heard(told(0, ms(1500)), now + ms(50), now + ms(50));
    assert!(account.take(now + ms(400), RATES).is_err(), "in debt");
    let wait = account.take(now + ms(400), RATES).unwrap_err();
    assert!((ms(100)..ms(200)).contains(&wait), "{wait:?}");
    assert!(account.take(now + ms(400) + wait, RATES).is_ok());
}

#[tokio::test(start_paused = true)]
async fn one_call_at_a_time_is_taken_where_the_share_is_less_than_one() {
    let (now, rates) = (Instant::now(), Rates { max: 1.0, share: 1.0 / 3.0 });
    let mut account = Account::new(now);
    let max = NonZeroU32::MIN;
    let mut full_at = 0;
    for second in 0..10_u32 {
        let later = now + Duration::from_secs(second.into());
        assert_eq!(account.take(later, rates), Ok(TakenFrom::Expected), "{second}");
        assert!(account.take(later, rates).is_err(), "{second}: a second one");
        // Heard a while later, as it is.
        let want = account.want("a", later, rates).unwrap();
        let (settled, grant) = want.settle(full_at, i64::from(second) * 1_000_000 + 3000, max);
        full_at = settled;
        account.heard(grant, later + ms(2), later + ms(5));
    }
}

#[tokio::test(start_paused = true)]
async fn a_busy_account_reserves_ahead_and_gives_back_when_it_is_quiet() {
    let start = Instant::now();
    let mut account = Account::new(start);
    let mut reserved = 0;
    for tick in 1..=50_u32 {
        let now = start + ms(20) * tick;
        assert_eq!(take(&mut account, now, 1), 1, "{tick}");
        if let Some(want) = account.want("a", now, RATES) {
            reserved += want.ahead;
            account.heard(told(want.ahead, ms(0)), now, now);
        }
    }
    assert!((20..=60).contains(&reserved), "50 calls a second, nearly all reserved: {reserved}");
    let mut back = 0;
    for tick in 51..=120_u32 {
        let now = start + ms(20) * tick;
        if let Some(want) = account.want("a", now, RATES) {
            assert_eq!(want.ahead, 0);
            back += want.unused;
            account.heard(told(0, ms(0)), now, now);
        }
    }
    assert!(back > 0);
    assert!(account.is_idle(start + Duration::from_secs(3)), "{account:?}");
}

#[tokio::test(start_paused = true)]
async fn alone_it_gets_its_share_each_second() {
    let start = Instant::now();
    let mut account = Account::new(start);
    account.cut(start);
    let calls = (0..5000).filter(|milli| account.take_alone(start + ms(*milli), RATES).is_ok()).count();
    assert!((250..=300).contains(&calls), "five seconds of 50, and 50 at once: {calls}");

    let rates = Rates { max: 1.0, share: 0.25 };
    let mut account = Account::new(start);
    let calls = (0..20_000).filter(|milli| account.take_alone(start + ms(*milli), rates).is_ok()).count();
    assert_eq!(calls, 5, "one each four seconds");
}
