//! Calls that are made once, at one instance and at two.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use thingcall_core::{
    AccessKey, Answer, CallError, CallId, Claimed, OnceClaim, OnceEnd, OnceError, OnceKept, OnceKey, OnceState,
    OnceTokens, Outcome,
};
use tokio::task::JoinSet;

use super::bench::{Received, Script, Server, Setup, acs3, post, replied, signer, soon, testid};
use crate::sign;

/// Tokens in memory, as several servers share them.
#[derive(Default)]
pub(super) struct MemoryTokens {
    all: Mutex<HashMap<OnceKey, OnceKept>>,
    /// What every claim comes to, where that is an error.
    fails: Mutex<Option<OnceError>>,
    /// The same of looks, and of ends.
    looks: Mutex<Option<OnceError>>,
    ends: Mutex<Option<OnceError>>,
}

#[async_trait]
impl OnceTokens for MemoryTokens {
    async fn claim(&self, claim: &OnceClaim) -> Result<Claimed, OnceError> {
        if let Some(error) = self.fails.lock().unwrap().clone() {
            return Err(error);
        }
        let mut all = self.all.lock().unwrap();
        if let Some(kept) = all.get(&claim.key) {
            return Ok(Claimed::Theirs(kept.clone()));
        }
        let (digest, request_id) = (claim.digest.to_vec(), claim.request_id.to_string());
        all.insert(claim.key.clone(), OnceKept { digest, request_id, state: OnceState::OnItsWay });
        Ok(Claimed::Ours)
    }

    async fn look(&self, key: &OnceKey) -> Result<Option<OnceKept>, OnceError> {
        match self.looks.lock().unwrap().clone() {
            Some(error) => Err(error),
            None => Ok(self.all.lock().unwrap().get(key).cloned()),
        }
    }

    async fn end(&self, key: &OnceKey, request_id: &str, end: OnceEnd) -> Result<bool, OnceError> {
        if let Some(error) = self.ends.lock().unwrap().clone() {
            return Err(error);
        }
        let mut all = self.all.lock().unwrap();
        let Some(kept) = all.get_mut(key).filter(|kept| kept.request_id == request_id) else { return Ok(false) };
        match end {
            OnceEnd::Answer(answer) => kept.state = OnceState::Ended(answer),
            OnceEnd::Release => drop(all.remove(key)),
        }
        Ok(true)
    }
}

async fn start(tokens: &Arc<MemoryTokens>, script: Script) -> Server {
    Setup { tokens: Some(tokens.clone()), script, ..Setup::default() }.start().await
}

