//! Sockets that do not log in: each has a time, all together a number.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::bench::{Bench, PATIENCE, login};
use super::client::Client;
use super::listeners::tls;
use crate::WebSocket;

/// Waits until the broker closes.
async fn closed(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    // A reset is an end too.
    drop(timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("closed in time"));
}

#[tokio::test]
async fn socket_that_does_not_log_in_is_closed_in_time_on_every_listener() {
    let bench = Bench::with(|config| {
        config.handshake_timeout = Duration::from_millis(300);
        config.tls = Some(tls());
        config.websocket = Some(WebSocket { listen: "127.0.0.1:0".parse().unwrap() });
    })
    .await;
    let (tcp, tls) = (bench.broker.local_addr(), bench.broker.tls_addr().unwrap());
    let websocket = bench.broker.websocket_addr().unwrap();
    // Nothing, part of a CONNECT, part of a handshake of each kind.
    let begun: [(_, &[u8]); 6] = [
        (tcp, b""),
        (tcp, b"\x10\x20\x00\x04MQTT\x04"),
        (tls, b""),
        (tls, b"\x16\x03\x01\x02\x00"),
        (websocket, b""),
        (websocket, b"GET /mqtt HTTP/1.1\r\nHost: x\r\n"),
    ];
    let mut streams = Vec::new();
    for (address, bytes) in begun {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        streams.push(stream);
    }
    for stream in &mut streams {
        closed(stream).await;
    }
    assert_eq!(bench.refusals("timeout"), 6);
    bench.sockets(0).await;
}

#[tokio::test]
async fn socket_that_has_been_silent_for_longest_makes_room_for_devices() {
    let mut bench = Bench::with(|config| config.sockets_max = 3.try_into().unwrap()).await;
    let (_, mut client) = bench.connected("devA").await;
    let address = bench.broker.local_addr();
    let mut silent = Vec::new();
    for _ in 0..7 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    for stream in &mut silent[..5] {
        closed(stream).await;
    }
    bench.sockets(3).await;
    let device = bench.device("devB");
    let mut other = bench.connect(&device).await;
    for (client, topic) in [(&mut client, "/sys/pk1/devA/x"), (&mut other, "/sys/pk1/devB/x")] {
        client.publish_acked(topic, "{}").await;
    }
    let malformed_or_unknown = bench.refusals("malformed") + bench.refusals("credentials");
    assert_eq!((bench.refusals("sockets_max"), malformed_or_unknown), (6, 0));
    assert_eq!(bench.gauge("sockets_limit"), 3);
}

#[tokio::test]
async fn socket_beyond_their_number_is_closed_at_once_where_all_have_logged_in() {
    let mut bench = Bench::with(|config| config.sockets_max = 1.try_into().unwrap()).await;
    let (device, mut client) = bench.connected("devA").await;
    let address = bench.broker.local_addr();
    closed(&mut TcpStream::connect(address).await.unwrap()).await;
    assert_eq!(bench.refusals("sockets_max"), 1);
    client.publish_acked("/sys/pk1/devA/x", "{}").await;
    drop(client);
    bench.sockets(0).await;
    let _again = Client::connect(address, &login(&device)).await.unwrap();
}

#[tokio::test]
async fn nothing_larger_than_a_connect_is_read_before_a_login() {
    let bench = Bench::start().await;
    let mut stream = TcpStream::connect(bench.broker.local_addr()).await.unwrap();
    // A CONNECT that says it has 200,000 bytes.
    stream.write_all(b"\x10\xc0\x9a\x0c\x00\x04MQTT\x04\xc2\x00\x3c").await.unwrap();
    closed(&mut stream).await;
    assert_eq!(bench.refusals("malformed"), 1);
}
