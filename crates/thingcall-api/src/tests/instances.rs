//! Two fronts that share nonces and quota.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use thingcall_core::testing::{MemoryNonces, MemoryQuota};
use thingcall_core::{Conditions, NonceUse, NonceVerdict, SharedError, SharedNonces, UnixMillis, Weight};
use tokio::sync::Notify;

use super::bench::{Server, Setup, acs3, capture_time, signer, soon};
use crate::config::Config;
use crate::shared::SharedParts;

const LIGHT: &[(&str, &str)] =
    &[("ProductKey", "a1BwAGVxxxx"), ("DeviceName", "light1"), ("Identifier", "testFb:testService"), ("Args", "{}")];

fn nonces() -> Arc<MemoryNonces> {
    Arc::new(MemoryNonces::began(UnixMillis(capture_time().0 - 900_000)))
}

async fn front(nonces: Arc<dyn SharedNonces>, conditions: &Conditions) -> Server {
    let nonces = Some((nonces, conditions.add("nonces", Weight::Required)));
    let shared = SharedParts { nonces, ask_timeout: Duration::from_secs(60), ..SharedParts::default() };
    Setup { shared, ..Setup::default() }.start().await
}

#[tokio::test]
async fn a_request_is_let_in_at_one_instance_once() {
    let (set, conditions) = (nonces(), Conditions::default());
    let (first, second) = (front(set.clone(), &conditions).await, front(set.clone(), &conditions).await);
    let request = acs3("InvokeThingService", LIGHT, &signer());
    assert_eq!(first.send(&request).await.status, 200);
    let replay = second.send(&request).await;
    assert_eq!((replay.status, replay.code().as_str()), (400, "SignatureNonceUsed"));
    assert_eq!(second.engine.requests.lock().unwrap().len(), 0);

    set.fails(Some("away"));
    let replay = first.send(&request).await;
    assert_eq!(replay.code(), "SignatureNonceUsed", "it knows its own, and asks nobody");
}

#[tokio::test]
async fn while_the_shared_nonces_cannot_be_asked_requests_are_refused_in_words() {
    let (set, conditions) = (nonces(), Conditions::default());
    let server = front(set.clone(), &conditions).await;
    set.fails(Some("postgres://secret-host: connection refused"));
    let refused = server.acs3("InvokeThingService", LIGHT).await;
    assert_eq!((refused.status, refused.code().as_str()), (503, "ServiceUnavailable"));
    assert_eq!(refused.header("x-acs-retry-after"), Some("1"));
    assert!(refused.body.contains("Nothing was executed; sign it again"), "{}", refused.body);
    assert!(!refused.body.contains("secret-host"), "no caller sees where it is kept: {}", refused.body);
    assert_eq!(server.engine.requests.lock().unwrap().len(), 0);
    assert!(conditions.unmet()[0].failure.as_ref().unwrap().contains("secret-host"));
    let metrics = server.metrics();
    assert!(metrics.contains("thingcall_auth_total{result=\"unknown\"} 1"), "{metrics}");
    assert!(metrics.contains("thingcall_shared_nonces_total{result=\"failed\"} 1"), "{metrics}");
    set.fails(None);
    assert_eq!(server.acs3("InvokeThingService", LIGHT).await.status, 200);
}

/// Says that it was asked, and answers when it is told to.
#[derive(Default)]
struct Held {
    asked: Notify,
    answer: Notify,
}

#[async_trait]
impl SharedNonces for Held {
    async fn note(&self, used: NonceUse<'_>) -> Result<NonceVerdict, SharedError> {
        if used.key == "testid" {
            self.asked.notify_one();
            self.answer.notified().await;
        }
        Ok(NonceVerdict::New)
    }
}

#[tokio::test]
async fn nothing_is_done_for_a_request_before_its_nonce_is_known_to_be_new() {
    let held = Arc::new(Held::default());
    let server = Arc::new(front(held.clone(), &Conditions::default()).await);
    let sending = server.clone();
    let answered = tokio::spawn(async move { sending.acs3("InvokeThingService", LIGHT).await });
    soon(held.asked.notified()).await;
    assert_eq!(server.engine.requests.lock().unwrap().len(), 0);
    held.answer.notify_one();
    assert_eq!(soon(answered).await.unwrap().status, 200);
    assert_eq!(server.engine.requests.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn two_instances_have_one_quota() {
    let quota = MemoryQuota::new(|| 0);
    let conditions = Conditions::default();
    let mut servers = Vec::new();
    for _ in 0..2 {
        let shared = SharedParts {
            quota: Some((quota.clone(), conditions.add("quota", Weight::Told))),
            instances: Some(Arc::new(|| NonZeroU32::new(2).unwrap())),
            ask_timeout: Duration::from_secs(60),
            ..SharedParts::default()
        };
        let config = Config { calls_per_second_max: 4, ..Config::default() };
        servers.push(Setup { shared, config, ..Setup::default() }.start().await);
    }
    let mut passed = 0;
    for turn in 0..40 {
        let answer = servers[turn % 2].acs3("InvokeThingService", LIGHT).await;
        match answer.status {
            200 => passed += 1,
            status => assert_eq!((status, answer.code().as_str()), (400, "Throttling.User"), "{answer:?}"),
        }
    }
    assert!((4..=8).contains(&passed), "the bucket never fills up here, and each may be ahead by two: {passed}");
    let calls = servers.iter().map(|server| server.engine.requests.lock().unwrap().len()).sum::<usize>();
    assert_eq!(calls, passed);
    assert!(servers[0].metrics().contains("thingcall_shared_quota_calls_total{from=\"expected\"}"));
}
