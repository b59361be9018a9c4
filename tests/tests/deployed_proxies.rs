//! Callers come by TLS through each proxy that is deployed: signatures pass, events come at once, and nothing is sent twice.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::json;
use thingcall_tests::{Front, Site, TlsProxy};

fn sdks_pass(front: Front) {
    let site = Site::embedded(&[]);
    let (device, _connected) = site.linkkit("behind-tls");
    let proxy = TlsProxy::start(front, site.program.addresses.api, site.program.addresses.metrics);
    let application = proxy.application(&site, &device);
    for sdk in ["acs3", "v1", "v1-get", "v1-post"] {
        let called = application.calls(sdk, "testFb:testService", r#"{"param1":3}"#);
        let data =
            called.pointer("/body/Data/Result").and_then(|text| text.as_str()).unwrap_or_else(|| panic!("{called}"));
        assert!(data.replace(' ', "").contains(r#""param1":3"#), "{front:?}: {called}\n{}", proxy.log());
        // The first line with arguments of the size that thingcall takes: it has read them, and the signature was right.
        let long = json!({ "label": "x".repeat(60_000) }).to_string();
        let called = application.calls(sdk, "SetScene", &long);
        assert!(called.to_string().contains("Args.label has 60000 bytes"), "{front:?}: {sdk}: {called}");
        let called = application.calls(sdk, "SetScene", r#"{"scene":1}"#);
        assert_eq!(called.pointer("/body/Success"), Some(&json!(true)), "{front:?}: {sdk}: {called}");
        // Its result comes while the stream stands.
        assert_eq!(application.told()["name"], "result");
    }
}

#[test]
fn calls_and_events_pass_nginx() {
    sdks_pass(Front::Nginx);
}

#[test]
fn calls_and_events_pass_caddy() {
    sdks_pass(Front::Caddy);
}

#[test]
fn calls_and_events_pass_haproxy_with_a_certificate() {
    sdks_pass(Front::Haproxy);
}

/// A server that ends over each request for `/ends`, after it got it; what it got.
fn ends_over_requests() -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    let got = Arc::new(Mutex::new(Vec::new()));
    let seen = got.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let seen = seen.clone();
            std::thread::spawn(move || serve(stream, &seen));
        }
    });
    (address, got)
}

fn serve(mut stream: TcpStream, seen: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
    loop {
        let mut head = Vec::new();
        for line in reader.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty()) {
            head.push(line);
        }
        let Some(first) = head.first().cloned() else { return };
        seen.lock().expect("no reader panicked").push(first.clone());
        if first.contains("/ends") {
            return;
        }
        if stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").is_err() {
            return;
        }
    }
}

#[test]
fn no_proxy_sends_a_request_again_whose_instance_ended_over_it() {
    for front in [Front::Nginx, Front::Caddy, Front::Haproxy] {
        let (server, got) = ends_over_requests();
        let proxy = TlsProxy::start(front, server, server);
        // HAProxy asks whether it is ready, first.
        let answered = proxy.gets(&["/well", "/well", "/ends", "/well", "/ends"]);
        assert_eq!(answered, [200, 200, 502, 200, 502], "{front:?}\n{}", proxy.log());
        let got = got.lock().expect("no server panicked");
        assert_eq!(got.iter().filter(|line| line.contains("/ends")).count(), 2, "{front:?}: {got:?}");
    }
}
