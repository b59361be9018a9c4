//! What a Redis forgot is never taken for new, and one that is away is told of in time.

use std::num::NonZeroU32;
use std::time::Duration;

use thingcall_core::{NonceUse, NonceVerdict, Secret, SharedError, SharedNonces, SharedQuota, UnixMillis, Want};
use tokio::time::{Instant, sleep};

use super::server::Server;
use crate::{Config, Redis};

const MINUTE: Duration = Duration::from_secs(60);

fn used(nonce: &str, signed_at: UnixMillis) -> NonceUse<'_> {
    NonceUse { key: "k", nonce, signed_at, keep: MINUTE * 30 }
}

/// Later than a memory that begins now.
fn soon() -> UnixMillis {
    UnixMillis(UnixMillis::now().0 + 5000)
}

/// Asks until there is an answer.
async fn answer(redis: &Redis, used: NonceUse<'_>) -> NonceVerdict {
    let since = Instant::now();
    loop {
        match redis.note(used).await {
            Ok(verdict) => return verdict,
            Err(why) if since.elapsed() > MINUTE => panic!("{why}"),
            Err(_again) => sleep(Duration::from_millis(50)).await,
        }
    }
}

fn began(verdict: NonceVerdict) -> UnixMillis {
    let NonceVerdict::TooOld { began } = verdict else { panic!("{verdict:?}") };
    began
}

#[tokio::test]
async fn after_a_restart_what_was_signed_before_is_too_old_though_the_file_remembers_some() {
    let lines = "save 3600 1";
    let mut server = Server::start(lines);
    let (redis, other) = (server.redis(), server.redis());
    let before = began(redis.note(used("old", UnixMillis(0))).await.unwrap());
    assert_eq!(redis.note(used("kept", before)).await, Ok(NonceVerdict::New));
    assert_eq!(server.command("SAVE").await, "ok");
    assert_eq!(redis.note(used("lost", before)).await, Ok(NonceVerdict::New));
    // Within the same second the new memory would begin with the old one.
    sleep(Duration::from_millis(1100)).await;
    server.restart(lines);
    let verdict = answer(&redis, used("lost", before)).await;
    assert!(began(verdict) > before, "{verdict:?}");
    assert_eq!(answer(&other, used("lost", before)).await, verdict, "it began once");
    assert_eq!(other.note(used("next", soon())).await, Ok(NonceVerdict::New));
}

#[tokio::test]
async fn an_emptied_redis_begins_anew() {
    let server = Server::start("");
    let redis = server.redis();
    let first = began(redis.note(used("n", UnixMillis(0))).await.unwrap());
    sleep(Duration::from_millis(1100)).await;
    server.command("FLUSHALL").await;
    let second = began(redis.note(used("n", UnixMillis(0))).await.unwrap());
    assert!(second > first, "{second:?} {first:?}");
}

#[tokio::test]
async fn a_nonce_is_forgotten_by_itself_and_a_full_bucket_too() {
    let server = Server::start("");
    let redis = server.redis();
    assert_eq!(redis.note(used("n", soon())).await, Ok(NonceVerdict::New));
    let want = Want { account: "a".to_owned(), ahead: 10, ..Want::default() };
    redis.reserve(&[want], NonZeroU32::new(10).unwrap()).await.unwrap();
    let script = "return redis.call('PTTL',redis.call('KEYS','thingcall:nonce:*')[1])";
    let client = redis::Client::open(server.config().redis).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let left: i64 = redis::cmd("EVAL").arg(script).arg(0).query_async(&mut connection).await.unwrap();
    assert!((1_000_000..=1_800_000).contains(&left), "{left} ms of 30 minutes");
    let since = Instant::now();
    while server.command("EXISTS thingcall:quota:a").await != "int(0)" {
        assert!(since.elapsed() < MINUTE, "the bucket is full after a second");
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn one_that_stands_still_is_told_in_time_and_asked_again_when_it_goes_on() {
    let server = Server::start("");
    assert_eq!(server.redis().note(used("first", soon())).await, Ok(NonceVerdict::New));
    let redis = Redis::new(&Config { ask_timeout: Duration::from_millis(300), ..server.config() }).unwrap();
    assert_eq!(answer(&redis, used("first", soon())).await, NonceVerdict::Used);
    server.signal("-STOP");
    let Err(SharedError(why)) = redis.note(used("n", soon())).await else { panic!("it stands still") };
    assert!(why.starts_with(&format!("redis at 127.0.0.1:{}: ", server.port)), "{why}");
    let Err(SharedError(_)) = redis.note(used("n", soon())).await else { panic!("it stands still") };
    server.signal("-CONT");
    assert_eq!(answer(&redis, used("first", soon())).await, NonceVerdict::Used);
}

#[tokio::test]
async fn one_that_is_not_there_is_told_by_its_place() {
    let server = Server::start("");
    let (redis, place) = (server.redis(), format!("redis at 127.0.0.1:{}: ", server.port));
    drop(server);
    let Err(SharedError(why)) = redis.note(used("n", soon())).await else { panic!("nobody is there") };
    assert!(why.starts_with(&place) && why.contains("refused"), "{why}");
}

#[tokio::test]
async fn one_that_may_forget_is_not_used() {
    let server = Server::start("maxmemory 100mb\nmaxmemory-policy allkeys-lru");
    let Err(SharedError(why)) = server.redis().note(used("n", soon())).await else { panic!("it may forget") };
    assert!(why.contains("its maxmemory-policy is allkeys-lru; right is noeviction"), "{why}");
    let full = Server::start("maxmemory 100mb\nmaxmemory-policy noeviction");
    assert_eq!(full.redis().note(used("n", soon())).await, Ok(NonceVerdict::New));
}

#[tokio::test]
async fn its_password_is_in_no_error() {
    let server = Server::start("requirepass hello");
    let right = Config { redis_password: Some(Secret::new("hello")), ..server.config() };
    assert_eq!(Redis::new(&right).unwrap().note(used("n", soon())).await, Ok(NonceVerdict::New));
    for password in [None, Some(Secret::new("topsecret"))] {
        let wrong = Config { redis_password: password, ..server.config() };
        let Err(SharedError(why)) = Redis::new(&wrong).unwrap().note(used("n", soon())).await else { panic!("let in") };
        assert!(!why.contains("topsecret"), "{why}");
    }
}
