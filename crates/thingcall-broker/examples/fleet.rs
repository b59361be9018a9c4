//! Devices that do what idle ones do, as `tests/memory/run storm` has them come back to the server: they connect, say that they
//! are there, answer calls, and connect again as often as their connection ends.
//!
//! **Invariant:** a device has one connection at a time. What it says is made before it connects, so that the server is what is
//! measured.

#![expect(clippy::print_stdout, reason = "says when all are connected")]

use std::cell::Cell;
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};
use thingcall_alink as alink;
use thingcall_core::{DeviceKey, Secret};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep, timeout, timeout_at};

/// How long a device waits before it connects again, as SDKs do at first.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// How long it waits for its CONNACK.
const PATIENCE: Duration = Duration::from_secs(30);
const BACKLOG_TOLD: usize = 1000;

/// What all devices share.
struct Fleet {
    server: SocketAddr,
    from: SocketAddr,
    keep_alive: Duration,
    subscribes: bool,
    connected: Cell<usize>,
    refused: Cell<usize>,
}

/// `fleet SERVER FROM PRODUCT FIRST COUNT KEEP_ALIVE_S SUBSCRIBES`: devices `fleet-0000000` and so on, with their numbers for secrets.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let mut next = || args.next().ok_or("SERVER FROM PRODUCT FIRST COUNT KEEP_ALIVE_S SUBSCRIBES");
    let (server, from, product) = (next()?.parse()?, next()?.parse()?, next()?);
    let (first, count): (usize, usize) = (next()?.parse()?, next()?.parse()?);
    let (keep_alive, subscribes) = (Duration::from_secs(next()?.parse()?), next()? == "true");
    let (connected, refused) = (Cell::new(0), Cell::new(0));
    let fleet = Rc::new(Fleet { server, from, keep_alive, subscribes, connected, refused });
    let devices = LocalSet::new();
    for number in first..first + count {
        let (product, name) = (product.as_str().try_into()?, format!("fleet-{number:07}").as_str().try_into()?);
        let secret = Secret::new(&format!("{number:032}"));
        let device = DeviceKey { product, name };
        let (hello, subscribe) = (connect(&device, &secret, keep_alive), subscribe(&device));
        devices.spawn_local(lives(fleet.clone(), hello, subscribe));
    }
    println!("made");
    devices.spawn_local(tells(fleet, count));
    devices.await;
    Ok(())
}

/// Says how many are connected, whenever that has changed by much.
async fn tells(fleet: Rc<Fleet>, count: usize) {
    let mut told = usize::MAX;
    loop {
        let connected = fleet.connected.get();
        if connected != told && (connected == count || connected.abs_diff(told) >= BACKLOG_TOLD) {
            println!("connected {connected} refused {}", fleet.refused.get());
            told = connected;
        }
        sleep(Duration::from_millis(20)).await;
    }
}

async fn lives(fleet: Rc<Fleet>, hello: Vec<u8>, subscribe: Vec<u8>) {
    loop {
        if let Ok(Ok(stream)) = timeout(PATIENCE, logs_in(&fleet, &hello)).await {
            fleet.connected.set(fleet.connected.get() + 1);
            // However it ends, it comes again.
            drop(stays(&fleet, stream, &subscribe).await);
            fleet.connected.set(fleet.connected.get() - 1);
        }
        sleep(AGAIN_AFTER).await;
    }
}

async fn logs_in(fleet: &Fleet, hello: &[u8]) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(fleet.from)?;
    let mut stream = socket.connect(fleet.server).await?;
    stream.set_nodelay(true)?;
    stream.write_all(hello).await?;
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).await?;
    if answer != [0x20, 2, 0, 0] {
        fleet.refused.set(fleet.refused.get() + 1);
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    Ok(stream)
}

/// Answers what it is called, and pings.
async fn stays(fleet: &Fleet, mut stream: TcpStream, subscribe: &[u8]) -> io::Result<()> {
    if fleet.subscribes {
        stream.write_all(subscribe).await?;
    }
    let mut ping_at = Instant::now() + fleet.keep_alive;
    loop {
        let Ok(kind) = timeout_at(ping_at, stream.read_u8()).await else {
            stream.write_all(&[0xc0, 0]).await?;
            ping_at += fleet.keep_alive;
            continue;
        };
        let (kind, mut length, mut shift) = (kind?, 0, 0);
        loop {
            let digit = stream.read_u8().await?;
            length |= usize::from(digit & 0x7f) << shift;
            shift += 7;
            if digit < 0x80 {
                break;
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        if kind & 0xf0 == 0x30
            && let Some(answer) = answer(&body)
        {
            stream.write_all(&answer).await?;
        }
    }
}

/// The answer to a synchronous call: what it was sent.
fn answer(body: &[u8]) -> Option<Vec<u8>> {
    let (length, rest) = body.split_first_chunk()?;
    let (topic, payload) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
    let asked: Value = serde_json::from_slice(payload).ok()?;
    let topic = std::str::from_utf8(topic).ok()?.replace("/rrpc/request/", "/rrpc/response/");
    let told = json!({ "id": asked.get("id")?, "code": 200, "data": asked.get("params")? });
    let mut body = text(&topic);
    body.extend_from_slice(told.to_string().as_bytes());
    Some(packet(0x30, &body))
}

/// A CONNECT as the official SDKs make it.
fn connect(device: &DeviceKey, secret: &Secret, keep_alive: Duration) -> Vec<u8> {
    let client_id = format!("{}|securemode=3,signmethod=hmacsha256,ext=1|", device.name);
    let mut body = text("MQTT");
    body.extend_from_slice(&[4, 0xc2]);
    body.extend_from_slice(&u16::try_from(keep_alive.as_secs()).unwrap_or(u16::MAX).to_be_bytes());
    for part in [&client_id, &alink::username(device), &alink::password(device, &client_id, secret)] {
        body.extend_from_slice(&text(part));
    }
    packet(0x10, &body)
}

/// A SUBSCRIBE to the topics of its calls.
fn subscribe(device: &DeviceKey) -> Vec<u8> {
    let own = format!("/sys/{}/{}", device.product, device.name);
    let filters = ["/thing/service/+", "/rrpc/request/+"].map(|rest| format!("{own}{rest}"));
    let mut body = vec![0, 1];
    for filter in filters.into_iter().chain([format!("/ext/rrpc/+{own}/#")]) {
        body.extend_from_slice(&text(&filter));
        body.push(0);
    }
    packet(0x82, &body)
}

fn text(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes();
    [&length, text.as_bytes()].concat()
}

fn packet(kind: u8, body: &[u8]) -> Vec<u8> {
    let (mut length, mut bytes) = (body.len(), vec![kind]);
    loop {
        let digit = u8::try_from(length & 0x7f).unwrap_or_default();
        length >>= 7;
        bytes.push(if length > 0 { digit | 0x80 } else { digit });
        if length == 0 {
            return [bytes.as_slice(), body].concat();
        }
    }
}
