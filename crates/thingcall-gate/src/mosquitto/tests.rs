//! go-auth's questions, in both forms.

use super::*;
use crate::tests::bench::{Bench, device, password};

const CLIENT_ID: &str = "pk1.devA|timestamp=1,_ss=1,_v=4.2.0,securemode=2,signmethod=hmacsha256,ext=3,|";

async fn both(bench: &Bench, question: &str, fields: &[(&str, &str)]) -> bool {
    let path = format!("/mosquitto/{question}");
    let mut form = form_urlencoded::Serializer::new(String::new());
    let form = bench.form(&path, &form.extend_pairs(fields).finish()).await;
    // go-auth sends `acc` as a number.
    let members = fields.iter().map(|(name, text)| match text.parse::<u32>() {
        Ok(number) if *name == "acc" => ((*name).to_owned(), json!(number)),
        _ => ((*name).to_owned(), json!(text)),
    });
    let json = bench.json(&path, &members.collect::<serde_json::Map<_, _>>().into()).await;
    let allowed = ((StatusCode::OK, "ok".to_owned()), (StatusCode::OK, r#"{"error":"","ok":true}"#.to_owned()));
    let denied = (
        (StatusCode::FORBIDDEN, "deny".to_owned()),
        (StatusCode::FORBIDDEN, r#"{"error":"deny","ok":false}"#.to_owned()),
    );
    assert!((form.clone(), json.clone()) == allowed || (form.clone(), json.clone()) == denied, "{form:?} {json:?}");
    (form, json) == allowed
}

#[tokio::test]
async fn who_proves_to_be_a_device_or_a_user_gets_in() {
    let bench = Bench::new();
    bench.devices.put(&device("off"), false);
    for (user, password, expected) in [
        ("devA&pk1", password(&device("devA"), CLIENT_ID), true),
        ("devA&pk1", "wrong".to_owned(), false),
        ("devB&pk1", password(&device("devB"), CLIENT_ID), false),
        ("off&pk1", password(&device("off"), CLIENT_ID), false),
        ("devX&pk1", password(&device("devX"), CLIENT_ID), false),
        ("router", "router's".to_owned(), true),
        ("router", String::new(), false),
        ("somebody", String::new(), false),
    ] {
        let fields = [("username", user), ("password", &password), ("clientid", CLIENT_ID)];
        assert_eq!(both(&bench, "user", &fields).await, expected, "{user}");
    }
}

#[tokio::test]
async fn a_device_uses_its_own_topics_and_no_others() {
    let bench = Bench::new();
    for (topic, acc, expected) in [
        ("/sys/pk1/devA/rrpc/request/1", "1", true),
        ("/sys/pk1/devA/rrpc/request/+", "4", true),
        ("/sys/pk1/devA/rrpc/response/1", "2", true),
        ("/sys/pk1/devA/rrpc/response/1", "3", true),
        ("/sys/pk1/devA/rrpc/response/1", "0", false),
        ("/sys/pk1/devA/rrpc/response/1", "x", false),
        ("/broadcast/pk1/x", "1", true),
        ("/broadcast/pk1/x", "2", false),
        ("/broadcast/pk1/x", "3", false),
        ("/sys/pk1/devB/rrpc/request/1", "1", false),
        ("/sys/pk1/devB/rrpc/response/1", "2", false),
        // Wide filters are granted, since each message is asked about before it is delivered; not as what is delivered.
        ("/sys/pk1/+/rrpc/request/+", "4", true),
        ("/ext/rrpc/#", "4", true),
        ("/ext/rrpc/7/sys/pk1/devA/thing/service/x", "1", true),
        ("/ext/rrpc/7/sys/pk1/devB/thing/service/x", "1", false),
        ("/ext/rrpc/#", "1", false),
        ("/ext/rrpc/#", "2", false),
        ("/ext/rrpc/#", "3", false),
        ("/sys/pk1/devB/#", "4", false),
        ("$SYS/#", "4", false),
    ] {
        let fields = [("username", "devA&pk1"), ("clientid", CLIENT_ID), ("topic", topic), ("acc", acc)];
        assert_eq!(both(&bench, "acl", &fields).await, expected, "{topic} {acc}");
    }
    let fields = [("username", "devB&pk1"), ("clientid", CLIENT_ID), ("topic", "/sys/pk1/devB/x"), ("acc", "2")];
    assert!(!both(&bench, "acl", &fields).await, "with another device's client id");
}

#[tokio::test]
async fn no_device_is_a_superuser() {
    let bench = Bench::new();
    assert!(both(&bench, "superuser", &[("username", "router")]).await);
    for user in ["devA&pk1", "devX&pk1", "root", ""] {
        assert!(!both(&bench, "superuser", &[("username", user)]).await, "{user}");
    }
}
