//! `plugins/raw-codec` in the loader, and its own test.

use std::path::Path;
use std::process::Command;

use bytes::Bytes;
use thingcall_core::{CallId, Decoded, Handlers, RawReply, TransportKind};
use thingcall_loader::PluginConfig;
use thingcall_tests::c_plugin;

use crate::bench::{Bench, device};
use crate::panics::delivery;

#[tokio::test]
async fn meter_gets_bytes_and_its_bytes_become_replies() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let library = c_plugin("plugins/raw-codec/raw_codec.c", &[], folder.path());
    let bench = Bench::load(&library, "raw-codec", PluginConfig::default()).await;
    assert_eq!(bench.refused(), None);
    let codec = bench.plugins.codec(&device().key.product).expect("it translates for this product");
    let said = |hex: &str| RawReply {
        device: device().key,
        transport: TransportKind::Embedded,
        topic_id: None,
        service: None,
        payload: Bytes::from(hex::decode(hex).expect("hex")),
    };

    let frame = codec.encode(&delivery(r#"{"channel":1}"#)).await.expect("a frame");
    assert_eq!(hex::encode(&frame), "6806010000000701cf6f");
    let refused = codec.encode(&delivery(r#"{"channel":9}"#)).await.expect_err("no such channel").to_string();
    assert!(refused.ends_with(r#"parameter "channel": out of range"#), "{refused}");

    let reply = codec.decode(said("6812810000000700000030d408fc007bfffffe0cbe93")).await.expect("a frame");
    let Decoded::Reply(reply) = reply else { panic!("no reply") };
    assert_eq!(reply.payload_id, Some(CallId::from_u32(7)));
    let body = reply.body.expect("a body");
    assert_eq!(body.data, r#"{"energy":12.500,"voltage":230.0,"current":1.23,"power":-500}"#);
    let refused = codec.decode(said("6806830000000902ffff")).await.expect_err("damaged").to_string();
    assert!(refused.contains("checksum is 0xffff, right is 0x8363"), "{refused}");

    drop(codec);
    bench.shut_down().await;
}

#[test]
fn raw_codecs_own_test_passes() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let raw_codec = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/raw-codec");
    let out = format!("OUT={}", folder.path().display());

    let mut make = Command::new("make");
    make.arg("-C").arg(raw_codec).args([&out, "test"]);
    // A memory checker of this process, which has a run of its own for that test.
    let made = make.env_remove("LD_PRELOAD").output().expect("make");

    assert!(
        made.status.success(),
        "{}{}",
        String::from_utf8_lossy(&made.stdout),
        String::from_utf8_lossy(&made.stderr)
    );
}
