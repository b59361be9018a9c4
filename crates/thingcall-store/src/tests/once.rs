//! Tokens of calls that are made once.

use std::time::Duration;

use thingcall_core::{Claimed, OnceClaim, OnceEnd, OnceError, OnceKept, OnceKey, OnceState, OnceTokens};
use tokio::task::JoinSet;

use super::*;

const LAST: Duration = Duration::from_secs(3600);

fn key(token: &str) -> OnceKey {
    OnceKey { account: "acme".to_owned(), token: token.to_owned() }
}

fn claim(token: &str) -> OnceClaim {
    OnceClaim { key: key(token), digest: [7; 32], request_id: RequestId::random() }
}

async fn try_claim(store: &Store, claim: &OnceClaim) -> Result<Claimed, OnceError> {
    OnceTokens::claim(store, claim).await
}

async fn try_end(store: &Store, key: &OnceKey, request: &str, end: OnceEnd) -> Result<bool, OnceError> {
    OnceTokens::end(store, key, request, end).await
}

async fn state(store: &Store, token: &str) -> Option<OnceState> {
    store.look(&key(token)).await.unwrap().map(|kept| kept.state)
}

fn theirs(claimed: Claimed) -> OnceKept {
    match claimed {
        Claimed::Theirs(kept) => kept,
        Claimed::Ours => panic!("it is theirs"),
    }
}

#[tokio::test]
async fn of_many_who_claim_a_token_one_has_it() {
    let bench = bench().await;
    let other = bench.other().await;
    bench.serves(&bench.store, 0).await;
    if bench.on == On::Postgres {
        bench.serves(&other, 1).await;
    }
    let mut all = JoinSet::new();
    for i in 0..200 {
        // Many tokens at once, in whatever order: nobody waits in a circle.
        let (store, token) = (if i % 2 == 0 { bench.store.clone() } else { other.clone() }, format!("t{}", i * 7 % 10));
        all.spawn(async move { (token.clone(), try_claim(&store, &claim(&token)).await.unwrap()) });
    }
    let all = all.join_all().await;
    for token in (0..10).map(|i| format!("t{i}")) {
        let ours = all.iter().filter(|(of, claimed)| *of == token && *claimed == Claimed::Ours);
        assert_eq!(ours.count(), 1, "{token}");
    }
    let another_account = OnceClaim { key: OnceKey { account: "b".to_owned(), ..key("t0") }, ..claim("t0") };
    assert_eq!(try_claim(&bench.store, &another_account).await.unwrap(), Claimed::Ours);
}

#[tokio::test]
async fn an_answer_is_kept_and_only_who_claimed_ends() {
    let bench = bench().await;
    bench.serves(&bench.store, 0).await;
    let first = claim("a");
    let id = first.request_id.to_string();
    assert_eq!(try_claim(&bench.store, &first).await.unwrap(), Claimed::Ours);
    let kept = theirs(try_claim(&bench.store, &claim("a")).await.unwrap());
    assert_eq!((kept.digest, kept.request_id, kept.state), (vec![7; 32], id.clone(), OnceState::OnItsWay));

    let answer = vec![0, 1, 255];
    let end = |request: &str, end: OnceEnd| {
        let (store, request) = (bench.store.clone(), request.to_owned());
        async move { try_end(&store, &key("a"), &request, end).await.unwrap() }
    };
    assert!(!end("another", OnceEnd::Answer(vec![])).await && !end("another", OnceEnd::Release).await);
    assert!(end(&id, OnceEnd::Answer(answer.clone())).await);
    assert!(!end(&id, OnceEnd::Answer(vec![])).await && !end(&id, OnceEnd::Release).await, "it has ended");
    let bench = bench.reopened().await;
    bench.serves(&bench.store, 0).await;
    assert_eq!(state(&bench.store, "a").await, Some(OnceState::Ended(answer.clone())));
    assert_eq!(theirs(try_claim(&bench.store, &claim("a")).await.unwrap()).state, OnceState::Ended(answer));
}

#[tokio::test]
async fn a_token_that_is_released_is_free() {
    let bench = bench().await;
    bench.serves(&bench.store, 0).await;
    let first = claim("a");
    assert_eq!(try_claim(&bench.store, &first).await.unwrap(), Claimed::Ours);
    assert!(try_end(&bench.store, &first.key, &first.request_id.to_string(), OnceEnd::Release).await.unwrap());
    assert_eq!(state(&bench.store, "a").await, None);
    assert_eq!(try_claim(&bench.store, &claim("a")).await.unwrap(), Claimed::Ours);
}