fn answers() -> Script {
    Box::new(|_| Some(Ok(replied(200, r#"{"a":1}"#))))
}

fn call<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let device = [("ProductKey", "a1BwAGVxxxx"), ("DeviceName", "light1"), ("Identifier", "Measure")];
    let mut all = device.to_vec();
    all.extend_from_slice(more);
    if !more.iter().any(|(name, _)| *name == "Args") {
        all.push(("Args", "{}"));
    }
    all
}

async fn ask(server: &Server, more: &[(&str, &str)]) -> Received {
    server.acs3("InvokeThingService", &call(more)).await
}

fn calls(server: &Server) -> usize {
    server.engine.requests.lock().unwrap().len()
}

/// The body but for what every answer has of its own.
fn same(received: &Received) -> String {
    received.golden()
}

#[tokio::test]
async fn second_request_gets_the_first_ones_answer_in_whatever_form() {
    let server = start(&Arc::default(), answers()).await;
    let first = ask(&server, &[("ClientToken", "t1")]).await;
    let second = server.v1("InvokeThingService", &call(&[("ClientToken", "t1")])).await;
    assert_eq!(same(&first), same(&second));
    assert_ne!(first.json()["RequestId"], second.json()["RequestId"]);
    let xml = ask(&server, &[("ClientToken", "t1"), ("Format", "XML")]).await;
    assert!(xml.body.contains("<MessageId>100686</MessageId>"), "{xml:?}");
    let with_header =
        acs3("InvokeThingService", &call(&[]), &signer()).replace("\r\n\r\n", "\r\nIdempotency-Key: \"t1\"\r\n\r\n");
    assert_eq!(same(&server.send(with_header).await), same(&first));
    assert_eq!(calls(&server), 1);

    let other = ask(&server, &[("ClientToken", "t1"), ("Args", r#"{"b":2}"#)]).await;
    assert_eq!((other.status, &*other.code()), (400, "IdempotentParameterMismatch"), "{other:?}");
    assert_eq!(other.json()["HostId"], "here", "{other:?}");
    let (told, _) = server.engine.told.lock().unwrap().pop().expect("it is told");
    assert_eq!((&*told.action, &*told.device, &*told.service), ("InvokeThingService", "a1BwAGVxxxx/light1", "Measure"));
    assert_eq!(told.key_id.as_deref(), Some("testid"));
    ask(&server, &[("ClientToken", "t2")]).await;
    ask(&server, &[]).await;
    ask(&server, &[]).await;
    assert_eq!(calls(&server), 4, "another token, and none, call again");
    let metrics = server.metrics();
    for (result, count) in [("made", 2), ("kept", 3), ("differs", 1), ("joined", 0), ("lost", 0)] {
        let line = format!(r#"thingcall_idempotent_requests_total{{result="{result}"}} {count}"#);
        assert!(metrics.contains(&line), "{line}: {metrics}");
    }
}

#[tokio::test]
async fn what_was_accepted_and_found_no_device_is_called_by_the_next() {
    let server = start(&Arc::default(), Box::new(|_| Some(Ok(Answer::Accepted)))).await;
    let ask = async || ask(&server, &[("ClientToken", "away")]).await.json();
    server.engine.nobody.store(true, Ordering::Relaxed);
    assert_eq!((ask().await["Success"].clone(), ask().await["Success"].clone()), (true.into(), true.into()));
    assert_eq!(calls(&server), 2);
    server.engine.nobody.store(false, Ordering::Relaxed);
    ask().await;
    ask().await;
    assert_eq!(calls(&server), 3, "the last was handed on");
}

#[tokio::test]
async fn two_hundred_at_once_over_two_instances_make_one_call() {
    let tokens = Arc::default();
    let servers = [Arc::new(start(&tokens, answers()).await), Arc::new(start(&tokens, answers()).await)];
    let mut all = JoinSet::new();
    for i in 0..200 {
        let server = servers[i % 2].clone();
        all.spawn(async move { ask(&server, &[("ClientToken", "at-once")]).await });
    }
    let bodies: std::collections::BTreeSet<_> = all.join_all().await.iter().map(same).collect();
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    assert_eq!(servers.iter().map(|server| calls(server)).sum::<usize>(), 1);
}

#[tokio::test]
async fn a_call_outlives_the_caller_who_made_it() {
    let mut server = start(&Arc::default(), Box::new(|_| None)).await;
    let mut stream = server.connect().await;
    let request = acs3("InvokeThingService", &call(&[("ClientToken", "gone")]), &signer());
    tokio::io::AsyncWriteExt::write_all(&mut stream, request.as_bytes()).await.unwrap();
    soon(server.calls_started.recv()).await;
    drop(stream);
    let differs = ask(&server, &[("ClientToken", "gone"), ("Args", "{ }")]).await;
    assert_eq!(differs.code(), "IdempotentParameterMismatch");
    assert!(server.calls_dropped.try_recv().is_err(), "it is made on");
}

#[tokio::test]
async fn a_device_that_was_not_called_may_be_called_yet_and_no_other() {
    for (error, calls_made) in [
        (CallError::Offline("d".to_owned()), 2),
        (CallError::Overloaded("full".to_owned()), 2),
        (CallError::WentOffline("d".to_owned()), 1),
        (CallError::Timeout { device: "d".to_owned(), waited_ms: 8000, hint: None }, 1),
        (CallError::Device { code: 500, message: None }, 1),
        (CallError::Internal("unknown".to_owned()), 1),
    ] {
        let said = error.clone();
        let server = start(&Arc::default(), Box::new(move |_| Some(Err(said.clone())))).await;
        let first = ask(&server, &[("ClientToken", "t")]).await;
        let second = ask(&server, &[("ClientToken", "t")]).await;
        assert_eq!(same(&first), same(&second), "{error}");
        assert_eq!(first.code(), error.code().as_str());
        assert_eq!(calls(&server), calls_made, "{error}");
    }
}

#[tokio::test]
async fn what_was_lost_is_told_and_never_called_again() {
    for (accepted, said) in [(None, "may have executed"), (Some(CallId::from_u32(17)), r#""MessageId":"17""#)] {
        let tokens: Arc<MemoryTokens> = Arc::default();
        let silent = start(&tokens, Box::new(|_| Some(Ok(Answer::Accepted)))).await;
        ask(&silent, &[("ClientToken", "t")]).await;
        tokens.all.lock().unwrap().values_mut().for_each(|kept| kept.state = OnceState::Lost { accepted });

        let server = start(&tokens, answers()).await;
        let first = ask(&server, &[("ClientToken", "t")]).await;
        assert!(first.body.contains(said), "{first:?}");
        assert_eq!(same(&ask(&server, &[("ClientToken", "t")]).await), same(&first), "it stays so");
        assert_eq!(calls(&server), 0);
    }
}

#[tokio::test]
async fn a_token_that_cannot_be_claimed_calls_nobody() {
    let tokens: Arc<MemoryTokens> = Arc::default();
    let server = start(&tokens, answers()).await;
    for (error, code) in [
        (OnceError::Full("full".to_owned()), "iot.messagebroker.RateLimit"),
        (OnceError::NoLease, "iot.system.SystemException"),
        (OnceError::Unwritable { why: "full".to_owned(), in_doubt: true }, "iot.system.SystemException"),
        (OnceError::Unread("away".to_owned()), "iot.system.SystemException"),
    ] {
        *tokens.fails.lock().unwrap() = Some(error.clone());
        let received = ask(&server, &[("ClientToken", "t")]).await;
        assert_eq!(received.code(), code, "{error}");
        let says_maybe = received.body.contains("may have executed");
        assert_eq!(says_maybe, matches!(error, OnceError::Unread(_)), "{received:?}");
    }
    assert_eq!(calls(&server), 0);
    assert_eq!(server.engine.refused.lock().unwrap().len(), 4);
    *tokens.fails.lock().unwrap() = None;
    assert_eq!(ask(&server, &[("ClientToken", "t")]).await.json()["Success"], true);
}

/// The store went away between the claim and the look for the answer of another instance's call.
#[tokio::test]
async fn a_call_of_another_instance_that_cannot_be_asked_about_may_have_been_made() {
    let tokens: Arc<MemoryTokens> = Arc::default();
    let mut busy = start(&tokens, Box::new(|_| None)).await;
    let other = start(&tokens, answers()).await;
    let mut stream = busy.connect().await;
    let request = acs3("InvokeThingService", &call(&[("ClientToken", "t")]), &signer());
    tokio::io::AsyncWriteExt::write_all(&mut stream, request.as_bytes()).await.unwrap();
    soon(busy.calls_started.recv()).await;
    *tokens.looks.lock().unwrap() = Some(OnceError::Unread("the store cannot be read".to_owned()));
    let told = ask(&other, &[("ClientToken", "t")]).await;
    assert!(told.body.contains("may have executed") && told.body.contains("same token"), "{told:?}");
    assert_eq!((told.code().as_str(), calls(&other)), ("iot.system.SystemException", 0));
}

/// The answer is told though it cannot be kept yet, and is kept once it can be: until then another instance waits.
#[tokio::test]
async fn an_answer_that_cannot_be_kept_is_told_and_kept_later() {
    let tokens: Arc<MemoryTokens> = Arc::default();
    let (server, other) = (start(&tokens, answers()).await, start(&tokens, answers()).await);
    let away = OnceError::Unwritable { why: "away".to_owned(), in_doubt: true };
    *tokens.ends.lock().unwrap() = Some(away);
    let first = ask(&server, &[("ClientToken", "t")]).await;
    assert_eq!(first.json()["Success"], true);
    let state = |tokens: &MemoryTokens| tokens.all.lock().unwrap().values().next().unwrap().state.clone();
    assert_eq!(state(&tokens), OnceState::OnItsWay);
    *tokens.ends.lock().unwrap() = None;
    assert_eq!(same(&ask(&other, &[("ClientToken", "t")]).await), same(&first));
    assert_eq!((calls(&server), calls(&other)), (1, 0));
}

#[tokio::test]
async fn a_token_is_of_one_action_and_of_all_keys_of_its_account() {
    let second = AccessKey { id: "second".to_owned(), ..testid() };
    let setup =
        Setup { tokens: Some(Arc::<MemoryTokens>::default()), keys: vec![testid(), second], ..Setup::default() };
    let server = Setup { script: Box::new(|_| Some(Ok(Answer::Accepted))), ..setup }.start().await;
    let both = [("Args", "{}"), ("Items", r#"{"on":1}"#), ("ClientToken", "t")];
    let first = ask(&server, &both).await;
    assert_eq!(first.json()["Success"], true, "{first:?}");
    let other = server.acs3("SetDeviceProperty", &call(&both)).await;
    assert_eq!((other.status, &*other.code()), (400, "IdempotentParameterMismatch"), "{other:?}");
    let by_second = sign::Signer { key_id: "second".to_owned(), ..signer() };
    let by_second = server.send(acs3("InvokeThingService", &call(&both), &by_second)).await;
    assert_eq!(same(&by_second), same(&first));
    assert_eq!(calls(&server), 1);
}

#[tokio::test]
async fn tokens_are_an_accounts_and_must_be_some() {
    let tokens: Arc<MemoryTokens> = Arc::default();
    let other = AccessKey { id: "other".to_owned(), account: "another".to_owned(), ..testid() };
    let keys = vec![testid(), other];
    let server = Setup { tokens: Some(tokens), keys, script: answers(), ..Setup::default() }.start().await;
    ask(&server, &[("ClientToken", "t")]).await;
    let as_other = sign::Signer { key_id: "other".to_owned(), ..signer() };
    let query = sign::v1_request(
        "POST",
        "InvokeThingService",
        &call(&[("ClientToken", "t")]),
        &as_other,
        super::bench::capture_time(),
    );
    assert_eq!(server.send(post(&query)).await.status, 200);
    assert_eq!(calls(&server), 2);

    for token in ["a b", "\u{4e2d}", &"x".repeat(65)] {
        let received = ask(&server, &[("ClientToken", token)]).await;
        assert_eq!((received.status, &*received.code()), (400, "InvalidParameter"), "{token}");
    }
    let two = acs3("InvokeThingService", &call(&[("ClientToken", "t")]), &signer());
    let two = two.replace("\r\n\r\n", "\r\nIdempotency-Key: u\r\n\r\n");
    assert_eq!(server.send(two).await.code(), "InvalidParameter");
    assert!(server.engine.refused.lock().unwrap().iter().all(|outcome| *outcome == Outcome::InvalidArgs));
    let nobody_keeps = Setup { script: answers(), ..Setup::default() }.start().await;
    assert_eq!(ask(&nobody_keeps, &[("ClientToken", "t")]).await.code(), "InvalidParameter");
}
