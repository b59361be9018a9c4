//! What all questions have in common: the secret, the limits, and what is not read.

use std::convert::Infallible;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use bytes::Bytes;
use futures::stream;
use thingcall_core::Secret;

use super::bench::{Bench, config, device, password};
use crate::Config;
use crate::endpoint::Endpoint;

const VHOST: &str = "username=devA%26pk1&vhost=%2F";

#[tokio::test]
async fn a_question_without_the_secret_is_not_answered() {
    let bench = Bench::with(Config { secret: Some(Secret::new("s3cret")), ..config() });
    let with = async |path: &str, header: Option<&str>| {
        let request = header.iter().fold(Request::post(path), |request, value| request.header("authorization", *value));
        bench.ask(request.body(Body::from(VHOST)).unwrap()).await.0
    };

    assert_eq!(with("/rabbitmq/vhost", Some("Bearer s3cret")).await, StatusCode::OK);
    assert_eq!(with("/s3cret/rabbitmq/vhost", None).await, StatusCode::OK);
    for (path, header) in [
        ("/rabbitmq/vhost", None),
        ("/rabbitmq/vhost", Some("Bearer wrong")),
        ("/rabbitmq/vhost", Some("s3cret")),
        ("/wrong/rabbitmq/vhost", None),
        ("//rabbitmq/vhost", None),
        ("/s3cret/rabbitmq/vhost", Some("Bearer wrong")),
    ] {
        assert_eq!(with(path, header).await, StatusCode::UNAUTHORIZED, "{path} {header:?}");
    }
    assert_eq!(bench.decisions("rabbitmq", "vhost", "error"), 6);
    assert_eq!(bench.decisions("rabbitmq", "vhost", "allow"), 2);
}