#[tokio::test]
async fn what_a_dead_server_claimed_is_lost_with_the_call_that_is_on_record() {
    let bench = bench().await.with_devices(&["d1"]).await;
    bench.serves(&bench.store, 0).await;
    let (silent, accepted) = (claim("silent"), claim("accepted"));
    for claim in [&silent, &accepted] {
        assert_eq!(try_claim(&bench.store, claim).await.unwrap(), Claimed::Ours);
    }
    let device = bench.device("d1").await;
    let called = JournalEntry { request_id: accepted.request_id, ..entry(&device, 17, Qos::AtMostOnce) };
    bench.store.open(called).await.unwrap();
    if bench.on == On::Postgres {
        let other = bench.other().await;
        bench.serves(&other, 1).await;
        assert_eq!(state(&other, "silent").await, Some(OnceState::OnItsWay), "it lives");
    }

    let bench = bench.reopened().await;
    bench.serves(&bench.store, 0).await;
    assert_eq!(state(&bench.store, "silent").await, Some(OnceState::Lost { accepted: None }));
    let kept = theirs(try_claim(&bench.store, &claim("accepted")).await.unwrap());
    assert_eq!(kept.state, OnceState::Lost { accepted: Some(CallId::from_u32(17)) });
    assert!(try_end(&bench.store, &key("accepted"), &kept.request_id, OnceEnd::Answer(vec![1])).await.unwrap());
    assert_eq!(state(&bench.store, "accepted").await, Some(OnceState::Ended(vec![1])));
}

#[tokio::test]
async fn tokens_have_a_limit_and_are_over_in_the_end() {
    let config = Config { idempotency_tokens_max: 2.try_into().unwrap(), idempotency_keep: LAST, ..Config::default() };
    let bench = bench_with(config).await;
    bench.serves(&bench.store, 0).await;
    for token in ["a", "b"] {
        assert_eq!(try_claim(&bench.store, &claim(token)).await.unwrap(), Claimed::Ours);
    }
    let full = try_claim(&bench.store, &claim("c")).await.unwrap_err();
    assert!(matches!(&full, OnceError::Full(text) if text.contains("store.idempotency_tokens_max")), "{full}");

    bench.run("UPDATE once SET ends_at = 1").await;
    assert_eq!(state(&bench.store, "a").await, None);
    let bench = bench.reopened().await;
    bench.serves(&bench.store, 0).await;
    assert_eq!(try_claim(&bench.store, &claim("a")).await.unwrap(), Claimed::Ours, "what is over is in nobody's way");
}

/// One account used up what all had.
#[tokio::test]
async fn an_account_that_has_its_share_leaves_the_others_theirs() {
    let config = Config { idempotency_tokens_per_account_max: 2.try_into().unwrap(), ..Config::default() };
    let bench = bench_with(config).await;
    bench.serves(&bench.store, 0).await;
    for token in ["a", "b"] {
        assert_eq!(try_claim(&bench.store, &claim(token)).await.unwrap(), Claimed::Ours);
    }
    let full = try_claim(&bench.store, &claim("c")).await.unwrap_err();
    let said = "this account has 2 idempotency tokens, which is all that one account may have";
    assert!(full.to_string().contains(said), "{full}");
    let others = OnceClaim { key: OnceKey { account: "b".to_owned(), ..key("c") }, ..claim("c") };
    assert_eq!(try_claim(&bench.store, &others).await.unwrap(), Claimed::Ours);
    // What the database says is no other, also after a restart, once it was asked.
    let bench = bench.reopened().await;
    bench.serves(&bench.store, 0).await;
    let accounts = bench.store.shared().reads.once_size(UnixMillis::now()).await.unwrap();
    assert_eq!((accounts["acme"].tokens, accounts["b"].tokens), (2, 1));
    bench.store.shared().once.counted(accounts);
    assert!(matches!(try_claim(&bench.store, &claim("c")).await, Err(OnceError::Full(_))));
    assert!(bench.store.shared().once.most().bytes >= 800);

    let config = Config { idempotency_bytes_per_account_max: 800.try_into().unwrap(), ..Config::default() };
    let bench = bench_with(config).await;
    bench.serves(&bench.store, 0).await;
    for token in ["a", "b"] {
        assert_eq!(try_claim(&bench.store, &claim(token)).await.unwrap(), Claimed::Ours);
    }
    let full = try_claim(&bench.store, &claim("c")).await.unwrap_err();
    assert!(full.to_string().contains("store.idempotency_bytes_per_account_max"), "{full}");
}

