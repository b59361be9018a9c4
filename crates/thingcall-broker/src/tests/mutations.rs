//! What no client would send ends its own connection and nothing else.

use bytes::BytesMut;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::strategy::ValueTree;
use rmqtt_codec::version::VersionCodec;
use rmqtt_codec::{MqttCodec, v3, v5};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::codec::Decoder;

use super::bench::Bench;
use crate::packet::{Connect, Said};

/// Packets as clients send them: a CONNECT of each version, PUBLISH at each QoS, acknowledgements, SUBSCRIBE, UNSUBSCRIBE,
/// PINGREQ, DISCONNECT, and those of MQTT 5 that have properties.
const PACKETS: [&[u8]; 14] = [
    b"\x10\x1c\x00\x04MQTT\x04\xc2\x00\x3c\x00\x02id\x00\x04user\x00\x04pass",
    b"\x10\x1d\x00\x06MQIsdp\x03\xc2\x00\x3c\x00\x02id\x00\x03usr\x00\x04pass",
    b"\x10\x22\x00\x04MQTT\x05\xc2\x00\x3c\x05\x11\x00\x00\x00\x0a\x00\x02id\x00\x04user\x00\x04pass",
    b"\x30\x08\x00\x04/a/bxy",
    b"\x32\x0a\x00\x04/a/b\x00\x01xy",
    b"\x34\x0a\x00\x04/a/b\x00\x02xy",
    b"\x32\x0d\x00\x04/a/b\x00\x01\x03\x23\x00\x01x",
    b"\x40\x02\x00\x01",
    b"\x62\x02\x00\x02",
    b"\x82\x09\x00\x03\x00\x04/a/#\x01",
    b"\x82\x0a\x00\x03\x00\x00\x04/a/#\x01",
    b"\xa2\x08\x00\x04\x00\x04/a/#",
    b"\xc0\x00",
    b"\xe0\x00",
];

/// Some packets one after another, with bytes changed, taken out, put in, and the end cut off.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let packets = proptest::collection::vec(select(PACKETS.to_vec()), 1..4);
    let change = (any::<Index>(), any::<u8>(), 0..4u8);
    (packets, proptest::collection::vec(change, 0..6)).prop_map(|(packets, changes)| {
        let mut bytes = packets.concat();
        for (at, byte, how) in changes {
            if bytes.is_empty() {
                break;
            }
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => drop(bytes.remove(at)),
                2 => bytes.insert(at, byte),
                _ => bytes.truncate(at),
            }
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn nothing_that_is_read_stops_the_reader(bytes in mutated()) {
        for codec in [
            MqttCodec::Version(VersionCodec),
            MqttCodec::V3(v3::Codec::new(1000)),
            MqttCodec::V5(v5::Codec::new(1000, 0)),
        ] {
            let (mut codec, mut read) = (codec, BytesMut::from(&bytes[..]));
            while let Ok(Some((packet, _))) = codec.decode(&mut read) {
                if matches!(codec, MqttCodec::Version(_)) {
                    break;
                }
                if Connect::of(packet).is_none() {
                    let mut again = BytesMut::from(&bytes[..]);
                    if let Ok(Some((packet, _))) = codec.decode(&mut again) {
                        drop(Said::of(packet));
                    }
                    break;
                }
            }
        }
    }
}

#[tokio::test]
async fn healthy_device_is_served_beside_what_no_client_sends() {
    let mut bench = Bench::start().await;
    let (_, mut healthy) = bench.connected("devA").await;
    let (device, address) = (bench.device("devB"), bench.broker.local_addr());
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for n in 0..400 {
        let bytes = mutated().new_tree(&mut runner).unwrap().current();
        if n % 2 == 0 {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(&bytes).await.unwrap();
            stream.shutdown().await.ok();
            stream.read_to_end(&mut Vec::new()).await.ok();
        } else {
            let client = bench.connect(&device).await;
            client.raw(&bytes).await;
        }
        healthy.publish_acked("/sys/pk1/devA/thing/event/property/post", "{}").await;
    }
    bench.sockets(1).await;
    assert_eq!((bench.broker.connected_devices(), bench.gauge("sessions")), (1, 1));
}
