//! What a caller gets whose request cannot be read, and what it may take.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use prometheus::{Registry, TextEncoder};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::{Caller, Figures, Limits, Plain, Serving, serve};

const LIMITS: Limits = Limits {
    connections_max: 10,
    head_bytes_max: 128 * 1024,
    head_timeout: Duration::from_secs(30),
    write_timeout: Duration::from_secs(30),
    unauthenticated_bytes_max: 1024 * 1024,
};

/// Answers with what it was sent, or, asked at `/large`, with more than a socket takes.
async fn echo(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let caller = request.extensions().get::<Caller>().unwrap().clone();
    if request.uri().path() == "/large" {
        return Ok(Response::new(Full::new(Bytes::from(vec![b'x'; 64 * 1024 * 1024]))));
    }
    let body = request.into_body().collect().await.map(|body| body.to_bytes());
    let answer = body.unwrap_or_else(|_| {
        caller.cut_short();
        Bytes::from(format!("over budget: {}", caller.over_budget()))
    });
    Ok(Response::new(Full::new(answer)))
}

/// A listener, as long as its handle is kept.
async fn start(limits: Limits) -> (SocketAddr, Registry, Serving) {
    let registry = Registry::new();
    let figures = Figures::register("test", &registry).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = serve(listener, limits, figures, Arc::new(Plain(service_fn(echo))));
    (address, registry, serving)
}

fn metrics(registry: &Registry) -> String {
    TextEncoder::new().encode_to_string(&registry.gather()).unwrap()
}

async fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.unwrap()
}

/// All that comes until the connection ends.
async fn rest(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    // A reset after the answer would be an error here.
    timeout(Duration::from_secs(20), stream.read_to_end(&mut bytes)).await.expect("it ends").unwrap();
    String::from_utf8(bytes).unwrap()
}

async fn ask(address: SocketAddr, request: impl AsRef<[u8]>) -> String {
    let mut stream = connect(address).await;
    stream.write_all(request.as_ref()).await.unwrap();
    rest(stream).await
}

#[tokio::test]
async fn every_request_that_cannot_be_read_is_answered_with_a_body() {
    let (address, registry, _serving) = start(LIMITS).await;
    let target = format!("GET /?{} HTTP/1.1\r\nHost: here\r\n\r\n", "a".repeat(70_000));
    let head = format!("GET / HTTP/1.1\r\nHost: here\r\nA: {}\r\n\r\n", "a".repeat(300_000));
    for (request, status, says) in [
        (&*target, "414 URI Too Long", "65534 bytes"),
        (&*head, "431 Request Header Fields Too Large", "131072 bytes"),
        ("nonsense\r\n\r\n", "400 Bad Request", "no HTTP/1.1"),
        ("GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n", "400 Bad Request", "no HTTP/1.1"),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "400 Bad Request", "no HTTP/1.1"),
    ] {
        let answer = ask(address, request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{answer}");
        assert!(answer.contains("\r\nContent-Type: text/plain; charset=utf-8\r\n"), "{answer}");
        assert!(answer.contains(says), "{answer}");
        assert_eq!(answer.matches("HTTP/1.1 4").count(), 1, "one answer: {answer}");
    }
    let cut = r#"thingcall_listener_connections_cut_total{listener="test",reason="unreadable"} 5"#;
    assert!(metrics(&registry).contains(cut), "{}", metrics(&registry));
}

#[tokio::test]
async fn an_answer_before_an_unreadable_request_is_not_lost() {
    let (address, _, _serving) = start(LIMITS).await;
    let answer = ask(address, "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nfirstnonsense\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("\r\n\r\nfirstHTTP/1.1 400 Bad"), "{answer}");
}

#[tokio::test]
async fn a_head_that_is_not_ended_in_time_is_told_so_and_silence_is_not() {
    let (address, _, _serving) = start(Limits { head_timeout: Duration::from_millis(50), ..LIMITS }).await;
    let answer = ask(address, "GET / HT").await;
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("50ms"), "{answer}");
    assert_eq!(ask(address, "").await, "");
}

#[tokio::test]
async fn a_caller_that_does_not_read_loses_its_connection() {
    let (address, registry, _serving) = start(Limits { write_timeout: Duration::from_millis(100), ..LIMITS }).await;
    let mut stream = connect(address).await;
    stream.write_all(b"GET /large HTTP/1.1\r\n\r\n").await.unwrap();
    let cut = r#"thingcall_listener_connections_cut_total{listener="test",reason="slow_to_read"} 1"#;
    timeout(Duration::from_secs(20), async {
        while !metrics(&registry).contains(cut) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("it is cut");
}

#[tokio::test]
async fn bytes_that_nobody_vouched_for_are_bounded_over_all_connections() {
    let (address, registry, _serving) = start(LIMITS).await;
    let gauge = |bytes: usize| format!("thingcall_listener_unauthenticated_bytes{{listener=\"test\"}} {bytes}\n");
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut stream = connect(address).await;
        stream.write_all(b"POST / HTTP/1.1\r\nContent-Length: 400000\r\n\r\n").await.unwrap();
        stream.write_all(&[b'x'; 300_000]).await.unwrap();
        held.push(stream);
    }
    timeout(Duration::from_secs(20), async {
        while !metrics(&registry).contains(&gauge(3 * (300_000 + 43 - 8192))) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("all of it is counted");

    let refused =
        ask(address, [b"POST / HTTP/1.1\r\nContent-Length: 300000\r\n\r\n", &[b'x'; 300_000][..]].concat()).await;
    assert!(refused.contains("over budget: true"), "{refused}");
    let small = ask(address, "POST / HTTP/1.1\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok").await;
    assert!(small.ends_with("ok"), "a small one passes: {small}");
    let head = format!("POST /?{} HTTP/1.1\r\nA: {}", "a".repeat(60_000), "a".repeat(60_000));
    let mut heads = Vec::new();
    for _ in 0..3 {
        let mut stream = connect(address).await;
        stream.write_all(head.as_bytes()).await.unwrap();
        heads.push(stream);
    }
    let unread = rest(heads.pop().unwrap()).await;
    assert!(unread.starts_with("HTTP/1.1 503 ") && unread.contains("1048576 bytes"), "{unread}");

    drop((held, heads));
    timeout(Duration::from_secs(20), async {
        while !metrics(&registry).contains(&gauge(0)) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("all of it comes back");
}

#[tokio::test]
async fn connections_are_cut_with_the_handle_of_their_listener() {
    let (address, registry, serving) = start(LIMITS).await;
    let mut stream = connect(address).await;
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut first = [0; 12];
    stream.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    let open = |connections: u8| format!("thingcall_listener_connections{{listener=\"test\"}} {connections}\n");
    assert!(metrics(&registry).contains(&open(1)));

    drop(serving);
    rest(stream).await;
    assert!(metrics(&registry).contains(&open(0)), "{}", metrics(&registry));
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens");
}
