//! Devices whose system holds a small packet back until the one before is acknowledged (Nagle's algorithm), which is how
//! device SDKs leave it.

use std::time::Duration;

use thingcall_core::{CallMode, DeviceKey, Qos, Transport};
use tokio::time::Instant;

use super::bench::{Bench, delivery};
use super::client::Client;

/// Linux waits 40 ms for something to send an acknowledgement along with.
const DELAYED: Duration = Duration::from_millis(35);
/// So many that its quick start is over, and that some are not disturbed by others on this machine.
const CALLS: u32 = 60;

/// How many of so many calls took as long as a delayed acknowledgement.
async fn delayed(bench: &mut Bench, device: &DeviceKey, client: &mut Client, qos: Qos, at_once: u32) -> u32 {
    let mut delayed = 0;
    for first in (0..CALLS).map(|n| n * at_once + 1) {
        let ids = first..first + at_once;
        let started = Instant::now();
        for id in ids.clone() {
            bench.broker.deliver(&delivery(device, id, CallMode::Sync, qos)).await.unwrap();
        }
        for id in ids {
            let got = client.message().await;
            if qos == Qos::AtLeastOnce {
                client.ack(&got).await;
            }
            let answer = format!(r#"{{"id":"{id}","code":200,"data":{{}}}}"#);
            client.publish(&got.topic.replace("request", "response"), &answer).await;
        }
        for _ in 0..at_once {
            bench.reply().await;
        }
        delayed += u32::from(started.elapsed() >= DELAYED);
    }
    delayed
}

#[tokio::test]
async fn answer_to_a_qos_1_call_does_not_wait_for_a_delayed_acknowledgement() {
    let mut bench = Bench::start().await;
    let (device, mut client) = bench.connected("devA").await;
    let delayed = delayed(&mut bench, &device, &mut client, Qos::AtLeastOnce, 1).await;
    assert!(delayed < CALLS / 4, "{delayed} of {CALLS} calls");
}

#[tokio::test]
async fn answers_to_calls_at_once_do_not_wait_for_each_other() {
    let mut bench = Bench::start().await;
    let (device, mut client) = bench.connected("devA").await;
    let delayed = delayed(&mut bench, &device, &mut client, Qos::AtMostOnce, 3).await;
    assert!(delayed < CALLS / 4, "{delayed} of {CALLS} rounds");
}
