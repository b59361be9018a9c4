//! What our own signer signs is let in, whatever is in it; with anything changed it is not.

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use thingcall_core::Secret;

use super::bench::{Setup, acs3, capture_time, post, signer, testid};
use crate::sign;

/// Runs a future for each case: a front is started once and asked again and again.
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn whatever_is_signed_is_let_in_and_arrives() {
    let runtime = runtime();
    let server = runtime.block_on(Setup { config: unlimited(), ..Setup::default() }.start());
    TestRunner::new(ProptestConfig::with_cases(64))
        .run(&("\\PC{1,24}", any::<bool>()), |(args, header)| {
            let params =
                [("ProductKey", "a1BwAGVxxxx"), ("DeviceName", "light1"), ("Identifier", "Set"), ("Args", &*args)];
            let received = runtime.block_on(async {
                if header {
                    server.acs3("InvokeThingService", &params).await
                } else {
                    server.v1("InvokeThingService", &params).await
                }
            });
            prop_assert_eq!(received.status, 200, "{:?}", received);
            let arrived = server.engine.requests.lock().unwrap().pop().unwrap().args;
            prop_assert_eq!(arrived, args);
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_changed_byte_of_what_is_signed_is_refused() {
    let runtime = runtime();
    let server = runtime.block_on(Setup { config: unlimited(), ..Setup::default() }.start());
    let params = [("ProductKey", "a1BwAGVxxxx"), ("DeviceName", "light1"), ("Identifier", "Set"), ("Args", "{}")];
    TestRunner::new(ProptestConfig::with_cases(96))
        .run(&(any::<prop::sample::Index>(), any::<bool>()), |(index, header)| {
            let request = if header {
                acs3("InvokeThingService", &params, &signer())
            } else {
                post(&sign::v1_request("POST", "InvokeThingService", &params, &signer(), capture_time()))
            };
            // Letters and digits within the query or the signed headers; `+1` keeps them what they are.
            let end = request.find(if header { "Content-Length" } else { " HTTP/1.1" }).unwrap();
            let start = request.find('?').unwrap() + 1;
            let places: Vec<_> = (start..end)
                .filter(|i| request.as_bytes()[*i].is_ascii_alphanumeric() && !request[..*i].ends_with('%'))
                .filter(|i| value_at(&request, *i))
                .collect();
            let place = places[index.index(places.len())];
            let mut bytes = request.clone().into_bytes();
            bytes[place] = if bytes[place] == b'7' { b'8' } else { b'7' };
            let received = runtime.block_on(server.send(&bytes));
            let ours = server.engine.requests.lock().unwrap().len();
            prop_assert!(received.status != 200 && ours == 0, "{} at {place}: {:?}", request, received);
            Ok(())
        })
        .unwrap();
}

/// Whether this byte stands in a value (of a parameter or a header), and not in the request line's end.
fn value_at(request: &str, at: usize) -> bool {
    let line_end = request.find(" HTTP/1.1").unwrap();
    let first_header = request.find("\r\n").unwrap();
    if at > line_end && at < first_header {
        return false;
    }
    let before = &request[..at];
    let separators: &[char] = if at < line_end { &['&', '?'] } else { &['\n'] };
    let start = before.rfind(separators).unwrap_or(0);
    before[start..].contains(if at < line_end { '=' } else { ':' })
        && !before.ends_with('%')
        && !before[..at - 1].ends_with('%')
}

fn unlimited() -> crate::Config {
    crate::Config { calls_per_second_max: 0, ..crate::Config::default() }
}

#[tokio::test]
async fn a_request_sent_again_is_refused() {
    let server = Setup::default().start().await;
    for request in [
        acs3("GetDeviceStatus", &[("ProductKey", "a1BwAGVxxxx"), ("DeviceName", "light1")], &signer()),
        post(&sign::v1_request(
            "POST",
            "GetDeviceStatus",
            &[("IotId", "Q7uOhVRdZRRlDnTLv00100")],
            &signer(),
            capture_time(),
        )),
    ] {
        assert_eq!(server.send(&request).await.status, 200);
        let again = server.send(&request).await;
        assert_eq!((again.status, &*again.code()), (400, "SignatureNonceUsed"));
    }
    let metrics = server.metrics();
    assert!(metrics.contains("thingcall_auth_total{result=\"ok\"} 2"), "{metrics}");
    assert!(metrics.contains("thingcall_auth_total{result=\"denied\"} 2"), "{metrics}");
}

#[tokio::test]
async fn a_wrong_signature_does_not_use_up_the_nonce() {
    let server = Setup::default().start().await;
    let request = acs3("GetDeviceStatus", &[("IotId", "Q7uOhVRdZRRlDnTLv00100")], &signer());
    let at = request.find("Signature=").unwrap() + "Signature=".len();
    let mut forged = request.clone().into_bytes();
    forged[at] = if forged[at] == b'0' { b'1' } else { b'0' };
    assert_eq!(server.send(&forged).await.code(), "SignatureDoesNotMatch");
    assert_eq!(server.send(&request).await.status, 200);
}

#[tokio::test]
async fn a_token_must_be_the_keys_own() {
    let with = |token: Option<&str>| {
        let mut key = testid();
        key.security_token = token.map(Secret::new);
        Setup { keys: vec![key], ..Setup::default() }
    };
    let cases = [
        (None, None, "", 200),
        (Some("t"), Some("t"), "", 200),
        (Some("t"), None, "MissingSecurityToken", 400),
        (Some("t"), Some("u"), "InvalidSecurityToken.MismatchWithAccessKey", 400),
        (None, Some("t"), "InvalidSecurityToken.MismatchWithAccessKey", 400),
    ];
    for (token, given, code, status) in cases {
        let server = with(token).start().await;
        let mut signer = signer();
        signer.security_token = given.map(Secret::new);
        let params = [("IotId", "Q7uOhVRdZRRlDnTLv00100")];
        let v1 = post(&sign::v1_request("POST", "GetDeviceStatus", &params, &signer, capture_time()));
        for request in [acs3("GetDeviceStatus", &params, &signer), v1] {
            let received = server.send(request).await;
            assert_eq!((received.status, &*received.code()), (status, code), "{token:?} {given:?}");
        }
    }
}
