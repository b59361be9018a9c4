//! Facts about `chain.rs`.

use std::sync::Mutex;

use thingcall_core::{Args, ReplyBody};

use super::*;
use crate::testsite::{Echo, call};

/// Calls what stands behind it so often, each time with its letter, and answers what came last.
struct Letter {
    letter: char,
    times: usize,
    seen: Mutex<Vec<Call>>,
}

fn letter(letter: char, times: usize) -> Arc<Letter> {
    Arc::new(Letter { letter, times, seen: Mutex::default() })
}

#[async_trait]
impl Handler for Letter {
    async fn handle(&self, call: &Call, device: &dyn DeviceLink) -> Result<Answer, CallError> {
        self.seen.lock().unwrap().push(call.clone());
        let params = Args::checked(&call.args.as_str().replace("\"}", &format!("{}\"}}", self.letter)));
        let data = format!("{{\"by\":\"{}\"}}", self.letter);
        let mut last = Ok(Answer::Replied(ReplyBody { code: 200, message: None, data }));
        for _ in 0..self.times {
            last = device.call(Command { service: call.service.clone(), params: params.clone() }).await;
        }
        last
    }
}

async fn through(handlers: &[Arc<Letter>], device: &Echo) -> Result<Answer, CallError> {
    let chain = Chain::of(handlers.iter().map(|handler| handler.clone() as Arc<dyn Handler>).collect());
    chain.expect("handlers").handle(&call("pk", "fb:set"), device).await
}

#[tokio::test]
async fn what_one_forwards_is_the_next_ones_call_and_the_last_gets_the_device() {
    let (handlers, device) = ([letter('a', 1), letter('b', 1), letter('c', 1)], Echo::default());
    through(&handlers, &device).await.unwrap();
    let seen = |index: usize| handlers[index].seen.lock().unwrap()[0].args.as_str().to_owned();
    assert_eq!(
        (seen(0), seen(1), seen(2)),
        (r#"{"path":"-"}"#.into(), r#"{"path":"-a"}"#.into(), r#"{"path":"-ab"}"#.into())
    );
    assert_eq!(*device.commands.lock().unwrap(), [r#"{"path":"-abc"}"#]);
}

#[tokio::test]
async fn call_stays_the_same_call_for_everyone() {
    let (handlers, device) = ([letter('a', 1), letter('b', 1)], Echo::default());
    through(&handlers, &device).await.unwrap();
    let seen = handlers.each_ref().map(|handler| handler.seen.lock().unwrap()[0].clone());
    assert_eq!((seen[0].id, seen[0].request_id, &seen[0].service), (seen[1].id, seen[1].request_id, &seen[1].service));
    assert_eq!((&seen[0].device, seen[0].deadline), (&seen[1].device, seen[1].deadline));
}

#[tokio::test]
async fn each_forward_runs_all_behind_it() {
    let (handlers, device) = ([letter('a', 2), letter('b', 3)], Echo::default());
    through(&handlers, &device).await.unwrap();
    assert_eq!(handlers[1].seen.lock().unwrap().len(), 2);
    assert_eq!(device.commands.lock().unwrap().len(), 6);
}

#[tokio::test]
async fn one_that_answers_by_itself_ends_the_chain() {
    let (handlers, device) = ([letter('a', 1), letter('b', 0), letter('c', 1)], Echo::default());
    let answer = through(&handlers, &device).await.unwrap();
    let Answer::Replied(body) = answer else { panic!("{answer:?}") };
    assert_eq!(body.data, r#"{"by":"b"}"#);
    assert!(device.commands.lock().unwrap().is_empty() && handlers[2].seen.lock().unwrap().is_empty());
}

#[test]
fn one_alone_is_itself() {
    let alone: Arc<dyn Handler> = letter('a', 1);
    assert!(Arc::ptr_eq(&Chain::of(vec![alone.clone()]).unwrap(), &alone));
    assert!(Chain::of(Vec::new()).is_none());
}