#[tokio::test]
async fn an_account_has_no_more_than_its_share_and_keeps_what_it_has() {
    let config = Config { idempotency_tokens_per_account_max: 2.try_into().unwrap(), ..Config::default() };
    let bench = bench_with(config).await;
    bench.serves(&bench.store, 0).await;
    let first = claim("a");
    assert_eq!(try_claim(&bench.store, &first).await.unwrap(), Claimed::Ours);
    let answer = OnceEnd::Answer(vec![7; 300_000]);
    assert!(try_end(&bench.store, &first.key, &first.request_id.to_string(), answer).await.unwrap());
    assert_eq!(try_claim(&bench.store, &claim("b")).await.unwrap(), Claimed::Ours);
    let full = try_claim(&bench.store, &claim("c")).await.unwrap_err();
    let said = |text: &str| text.contains("this account") && text.contains("store.idempotency_tokens_per_account_max");
    assert!(matches!(&full, OnceError::Full(text) if said(text)), "{full}");
    // What is there is answered, also where there is no room.
    let kept = theirs(try_claim(&bench.store, &claim("a")).await.unwrap());
    assert_eq!(kept.state, OnceState::Ended(vec![7; 300_000]));
    let of_another = OnceClaim { key: OnceKey { account: "b".to_owned(), ..key("c") }, ..claim("c") };
    assert_eq!(try_claim(&bench.store, &of_another).await.unwrap(), Claimed::Ours, "it is another account's");

    // Counted anew at the next start.
    let bench = bench.reopened().await;
    bench.serves(&bench.store, 0).await;
    let refused = async {
        while try_claim(&bench.store, &claim("c")).await.is_ok_and(|claimed| claimed == Claimed::Ours) {
            bench.run("DELETE FROM once WHERE account = 'acme' AND token = 'c'").await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), refused).await.expect("it is counted");

    let config = Config { idempotency_bytes_per_account_max: 1000.try_into().unwrap(), ..Config::default() };
    let bench = bench_with(config).await;
    bench.serves(&bench.store, 0).await;
    let large = claim("large");
    assert_eq!(try_claim(&bench.store, &large).await.unwrap(), Claimed::Ours);
    let answer = OnceEnd::Answer(vec![7; 1000]);
    assert!(try_end(&bench.store, &large.key, &large.request_id.to_string(), answer).await.unwrap());
    let full = try_claim(&bench.store, &claim("b")).await.unwrap_err();
    assert!(matches!(&full, OnceError::Full(text) if text.contains("idempotency_bytes_per_account_max")), "{full}");
}

/// A claim lasts longer than the call that it is of, and who ends one that is over ends nobody else's.
#[tokio::test]
async fn what_is_over_while_its_call_is_under_way_is_anothers() {
    let bench = bench().await;
    bench.serves(&bench.store, 0).await;
    let (slow, next) = (claim("a"), claim("a"));
    assert_eq!(try_claim(&bench.store, &slow).await.unwrap(), Claimed::Ours);
    let ends_at: i64 = bench.ask("SELECT CAST(ends_at AS TEXT) FROM once").await[0].parse().unwrap();
    assert!(ends_at > UnixMillis::now().0 + 3_600_000 + 500_000, "the call's own time comes on top");
    bench.run("UPDATE once SET ends_at = 1").await;
    assert_eq!(try_claim(&bench.store, &next).await.unwrap(), Claimed::Ours);
    let (slow_id, next_id) = (slow.request_id.to_string(), next.request_id.to_string());
    assert!(!try_end(&bench.store, &key("a"), &slow_id, OnceEnd::Answer(vec![1])).await.unwrap());
    assert!(!try_end(&bench.store, &key("a"), &slow_id, OnceEnd::Release).await.unwrap());
    assert_eq!(state(&bench.store, "a").await, Some(OnceState::OnItsWay));
    assert!(try_end(&bench.store, &key("a"), &next_id, OnceEnd::Answer(vec![2])).await.unwrap());
    assert_eq!(state(&bench.store, "a").await, Some(OnceState::Ended(vec![2])));
}

#[tokio::test]
async fn who_holds_no_lease_claims_nothing_where_others_do() {
    let bench = bench().await;
    let claimed = try_claim(&bench.store, &claim("a")).await;
    match bench.on {
        On::Sqlite => assert_eq!(claimed, Ok(Claimed::Ours)),
        On::Postgres => assert_eq!(claimed, Err(OnceError::NoLease)),
    }
}
