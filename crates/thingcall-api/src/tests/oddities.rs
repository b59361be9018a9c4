//! HTTP that no SDK sends, and the rest of what they do send.

use super::bench::{Received, Server, Setup, capture_time, receive, signer};
use crate::{Config, sign};
use tokio::io::AsyncWriteExt;

const DEVICE: [(&str, &str); 2] = [("ProductKey", "a1BwAGVxxxx"), ("DeviceName", "light1")];

fn query() -> String {
    sign::v1_request("POST", "GetDeviceStatus", &DEVICE, &signer(), capture_time())
}

async fn send(bytes: &str) -> Received {
    Setup::default().start().await.send(bytes).await
}

async fn small(config: Config) -> Server {
    Setup { config, ..Setup::default() }.start().await
}

#[tokio::test]
async fn other_methods_are_refused_with_a_body() {
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS"] {
        let received = send(&format!("{method} / HTTP/1.1\r\nHost: here\r\nContent-Length: 0\r\n\r\n")).await;
        assert_eq!((received.status, &*received.code()), (405, "UnsupportedHTTPMethod"), "{method}");
    }
    let head = send("HEAD / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n").await;
    assert_eq!((head.status, &*head.body), (405, ""), "a HEAD has no body");
}

#[tokio::test]
async fn other_paths_are_refused_with_a_body() {
    for path in ["/x", "//", "/?", "/index.html?Format=JSON"] {
        let received = send(&format!("GET {path} HTTP/1.1\r\nHost: here\r\n\r\n")).await;
        let expected = if path == "/?" { (400, "MissingAccessKeyId") } else { (404, "InvalidAction.NotFound") };
        assert_eq!((received.status, &*received.code()), expected, "{path}");
    }
}

#[tokio::test]
async fn a_line_of_64_kib_is_read_and_a_longer_one_refused() {
    let filler = |bytes: usize| format!("GET /?{} HTTP/1.1\r\nHost: here\r\n\r\n", "x".repeat(bytes));
    assert_eq!(send(&filler(65_000)).await.code(), "MissingAccessKeyId");
    assert_eq!(send(&filler(65_534)).await.status, 414);
    let server = small(Config { uri_bytes_max: 300, ..Config::default() }).await;
    let received = server.send(filler(400)).await;
    assert_eq!((received.status, &*received.code()), (414, "RequestUriTooLong"));
}

#[tokio::test]
async fn large_arguments_come_through_the_body() {
    let args = format!(r#"{{"a":"{}"}}"#, "é".repeat(100_000));
    let params = [DEVICE[0], DEVICE[1], ("Identifier", "Set"), ("Args", &args)];
    let form = sign::v1_request("POST", "InvokeThingService", &params, &signer(), capture_time());
    let server = Setup::default().start().await;
    let head = "POST / HTTP/1.1\r\nHost: here\r\nContent-Type: application/x-www-form-urlencoded; charset=utf-8";
    let received = server.send(format!("{head}\r\nContent-Length: {}\r\n\r\n{form}", form.len())).await;
    assert_eq!(received.status, 200, "{received:?}");
    assert_eq!(server.engine.requests.lock().unwrap()[0].args, args);
}

#[tokio::test]
async fn a_chunked_form_is_read() {
    let form = query();
    let (first, second) = form.split_at(20);
    let chunk = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
    let head = "POST / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n";
    let received = send(&format!("{head}{}{}0\r\n\r\n", chunk(first), chunk(second))).await;
    assert_eq!(received.status, 200, "{received:?}");
}

#[tokio::test]
async fn a_bad_chunk_is_refused() {
    let received = send("POST / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nx\r\n").await;
    assert_eq!((received.status, &*received.code()), (400, "InvalidFormat"), "{received:?}");
}

#[tokio::test]
async fn a_body_that_is_no_form_is_refused() {
    let head = "POST / HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
    let received = send(head).await;
    assert_eq!((received.status, &*received.code()), (415, "UnsupportedContentType"));
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_announced_or_not() {
    let config = Config { body_bytes_max: std::num::NonZeroUsize::new(10).unwrap(), ..Config::default() };
    let announced = "POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 11\r\n\r\nhello=world";
    let chunked = "POST / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\nb\r\nhello=world\r\n0\r\n\r\n";
    for request in [announced, chunked] {
        let received = small(config.clone()).await.send(request).await;
        assert_eq!((received.status, &*received.code()), (413, "RequestBodyTooLarge"), "{request}");
    }
}

#[tokio::test]
async fn who_expects_to_be_told_to_go_on_is_told() {
    let server = Setup::default().start().await;
    let (form, mut stream) = (query(), server.connect().await);
    let head =
        format!("POST / HTTP/1.1\r\nHost: here\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\r\n", form.len());
    stream.write_all(head.as_bytes()).await.unwrap();
    assert_eq!(receive(&mut stream).await.unwrap().status, 100);
    stream.write_all(form.as_bytes()).await.unwrap();
    assert_eq!(receive(&mut stream).await.unwrap().status, 200);
}

#[tokio::test]
async fn parameters_may_be_split_between_query_and_body() {
    let all = query();
    for at in 1..all.split('&').count() {
        let pairs: Vec<_> = all.split('&').collect();
        let (query, form) = (pairs[..at].join("&"), pairs[at..].join("&"));
        let received =
            send(&format!("POST /?{query} HTTP/1.1\r\nHost: here\r\nContent-Length: {}\r\n\r\n{form}", form.len()))
                .await;
        assert_eq!(received.status, 200, "{at}: {received:?}");
    }
}
