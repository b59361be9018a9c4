//! What handlers get and give.

use super::{bench, call, fine};
use crate::future::join_all;
use crate::log::Level;
use crate::prelude::*;
use crate::testing::{Bench, Fault};

struct Plain;

#[async_trait]
impl Handler for Plain {}

#[test]
fn a_handler_without_a_method_passes_calls_on() {
    let mut passes = Bench::new(Plain).device(|_| Ok(json!({ "mean": 1.5 })));

    assert_eq!(call(&mut passes).unwrap().data::<Value>().unwrap(), json!({ "mean": 1.5 }));
    assert_eq!(passes.asked(), [json!({ "param1": 7 })]);
    assert!(passes.encode("", &json!({})).unwrap_err().contains("does not encode"));
    assert!(passes.decode(b"\x01").unwrap_err().contains("does not decode"));
}

#[test]
fn a_call_says_what_it_is() {
    let mut says = bench(|call, _| {
        Box::pin(async move {
            let (product, device, sync) = (call.product_key(), call.device_name(), call.is_sync());
            Reply::ok(&json!({ "says": [product, device, call.identifier(), call.module(), call.service(), sync] }))
        })
    })
    .named("pk", "dn");

    let said = |reply: Reply| reply.data::<Value>().unwrap()["says"].clone();
    assert_eq!(said(says.call("m:s", json!({})).unwrap()), json!(["pk", "dn", "m:s", "m", "s", true]));
    assert_eq!(said(says.call("s", json!({})).unwrap()), json!(["pk", "dn", "s", "", "s", true]));
}

#[test]
fn arguments_that_do_not_fit_are_refused_with_460() {
    #[derive(Deserialize)]
    struct Args {
        #[expect(dead_code, reason = "it is read, or not")]
        other: u8,
    }
    let mut reads = bench(|call, _| Box::pin(async move { call.args::<Args>().and_then(|_| fine()) }));

    let refused = call(&mut reads).unwrap_err();

    assert_eq!(refused.code(), Some(460));
    assert!(refused.message().contains("missing field `other`"), "{refused}");
}

#[test]
fn data_must_be_an_object() {
    let failed = call(&mut bench(|_, _| Box::pin(async { Reply::ok(&[1, 2]) }))).unwrap_err();

    assert_eq!((failed.code(), failed.message()), (None, "its answer's data is not a JSON object"));
}

#[test]
fn a_refusal_never_looks_like_success() {
    for code in [200, 202] {
        assert_eq!(Reject::new(code, "no").code(), None, "{code}");
    }
    let failed = call(&mut bench(|_, _| Box::pin(async { Err(Reject::new(200, "no")) }))).unwrap_err();

    assert!(failed.message().contains("refused with code 200"), "{failed}");
}

#[test]
fn arguments_for_the_device_must_be_an_object() {
    let mut asks = bench(|_, device| Box::pin(async move { Ok(device.call(&7).await?) }));

    assert_eq!(call(&mut asks).unwrap_err().message(), "the arguments are not a JSON object");
    assert!(asks.asked().is_empty());
}

#[test]
fn operations_at_once_are_limited() {
    let mut asks = bench(|_, device| {
        Box::pin(async move {
            let ended = join_all((0..65).map(|_| device.call_json(b"{}", None))).await;
            let refused: Vec<_> = ended.iter().filter_map(|one| one.as_ref().err()).collect();
            Reply::ok(&json!({ "refused": refused.len(), "why": refused[0].message() }))
        })
    });

    let reply = call(&mut asks).unwrap();

    let why = "too many operations at once, or too large";
    assert_eq!(reply.data::<Value>().unwrap(), json!({ "refused": 1, "why": why }));
    assert_eq!(asks.asked().len(), 64);
}

#[test]
fn a_failure_of_the_device_reaches_the_handler() {
    let mut asks = bench(|_, device| {
        Box::pin(async move {
            let failed = device.call(&json!({})).await.unwrap_err();
            assert!(failed.is_offline() && !failed.is_timeout() && !failed.is_cancelled());
            fine()
        })
    })
    .device(|_| Err(Fault::Offline));

    assert!(call(&mut asks).is_ok());
}

#[test]
fn lines_of_a_call_reach_the_log() {
    let mut logs = bench(|call, _| {
        Box::pin(async move {
            crate::warn!("{} is odd", call.device_name());
            crate::trace!("as ever");
            fine()
        })
    });

    call(&mut logs).unwrap();

    assert_eq!(logs.logged(), [(Level::Warn, "device1 is odd".to_owned()), (Level::Trace, "as ever".to_owned())]);
}

struct Translates;

impl Handler for Translates {
    fn encode(&self, message: CodecInput<'_>) -> Result<Vec<u8>, String> {
        let CodecInput { product_key, device_name, identifier, bytes } = message;
        Ok([product_key.as_bytes(), device_name.as_bytes(), identifier.as_bytes(), bytes].join(&b'|'))
    }

    fn decode(&self, message: CodecInput<'_>) -> Result<Vec<u8>, String> {
        match message.bytes {
            [value] => Ok(format!(r#"{{"code":200,"data":{{"value":{value}}}}}"#).into_bytes()),
            other => Err(format!("{} bytes are not one", other.len())),
        }
    }
}

#[test]
fn bytes_are_translated_both_ways() {
    let translates = Bench::new(Translates).named("pk", "dn");

    assert_eq!(translates.encode("m:s", &json!({ "id": "7" })).unwrap(), br#"pk|dn|m:s|{"id":"7"}"#);
    assert_eq!(translates.decode(&[7]).unwrap(), json!({ "code": 200, "data": { "value": 7 } }));
    assert_eq!(translates.decode(&[]).unwrap_err(), "0 bytes are not one");
}
