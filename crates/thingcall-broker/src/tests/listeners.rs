//! The other ways in: TLS and WebSocket.

use std::path::{Path, PathBuf};

use prometheus::Registry;
use rumqttc_v4 as v4;
use thingcall_alink as alink;
use thingcall_core::Secret;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::bench::{Bench, Event, SECRET};
use crate::{Broker, Tls, WebSocket};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests/listeners").join(name)
}

pub(super) fn tls() -> Tls {
    Tls { listen: "127.0.0.1:0".parse().unwrap(), cert_file: file("cert.pem"), key_file: file("key.pem") }
}

#[tokio::test]
async fn device_connects_with_tls() {
    let mut bench = Bench::with(|config| config.tls = Some(tls())).await;
    let device = bench.device("devA");
    let client_id = alink::client_id(&device, true, 1);
    let mut options = v4::MqttOptions::new(&client_id, ("localhost", bench.broker.tls_addr().unwrap().port()));
    options.set_credentials(alink::username(&device), alink::password(&device, &client_id, &Secret::new(SECRET)));
    options.set_transport(v4::Transport::tls(std::fs::read(file("cert.pem")).unwrap(), None, None));
    let (_client, mut events) = v4::AsyncClient::builder(options).capacity(10).build();
    let connected = events.poll().await.unwrap();
    assert!(matches!(connected, v4::Event::Incoming(v4::Packet::ConnAck(_))), "{connected:?}");
    bench.wait(|event| matches!(event, Event::Online(online) if *online == device)).await;
}

#[tokio::test]
async fn missing_certificate_is_said_with_its_file() {
    let bench = Bench::start().await;
    let config = crate::Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        tls: Some(Tls { cert_file: file("no.pem"), ..tls() }),
        ..crate::Config::default()
    };
    let error = Broker::start(config, bench.parts(), &Registry::new()).await.err().unwrap();
    assert!(
        error.to_string().starts_with("tls.cert_file is /") && error.to_string().contains("/no.pem (No such file"),
        "{error}"
    );
}

#[tokio::test]
async fn address_in_use_is_said() {
    let bench = Bench::start().await;
    let taken = bench.broker.local_addr();
    let config = crate::Config { listen: taken, ..crate::Config::default() };
    let error = Broker::start(config, bench.parts(), &Registry::new()).await.err().unwrap();
    assert!(error.to_string().starts_with("listen is unusable (Address already in use"), "{error}");
}

#[tokio::test]
async fn websocket_is_opened_for_the_mqtt_subprotocol() {
    let listen = "127.0.0.1:0".parse().unwrap();
    let bench = Bench::with(|config| config.websocket = Some(WebSocket { listen })).await;
    let mut stream = TcpStream::connect(bench.broker.websocket_addr().unwrap()).await.unwrap();
    let asks = "GET /mqtt HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
                Sec-WebSocket-Protocol: mqtt\r\n\r\n";
    stream.write_all(asks.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 101");
}
