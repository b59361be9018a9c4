//! Two thousand devices at once.

use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use thingcall_core::{CallMode, DeviceKey, Qos, Transport};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::bench::{Bench, PATIENCE, delivery, login};
use super::client::Client;

const DEVICES: usize = 2000;
/// Two sockets for each device in this one process, and some for the rest.
const FILES: u64 = 2 * DEVICES as u64 + 500;
/// Connects that run at the same time.
const CONNECTING: usize = 200;

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_devices_connect_and_answer() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|files| files < FILES) {
        setrlimit(Resource::Nofile, Rlimit { current: limit.maximum.or(Some(FILES)), ..limit }).unwrap();
    }
    let mut bench = Bench::start().await;
    let before = resident_kib();
    let started = Instant::now();
    let mut clients = Vec::new();
    for chunk in (0..DEVICES).collect::<Vec<_>>().chunks(CONNECTING) {
        let mut connecting = JoinSet::new();
        for n in chunk {
            let device = bench.device(&format!("dev{n}"));
            let address = bench.broker.local_addr();
            connecting.spawn(async move {
                let client = Client::connect(address, &login(&device)).await.unwrap();
                (device, client)
            });
        }
        clients.extend(tokio::time::timeout(PATIENCE, connecting.join_all()).await.unwrap());
    }
    let connected_in = started.elapsed();
    assert_eq!(bench.broker.connected_devices(), DEVICES);
    let resident = resident_kib().saturating_sub(before);
    let started = Instant::now();
    call_each(&mut bench, &mut clients).await;
    report(connected_in, started.elapsed(), resident);
    bench.broker.shutdown().await;
    assert_eq!(bench.broker.connected_devices(), 0);
}

async fn call_each(bench: &mut Bench, clients: &mut [(DeviceKey, Client)]) {
    for (id, (device, client)) in (1..).zip(clients) {
        bench.broker.deliver(&delivery(device, id, CallMode::Sync, Qos::AtMostOnce)).await.unwrap();
        let got = client.message().await;
        let answer = format!(r#"{{"id":"{id}","code":200,"data":{{}}}}"#);
        client.publish(&got.topic.replace("request", "response"), &answer).await;
        let reply = bench.reply().await;
        assert_eq!((&reply.device, reply.id().unwrap().as_u32()), (&*device, id));
    }
}

/// Resident memory of this process, devices included.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

#[expect(clippy::print_stderr, reason = "figures for who runs the test with --nocapture")]
fn report(connected_in: Duration, called_in: Duration, resident_kib: u64) {
    eprintln!(
        "{DEVICES} devices connected in {connected_in:?}, {DEVICES} calls one after another in {called_in:?}, \
         {resident_kib} KiB more resident with both ends of the connections"
    );
}
