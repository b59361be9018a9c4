//! When what a device says is acknowledged.

use super::bench::Bench;
use super::client::Client;

const TOPIC: &str = "/sys/pk1/held1/thing/service/Measure_reply";
const PUBACK: u8 = 0x40;

async fn say(client: &mut Client, topic: &str, packet_id: u8, first: u8) {
    let mut body = u16::try_from(topic.len()).unwrap().to_be_bytes().to_vec();
    body.extend_from_slice(topic.as_bytes());
    body.extend_from_slice(&[0, packet_id]);
    body.extend_from_slice(format!(r#"{{"id":"{packet_id}","code":200}}"#).as_bytes());
    client.send(first, &body).await;
}

async fn answered(client: &mut Client) -> (u8, u8) {
    let (kind, body) = client.packet().await.unwrap();
    (kind, body[1])
}

#[tokio::test]
async fn reply_is_acknowledged_once_it_is_written_and_those_after_it_only_then() {
    let mut bench = Bench::start().await;
    let (_device, mut client) = bench.connected("held1").await;
    say(&mut client, TOPIC, 1, 0x32).await;
    // A report, which nobody holds, and a reply of QoS 2.
    say(&mut client, "/sys/pk1/held1/thing/event/property/post", 2, 0x32).await;
    say(&mut client, TOPIC, 3, 0x34).await;
    bench.reply().await;
    bench.reply().await;
    client.send(0xc0, &[]).await;
    assert_eq!(client.packet().await, Some((0xd0, vec![])), "none is acknowledged before the PINGRESP");
    let receipts = std::mem::take(&mut *bench.around.held.lock().unwrap());
    let mut receipts = receipts.into_iter();
    receipts.next().unwrap().settle();
    assert_eq!([answered(&mut client).await, answered(&mut client).await], [(PUBACK, 1), (PUBACK, 2)]);
    receipts.next().unwrap().settle();
    assert_eq!(answered(&mut client).await, (0x50, 3));
}

#[tokio::test]
async fn reply_sent_again_is_not_acknowledged_before_the_first() {
    let mut bench = Bench::start().await;
    let (_device, mut client) = bench.connected("held1").await;
    say(&mut client, TOPIC, 3, 0x34).await;
    say(&mut client, TOPIC, 3, 0x3c).await;
    bench.reply().await;
    client.send(0xc0, &[]).await;
    assert_eq!(client.packet().await, Some((0xd0, vec![])));
    bench.around.held.lock().unwrap().pop().unwrap().settle();
    assert_eq!([answered(&mut client).await, answered(&mut client).await], [(0x50, 3), (0x50, 3)]);
}

const REPORT: &str = "/sys/pk1/posts1/thing/event/property/post";

#[tokio::test]
async fn report_that_is_not_written_ends_the_connection_and_those_before_it_are_acknowledged() {
    let mut bench = Bench::start().await;
    let (device, mut client) = bench.connected("posts1").await;
    for packet_id in 1..=3 {
        say(&mut client, REPORT, packet_id, 0x32).await;
        bench.post().await;
    }
    let receipts = std::mem::take(&mut *bench.around.held.lock().unwrap());
    let [first, second, third] = <[_; 3]>::try_from(receipts).unwrap();
    third.settle();
    first.settle();
    drop(second);
    assert_eq!(answered(&mut client).await, (PUBACK, 1));
    assert_eq!(client.packet().await, None, "neither the second nor the third");
    bench.gone(&device).await;
}

#[tokio::test]
async fn device_is_read_no_further_than_its_reports_are_written() {
    let mut bench = Bench::with(|config| config.session_posts_max = 2.try_into().unwrap()).await;
    let (_device, mut client) = bench.connected("posts1").await;
    for packet_id in 1..=4 {
        // Of QoS 0, too.
        match packet_id {
            2 => client.send(0x30, &[&[0, 41][..], REPORT.as_bytes(), b"{}"].concat()).await,
            _ => say(&mut client, REPORT, packet_id, 0x32).await,
        }
    }
    bench.post().await;
    bench.post().await;
    while bench.gauge("session_pauses_total") == 0 {
        tokio::task::yield_now().await;
    }
    client.send(0xc0, &[]).await;
    let receipts = std::mem::take(&mut *bench.around.held.lock().unwrap());
    assert_eq!(receipts.len(), 2, "the others are not read yet");
    receipts.into_iter().for_each(thingcall_core::Receipt::settle);
    bench.post().await;
    bench.post().await;
    std::mem::take(&mut *bench.around.held.lock().unwrap()).into_iter().for_each(thingcall_core::Receipt::settle);
    let mut answers = [answered(&mut client).await.0, answered(&mut client).await.0, answered(&mut client).await.0];
    answers.sort_unstable();
    assert_eq!(answers, [PUBACK; 3], "and the PINGRESP behind them");
}
