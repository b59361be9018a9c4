//! What unmodified SDKs sent, byte for byte.

use std::path::PathBuf;

use thingcall_core::Secret;

use super::bench::{Received, Setup, capture_time, testid};
use crate::actions::Action;

fn captures() -> Vec<(String, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/http");
    let read = |path: PathBuf| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(path).unwrap());
    let mut all: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| read(entry.unwrap().path())).collect();
    all.sort();
    all
}

fn setup(name: &str) -> Setup {
    let mut key = testid();
    key.security_token = name.contains("-sts-").then(|| Secret::new("CAIStoken/+="));
    Setup { keys: vec![key], now: capture_time, ..Setup::default() }
}

async fn send(name: &str, bytes: &[u8]) -> (Received, Vec<thingcall_core::Request>) {
    let server = setup(name).start().await;
    let received = server.send(bytes).await;
    let requests = std::mem::take(&mut *server.engine.requests.lock().unwrap());
    (received, requests)
}

#[tokio::test]
async fn every_capture_is_let_in() {
    let all = captures();
    assert_eq!(all.len(), 34);
    for (name, bytes) in all {
        let (received, _) = send(&name, &bytes).await;
        let action = name.split('-').nth(1).unwrap();
        if action.parse::<Action>().is_ok() || action == "CommonRequest" {
            assert_eq!(received.status, 200, "{name}: {received:?}");
        } else {
            assert_eq!((received.status, &*received.code()), (404, "InvalidAction.NotFound"), "{name}: {received:?}");
        }
    }
}

#[tokio::test]
async fn every_capture_with_another_byte_is_refused() {
    for (name, mut bytes) in captures() {
        // The first letter of a value that is signed, whatever the action.
        let found = [&b"ProductKey="[..], b"IotId="]
            .iter()
            .find_map(|name| bytes.windows(name.len()).position(|window| window == *name).map(|at| at + name.len()));
        let at = found.unwrap_or_else(|| panic!("{name}"));
        bytes[at] ^= 1;
        let (received, requests) = send(&name, &bytes).await;
        assert_eq!((&*received.code(), requests.len()), ("SignatureDoesNotMatch", 0), "{name}: {received:?}");
    }
}

#[tokio::test]
async fn arguments_arrive_as_the_caller_wrote_them() {
    let special = r#"{"s":"a b+c*d~e'f(g)!/=&%25é中😀\n","f":10.0}"#;
    let mut seen = 0;
    for (name, bytes) in captures() {
        let (_, requests) = send(&name, &bytes).await;
        let service = requests.first().filter(|request| !matches!(request.asks, thingcall_core::Asks::Letter(_)));
        let Some(request) = service else { continue };
        seen += 1;
        let expected = match &*name {
            name if name.contains("special") || name.contains("-async-") => special,
            name if name.contains("Common") || name.contains("-GET-") || name.contains("v2sig") => special,
            name if name.contains("SetDeviceProperty") => r#"{"LightStatus":1}"#,
            "tea-InvokeThingService-1.http" | "legacy-InvokeThingService-1.http" => r#"{"param1":1}"#,
            _ => "{}",
        };
        assert_eq!(request.args, expected, "{name}");
        let target = if name.contains("iotid") { "Q7uOhVRdZRRlDnTLv00100" } else { "a1BwAGVxxxx/light1" };
        assert_eq!(request.target.to_string(), target, "{name}");
    }
    assert_eq!(seen, 18);
}

#[tokio::test]
async fn the_answer_has_the_form_the_capture_asks_for() {
    for (name, bytes) in captures() {
        let (received, _) = send(&name, &bytes).await;
        let expected = if name.contains("XML") { "text/xml;charset=utf-8" } else { "application/json;charset=utf-8" };
        assert_eq!(received.header("content-type"), Some(expected), "{name}: {received:?}");
    }
}
