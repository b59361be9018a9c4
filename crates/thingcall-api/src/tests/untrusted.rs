//! What a caller may take before its signature is right, and what it is told whose request cannot be read.

use tokio::io::AsyncWriteExt;

use super::bench::{Received, Setup, capture_time, receive, signer, soon};
use crate::{Config, sign};

const LIGHT: [(&str, &str); 3] = [("ProductKey", "a1BwAGVxxxx"), ("DeviceName", "light1"), ("Identifier", "Set")];

/// A call with these arguments, all of it in a form.
fn form(args: &str) -> String {
    let params = [&LIGHT[..], &[("Args", args)]].concat();
    sign::v1_request("POST", "InvokeThingService", &params, &signer(), capture_time())
}

fn posted(query: &str, form: &str) -> String {
    let length = form.len();
    format!(
        "POST /?{query} HTTP/1.1\r\nHost: here\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {length}\r\n\r\n{form}"
    )
}

/// 22,000 bytes of Chinese in one text.
fn chinese(bytes: usize) -> String {
    format!(r#"{{"t0":"{}"}}"#, "中".repeat(bytes / 3))
}

#[tokio::test]
async fn long_arguments_in_chinese_pass_in_a_form_and_are_told_the_way_in_a_query() {
    let server = Setup::default().start().await;
    let args = chinese(65_000);
    let received = server.send(posted("", &form(&args))).await;
    assert_eq!(received.status, 200, "{received:?}");
    assert_eq!(server.engine.requests.lock().unwrap()[0].args, args);

    for (format, json) in [("JSON", true), ("XML", false)] {
        let query = form(&chinese(22_000)).replace("Format=JSON", &format!("Format={format}"));
        let received = server.send(format!("POST /?{query} HTTP/1.1\r\nHost: here\r\n\r\n")).await;
        assert_eq!((received.status, &*received.code()), (414, "RequestUriTooLong"));
        assert_eq!(received.body.starts_with('{'), json);
        assert!(received.body.contains("form body") && received.body.contains("65534"), "{received:?}");
        received.golden();
    }
    assert!(server.metrics().contains(r#"thingcall_http_requests_total{code="414",route="other"} 2"#));
}

#[tokio::test]
async fn what_no_request_can_be_read_from_is_told_so() {
    let server = Setup::default().start().await;
    for (request, status, code) in [
        (format!("GET / HTTP/1.1\r\nA: {}\r\n\r\n", "a".repeat(200_000)), 431, "RequestHeaderTooLarge"),
        (with_headers(300), 431, "RequestHeaderTooLarge"),
        ("GET / HTTP/9.9\r\n\r\n".to_owned(), 400, "InvalidFormat"),
        ("POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n".to_owned(), 400, "InvalidFormat"),
        (format!("GET /?{} HTTP/1.1\r\n\r\n", "a".repeat(70_000)), 414, "RequestUriTooLong"),
        ("GET /elsewhere HTTP/1.1\r\n\r\n".to_owned(), 404, "InvalidAction.NotFound"),
        ("GET /?Action=GetDeviceStatus&AccessKeyId=a HTTP/1.1\r\n\r\n".to_owned(), 400, "MissingSignatureMethod"),
    ] {
        let received = server.send(request).await;
        assert_eq!((received.status, &*received.code()), (status, code), "{received:?}");
        let (told, signed) = server.engine.told.lock().unwrap().pop().expect("it is told");
        assert_eq!((told.code.as_deref(), signed), (Some(code), false), "{told:?}");
        assert!(
            received.body.contains(&told.request_id) && received.body.contains(&told.text),
            "{told:?} {received:?}"
        );
    }
}

fn with_headers(count: usize) -> String {
    format!("GET / HTTP/1.1\r\n{}\r\n", "a: bcdef\r\n".repeat(count))
}

#[tokio::test]
async fn more_headers_than_are_read_are_told_apart_from_too_many_bytes() {
    let server = Setup::default().start().await;
    assert_ne!(server.send(with_headers(100)).await.status, 431);
    let received = server.send(with_headers(101)).await;
    assert_eq!(received.status, 431);
    assert!(received.body.contains("more than 100 headers") && !received.body.contains("bytes"), "{received:?}");
    let large = server.send(format!("GET / HTTP/1.1\r\nA: {}\r\n\r\n", "a".repeat(200_000))).await;
    assert!(large.body.contains("131072 bytes"), "{large:?}");
}

#[tokio::test]
async fn the_string_to_sign_is_whole_for_the_longest_call_and_cut_beyond() {
    let server = Setup::default().start().await;
    let message = |received: Received| received.json()["Message"].as_str().unwrap().to_owned();
    // Base64 of 20 bytes ends in `=`.
    let wrong = |form: String| form.replace("Signature=", "Signature=A");
    let whole = message(server.send(posted("", &wrong(form(&chinese(65_000))))).await);
    assert!(whole.len() > 320_000 && !whole.contains("..."), "{}", whole.len());
    let cut = message(server.send(posted("", &wrong(form(&"x".repeat(1_900_000))))).await);
    assert!(cut.len() < 400_000 && cut.contains("... (the first 393216 of 1900"), "{}", cut.len());
}

#[tokio::test]
async fn a_large_body_is_not_waited_for_where_the_head_says_enough() {
    let server = Setup::default().start().await;
    let refused = async |query: &str, headers: &str| {
        let head = format!("POST /?{query} HTTP/1.1\r\n{headers}Content-Length: 1000000\r\n\r\n");
        let mut stream = server.connect().await;
        stream.write_all(head.as_bytes()).await.unwrap();
        soon(receive(&mut stream)).await.unwrap().code()
    };
    assert_eq!(refused("AccessKeyId=nobody", "").await, "InvalidAccessKeyId.NotFound");
    assert_eq!(refused("AccessKeyId=testid&Timestamp=2020-01-01T00:00:00Z", "").await, "InvalidTimeStamp.Expired");
    let acs3 = "Authorization: ACS3-HMAC-SHA256 Credential=nobody,SignedHeaders=host,Signature=a\r\n";
    assert_eq!(refused("", acs3).await, "InvalidAccessKeyId.NotFound");
}

#[tokio::test]
async fn unsigned_bodies_are_bounded_together_and_usual_requests_pass() {
    let config = Config { unauthenticated_bytes_max: 2 * 1024 * 1024, ..Config::default() };
    let server = Setup { config, ..Setup::default() }.start().await;
    let (refused, mut told) = tokio::sync::mpsc::unbounded_channel();
    for _ in 0..3 {
        let mut stream = server.connect().await;
        let refused = refused.clone();
        tokio::spawn(async move {
            stream.write_all(b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 1000000\r\n\r\n").await.unwrap();
            // One is refused before all of it is sent; the two others wait for their rest.
            stream.write_all(&vec![b'a'; 900_000]).await.ok();
            refused.send(receive(&mut stream).await.unwrap()).ok();
        });
    }
    let refused = soon(told.recv()).await.unwrap();
    assert_eq!((refused.status, &*refused.code()), (503, "ServiceUnavailable"), "{refused:?}");
    assert_eq!(refused.header("x-acs-retry-after"), Some("1"));
    assert_eq!(server.acs3("GetDeviceStatus", &LIGHT[..2]).await.status, 200);
}
