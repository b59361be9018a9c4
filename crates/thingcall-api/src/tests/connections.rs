//! Connections: how many, how long, and how they end.

use std::time::Duration;

use tokio::io::AsyncWriteExt;

use super::bench::{Setup, acs3, receive, replied, signer, soon};
use crate::Config;

const CALL: [(&str, &str); 4] =
    [("ProductKey", "a1BwAGVxxxx"), ("DeviceName", "light1"), ("Identifier", "Set"), ("Args", "{}")];

fn call() -> String {
    acs3("InvokeThingService", &CALL, &signer())
}

#[tokio::test]
async fn a_caller_who_hangs_up_ends_its_call() {
    let mut server = Setup { script: Box::new(|_| None), ..Setup::default() }.start().await;
    let mut stream = server.connect().await;
    stream.write_all(call().as_bytes()).await.unwrap();
    server.calls_started.recv().await.unwrap();
    assert!(server.calls_dropped.is_empty());
    drop(stream);
    soon(server.calls_dropped.recv()).await.unwrap();
    assert_eq!(server.engine.requests.lock().unwrap().len(), 1, "the device is not called again");
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let server = Setup::default().start().await;
    let mut stream = server.connect().await;
    for _ in 0..3 {
        stream.write_all(call().as_bytes()).await.unwrap();
        assert_eq!(receive(&mut stream).await.unwrap().status, 200);
    }
}

#[tokio::test]
async fn a_drain_lets_running_calls_end_and_closes_idle_connections() {
    // So long that it is not what closes the connections.
    let config = Config { header_read_timeout: Duration::from_secs(3600), ..Config::default() };
    let mut server = Setup {
        config,
        script: Box::new(|request| (request.service.to_string() == "Set").then(|| Ok(replied(200, "{}")))),
        ..Setup::default()
    }
    .start()
    .await;
    let (mut used, mut silent, mut running) = (server.connect().await, server.connect().await, server.connect().await);
    used.write_all(call().as_bytes()).await.unwrap();
    assert_eq!(receive(&mut used).await.unwrap().status, 200);
    server.calls_started.recv().await.unwrap();
    server.calls_dropped.recv().await.unwrap();
    let waits = acs3("InvokeThingService", &[CALL[0], CALL[1], ("Identifier", "Waits"), CALL[3]], &signer());
    running.write_all(waits.as_bytes()).await.unwrap();
    server.calls_started.recv().await.unwrap();
    server.serving.drain();
    assert!(soon(receive(&mut used)).await.is_none(), "closed");
    assert!(soon(receive(&mut silent)).await.is_none(), "closed before its first request");
    assert!(server.calls_dropped.try_recv().is_err(), "a call still runs");
    assert!(tokio::net::TcpStream::connect(server.address).await.is_err(), "nobody listens");
    drop(running);
    server.serving.stop(Duration::from_secs(10)).await.unwrap();
}

#[tokio::test]
async fn more_connections_than_allowed_wait_for_their_turn() {
    let config = Config { connections_max: std::num::NonZeroUsize::MIN, ..Config::default() };
    let server = Setup { config, ..Setup::default() }.start().await;
    let mut first = server.connect().await;
    first.write_all(call().as_bytes()).await.unwrap();
    assert_eq!(receive(&mut first).await.unwrap().status, 200);
    let mut second = server.connect().await;
    second.write_all(call().as_bytes()).await.unwrap();
    first.write_all(call().as_bytes()).await.unwrap();
    assert_eq!(receive(&mut first).await.unwrap().status, 200);
    // It has not idled for long enough to give way.
    assert_eq!(server.engine.requests.lock().unwrap().len(), 2, "both of the first connection");
    drop(first);
    assert_eq!(receive(&mut second).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_head_that_does_not_come_and_a_body_that_does_not_come_end() {
    let short = Duration::from_millis(50);
    let config = Config { header_read_timeout: short, body_read_timeout: short, ..Config::default() };
    let server = Setup { config, ..Setup::default() }.start().await;
    let mut head = server.connect().await;
    head.write_all(b"GET / HT").await.unwrap();
    let received = receive(&mut head).await.unwrap();
    assert_eq!((received.status, &*received.code()), (408, "RequestTimeout"));
    let received = server.send("POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 5\r\n\r\na=").await;
    assert_eq!((received.status, &*received.code()), (408, "RequestTimeout"));
}

#[tokio::test]
async fn names_of_headers_are_in_title_case() {
    let config = Config { nonces_max: std::num::NonZeroUsize::MIN, ..Config::default() };
    let server = Setup { config, ..Setup::default() }.start().await;
    let names = |head: &str| -> Vec<String> {
        let lines = head.lines().skip(1).filter_map(|line| line.split_once(": "));
        let mut names: Vec<_> = lines.map(|(name, _)| name.to_owned()).collect();
        names.sort();
        names
    };
    let answered = server.send(call()).await;
    assert_eq!(names(&answered.head), ["Content-Length", "Content-Type", "Date"]);
    let throttled = server.send(call()).await;
    assert_eq!(names(&throttled.head), ["Content-Length", "Content-Type", "Date", "X-Acs-Retry-After"]);
    let last = server.send(call().replace("Content-Length", "Connection: close\r\nContent-Length")).await;
    assert_eq!(names(&last.head), ["Connection", "Content-Length", "Content-Type", "Date", "X-Acs-Retry-After"]);
    assert!(last.head.contains("\r\nContent-Type: application/json;charset=utf-8\r\n"), "{}", last.head);
}

#[tokio::test]
async fn every_series_is_there_from_the_start() {
    let server = Setup::default().start().await;
    let before = server.metrics();
    for series in [
        r#"thingcall_http_requests_total{code="200",route="InvokeThingService"} 0"#,
        r#"thingcall_http_requests_total{code="404",route="other"} 0"#,
        r#"thingcall_http_request_duration_seconds_count{route="other"} 0"#,
        r#"thingcall_auth_total{result="throttled"} 0"#,
        r#"thingcall_listener_connections{listener="api"} 0"#,
    ] {
        assert!(before.contains(series), "{series}\n{before}");
    }
    assert_eq!(server.send(call()).await.status, 200);
    let after = server.metrics();
    assert!(after.contains(r#"thingcall_http_requests_total{code="200",route="InvokeThingService"} 1"#));
    assert_eq!(before.lines().count(), after.lines().count(), "no series was added");
}