#[tokio::test]
async fn a_path_that_is_none_is_not_found() {
    let bench = Bench::new();
    for path in
        ["/", "/rabbitmq", "/rabbitmq/", "/rabbitmq/users", "/emqx/user", "/a/b/rabbitmq/vhost", "/rabbitmq/vhost/"]
    {
        assert_eq!(bench.form(path, VHOST).await.0, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(
        bench.form("/x/rabbitmq/vhost", VHOST).await.0,
        StatusCode::UNAUTHORIZED,
        "a secret where there is none"
    );
}

#[tokio::test]
async fn a_question_that_nobody_can_decide_now_is_no_no() {
    let bench = Bench::new();
    bench.devices.unreadable.store(true, Ordering::Relaxed);
    for (path, question) in [
        ("/rabbitmq/vhost", VHOST),
        ("/rabbitmq/user", "username=devA%26pk1&password=x&client_id=c"),
        ("/emqx/authn", "username=devA%26pk1&password=x&clientid=c"),
        ("/mosquitto/acl", "username=devA%26pk1&clientid=c&topic=t&acc=1"),
    ] {
        let (status, body) = bench.form(path, question).await;
        assert_eq!((status, body.as_str()), (StatusCode::SERVICE_UNAVAILABLE, "nobody can say now: the store fails"));
    }
    assert_eq!(bench.decisions("rabbitmq", "vhost", "error"), 1);
    assert_eq!(bench.decisions("rabbitmq", "vhost", "deny"), 0);
}

#[tokio::test]
async fn a_question_that_cannot_be_read_is_not_answered() {
    let bench = Bench::with(Config { body_bytes_max: std::num::NonZeroUsize::new(200).unwrap(), ..config() });
    let long = format!("{VHOST}&x={}", "y".repeat(200));
    for (path, form, status) in [
        ("/rabbitmq/vhost", VHOST, StatusCode::OK),
        ("/rabbitmq/vhost", &long, StatusCode::PAYLOAD_TOO_LARGE),
        ("/rabbitmq/vhost", "username=devA%26pk1", StatusCode::BAD_REQUEST),
        ("/rabbitmq/vhost", "vhost=%2F", StatusCode::BAD_REQUEST),
        ("/rabbitmq/vhost", "username=devB%26pk1&vhost=%2F&username=devA%26pk1", StatusCode::BAD_REQUEST),
        ("/rabbitmq/vhost", "username=devA%26pk1&vhost=%2F&client_id=%FF", StatusCode::BAD_REQUEST),
        ("/rabbitmq/topic", VHOST, StatusCode::BAD_REQUEST),
        ("/emqx/authn", "username=devA%26pk1", StatusCode::BAD_REQUEST),
        ("/mosquitto/acl", "username=devA%26pk1&clientid=pk1.devA", StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(bench.form(path, form).await.0, status, "{path} {form}");
    }
    let (status, _) = bench.get(&format!("/rabbitmq/vhost?{long}")).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    let put = Request::put("/rabbitmq/vhost").body(Body::from(VHOST)).unwrap();
    assert_eq!(bench.ask(put).await.0, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_given_up() {
    let bench = Bench::with(Config { body_read_timeout: Duration::from_secs(5), ..config() });
    let never = Body::from_stream(stream::pending::<Result<Bytes, Infallible>>());
    let started = tokio::time::Instant::now();

    let (status, _) = bench.ask(Request::post("/emqx/authn").body(never).unwrap()).await;

    assert_eq!(status, StatusCode::REQUEST_TIMEOUT);
    assert_eq!(started.elapsed(), Duration::from_secs(5));
}

#[tokio::test]
async fn a_device_that_is_disabled_or_removed_is_refused_at_its_next_question() {
    let bench = Bench::new();
    let ask = async || bench.form("/rabbitmq/vhost", VHOST).await.1;
    assert_eq!(ask().await, "allow");
    bench.devices.put(&device("devA"), false);
    assert_eq!(ask().await, "deny");
    bench.devices.put(&device("devA"), true);
    assert_eq!(ask().await, "allow");
    bench.devices.remove(&device("devA"));
    assert_eq!(ask().await, "deny");
}

#[tokio::test]
async fn a_client_id_is_the_first_devices_at_every_broker() {
    let bench = Bench::new();
    let login = async |name: &str, client_id: &str| {
        let (user, password) = (format!("{name}&pk1"), password(&device(name), client_id));
        let form = [("username", user.as_str()), ("password", &password), ("clientid", client_id)];
        let mut text = form_urlencoded::Serializer::new(String::new());
        bench.form("/mosquitto/user", &text.extend_pairs(form).finish()).await.0 == StatusCode::OK
    };

    assert!(login("devA", "mac|timestamp=1|").await);
    assert!(!login("devB", "mac|timestamp=1|").await, "taken");
    assert!(login("devB", "mac|timestamp=2|").await, "another, to a broker");
    assert!(login("devB", "pk1&devX").await, "named after nobody");
    assert!(!login("devA", "pk1.devB|timestamp=1|").await, "named after another");
    // What one SDK writes, unless it is some device's name.
    let sdk = "pk1&devA_aliyun-iot-device-sdk-js|timestamp=1|";
    assert!(!login("devB", sdk).await);
    assert!(login("devA", sdk).await);
    bench.devices.put(&device("devA_aliyun-iot-device-sdk-js"), true);
    assert!(!login("devA", sdk).await);
}

#[tokio::test]
async fn a_wrong_password_claims_no_client_id() {
    let bench = Bench::new();
    let form = "username=devB%26pk1&password=wrong&clientid=mac";
    assert_eq!(bench.form("/mosquitto/user", form).await.0, StatusCode::FORBIDDEN);
    let right = password(&device("devA"), "mac");
    let form = format!("username=devA%26pk1&password={right}&clientid=mac");
    assert_eq!(bench.form("/mosquitto/user", &form).await.0, StatusCode::OK);
}

#[test]
fn sample_configurations_ask_at_every_path_there_is() {
    let samples = [
        include_str!("../../../../deploy/rabbitmq/rabbitmq.conf"),
        include_str!("../../../../deploy/emqx/emqx.conf"),
        include_str!("../../../../deploy/mosquitto/go-auth.conf"),
    ];
    let settings: Vec<_> = samples.iter().flat_map(|text| text.lines()).filter(|line| !line.starts_with('#')).collect();
    for (broker, word) in Endpoint::all() {
        let path = format!("/{broker}/{word}");
        assert!(settings.iter().any(|line| line.trim_end_matches('"').ends_with(&path)), "{path}");
    }
}
