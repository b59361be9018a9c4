//! Translations by a plugin.
#![expect(unsafe_code, reason = "plays a plugin")]

use thingcall_core::{Args, CallId, CallMode, MalformedReply, PostKind, Qos, Reply, ReplyBody, TransportKind};
use thingcall_plugin::abi::{E_INVAL, E_LIMIT, E_STALE, OK, Out};

use super::*;
use crate::host::HOST;
use crate::testbench::{Bench, Script, bench, call, echo, inline, pooled};

fn write(out: *mut Out, bytes: &[u8]) -> i32 {
    // SAFETY: readable bytes.
    unsafe { HOST.out_write.unwrap()(out, bytes.as_ptr(), bytes.len()) }
}

/// Both ways to run a plugin that translates so.
fn both(translate: impl Fn(&[u8], *mut Out) -> i32 + Send + Sync + Clone + 'static) -> [Bench; 2] {
    [pooled(), inline()].map(|mut settings| {
        settings.plugin_bytes_max = 100;
        bench(Script { translate: Box::new(translate.clone()), ..echo() }, settings)
    })
}

fn delivery() -> Delivery {
    let call = call(CallMode::Sync, "{}");
    Delivery {
        letter: None,
        id: CallId::from_u32(7),
        device: call.device,
        service: call.service,
        params: Args::checked("{}"),
        raw: None,
        mode: CallMode::Sync,
        qos: Qos::AtMostOnce,
        deadline: None,
        sync_topic: None,
        trace: None,
    }
}

fn raw(payload: &'static str) -> RawReply {
    let device = call(CallMode::Sync, "{}").device.key.clone();
    let payload = Bytes::from(payload);
    RawReply {
        device,
        transport: TransportKind::Embedded,
        topic_id: Some(CallId::from_u32(9)),
        service: Some("m:read".parse().unwrap()),
        payload,
    }
}

#[tokio::test]
async fn a_command_becomes_what_the_plugin_writes() {
    for bench in both(|input, out| {
        assert!(input.starts_with(br#"{"id":"7","#));
        assert_eq!((write(out, b"\x01\x00"), write(out, b"\xff")), (OK, OK));
        OK
    }) {
        let codec = bench.generation.codec().unwrap();
        assert_eq!(codec.encode(&delivery()).await.unwrap(), &b"\x01\x00\xff"[..]);
        assert!(bench.generation.clone().retire().await);
        let error = codec.encode(&delivery()).await.unwrap_err();
        assert_eq!(error.to_string(), "plugin bench cannot encode: it was replaced a moment ago");
    }
}

fn reply_in(decoded: Decoded) -> Reply {
    match decoded {
        Decoded::Reply(reply) => reply,
        Decoded::Post(_) | Decoded::Nothing => panic!("no reply"),
    }
}

#[tokio::test]
async fn bytes_become_a_reply_where_they_are_one() {
    for bench in both(|input, out| write(out, input)) {
        let codec = bench.generation.codec().unwrap();
        let reply = reply_in(codec.decode(raw(r#"{"id":"7","code":200,"data":{"v":1}}"#)).await.unwrap());
        assert_eq!((reply.payload_id, reply.topic_id), (Some(CallId::from_u32(7)), Some(CallId::from_u32(9))));
        assert_eq!(reply.body, Ok(ReplyBody { code: 200, message: None, data: r#"{"v":1}"#.to_owned() }));
        let reply = reply_in(codec.decode(raw(r#"{"code":200}"#)).await.unwrap());
        assert_eq!((reply.payload_id, reply.id()), (None, Some(CallId::from_u32(9))));
        let report = codec.decode(raw(r#"{"id":"1","method":"thing.event.property.post","params":{}}"#)).await;
        assert!(matches!(report.unwrap(), Decoded::Post(post) if post.said.kind() == PostKind::Property));
        let other = codec.decode(raw(r#"{"id":"1","method":"thing.config.get","params":{}}"#)).await;
        assert!(matches!(other.unwrap(), Decoded::Nothing));
        let garbage = reply_in(codec.decode(raw("garbage")).await.unwrap());
        assert!(matches!(garbage.body, Err(MalformedReply::NotJson(_))));
    }
}

#[tokio::test]
async fn what_cannot_be_translated_is_told_with_the_plugins_words() {
    for bench in both(|_, out| {
        write(out, b"no such meter");
        E_INVAL
    }) {
        let codec = bench.generation.codec().unwrap();
        let error = codec.decode(raw("x")).await.unwrap_err();
        assert_eq!(error.to_string(), "plugin bench cannot decode: it gave a bad argument: no such meter");
    }
}

#[tokio::test]
async fn too_much_is_refused_even_if_the_plugin_does_not_look() {
    for bench in both(|_, out| {
        assert_eq!((write(out, &[0; 60]), write(out, &[0; 60]), write(out, &[0; 40])), (OK, E_LIMIT, OK));
        OK
    }) {
        let codec = bench.generation.codec().unwrap();
        let error = codec.encode(&delivery()).await.unwrap_err();
        assert_eq!(error.to_string(), "plugin bench cannot encode: it gave more than 100 bytes (plugin_bytes_max)");
    }
}

#[tokio::test]
async fn a_place_to_write_to_is_gone_when_the_function_has_returned() {
    let kept = Arc::new(Mutex::new(0));
    let keep = kept.clone();
    for bench in both(move |_, out| {
        *keep.lock().unwrap() = out.addr();
        // SAFETY: null with a length is refused.
        assert_eq!(unsafe { HOST.out_write.unwrap()(out, std::ptr::null(), 5) }, E_INVAL);
        OK
    }) {
        let codec = bench.generation.codec().unwrap();
        assert_eq!(codec.encode(&delivery()).await.unwrap(), Bytes::new());
        let place = std::ptr::without_provenance_mut(*kept.lock().unwrap());
        assert_eq!(write(place, b"late"), E_STALE);
    }
}
