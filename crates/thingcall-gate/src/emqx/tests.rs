//! EMQX's questions, and that its list of topics allows what a device may do and no more.

use axum::http::StatusCode;
use proptest::prelude::*;

use super::*;
use crate::tests::bench::{Bench, config, device, password};
use crate::{Config, Emqx};

const CLIENT_ID: &str = "pk1&devA|securemode=3,signmethod=hmacsha1,ext=1,timestamp=1|";

async fn authn(bench: &Bench, user: &str, client_id: &str, password: &str) -> Value {
    let question = json!({"username": user, "clientid": client_id, "password": password, "peerhost": "10.0.0.7"});
    let (status, answer) = bench.json("/emqx/authn", &question).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    serde_json::from_str(&answer).unwrap()
}

#[tokio::test]
async fn a_device_gets_its_list_of_topics_with_its_connection() {
    let bench = Bench::new();
    let answer = authn(&bench, "devA&pk1", CLIENT_ID, &password(&device("devA"), CLIENT_ID)).await;

    assert_eq!(answer["result"], "allow");
    assert_eq!(answer["is_superuser"], false);
    assert_eq!(answer["client_attrs"], json!({"product": "pk1", "device": "devA"}));
    assert_eq!(answer.get("clientid_override"), None);
    let acl = answer["acl"].as_array().unwrap();
    assert_eq!(acl[0], json!({"permission": "allow", "action": "all", "topic": "/sys/pk1/devA/#"}));
    assert!(acl.contains(&json!({"permission": "allow", "action": "subscribe", "topic": "/broadcast/pk1/#"})));
    assert!(acl.contains(&json!({"permission": "deny", "action": "all", "topic": "#"})));
    let expected = (
        device("devA"),
        thingcall_core::TransportName::MQTT,
        Some(thingcall_core::SyncTopic::Ext),
        Some("10.0.0.7".into()),
    );
    assert_eq!(*bench.devices.admitted.lock().unwrap(), [expected]);
}

#[tokio::test]
async fn who_is_no_device_is_denied_or_left_to_others() {
    let bench = Bench::new();
    bench.devices.put(&device("off"), false);
    let right = |name: &str| password(&device(name), CLIENT_ID);
    for (user, password, result) in [
        ("devA&pk1", "wrong".to_owned(), "deny"),
        ("devX&pk1", right("devX"), "deny"),
        ("off&pk1", right("off"), "deny"),
        ("devB&pk1", right("devB"), "deny"),
        ("router", "wrong".to_owned(), "deny"),
        ("somebody", "else".to_owned(), "ignore"),
    ] {
        assert_eq!(authn(&bench, user, CLIENT_ID, &password).await, json!({"result": result}), "{user}");
    }
    let router = authn(&bench, "router", "any", "router's").await;
    assert_eq!(router, json!({"result": "allow", "is_superuser": true}));
    assert_eq!(bench.decisions("emqx", "authn", "ignore"), 1);
    assert_eq!(bench.decisions("emqx", "authn", "deny"), 5);
}

#[tokio::test]
async fn a_client_id_that_emqx_overrides_is_nobodys() {
    let bench = Bench::with(Config {
        emqx: Emqx { client_id_override: true, ..Emqx::default() },
        free_client_ids: false,
        ..config()
    });
    for name in ["devA", "devB"] {
        let answer = authn(&bench, &format!("{name}&pk1"), "same|x=1|", &password(&device(name), "same|x=1|")).await;
        assert_eq!(answer["clientid_override"], format!("pk1.{name}"));
    }
}

#[tokio::test]
async fn topics_are_decided_one_by_one_where_emqx_asks() {
    let bench = Bench::new();
    for (user, action, topic, result) in [
        ("devA&pk1", "publish", "/sys/pk1/devA/rrpc/response/1", "allow"),
        ("devA&pk1", "publish", "/sys/pk1/devB/rrpc/response/1", "deny"),
        ("devA&pk1", "publish", "/broadcast/pk1/x", "deny"),
        ("devA&pk1", "subscribe", "/broadcast/pk1/x", "allow"),
        ("devA&pk1", "subscribe", "/sys/pk1/+/rrpc/request/+", "deny"),
        ("devA&pk1", "all", "/sys/pk1/devA/x", "deny"),
        ("devX&pk1", "publish", "/sys/pk1/devX/x", "deny"),
        ("router", "publish", "/sys/pk1/devA/rrpc/request/1", "allow"),
        ("somebody", "publish", "x", "ignore"),
    ] {
        let question = json!({"username": user, "clientid": CLIENT_ID, "topic": topic, "action": action, "qos": 1,
            "retain": false});
        let (_, answer) = bench.json("/emqx/authz", &question).await;
        assert_eq!(serde_json::from_str::<Value>(&answer).unwrap(), json!({"result": result}), "{user} {topic}");
    }
}

/// Whether the list allows it, as EMQX reads it: the first rule that fits, or else nothing.
fn acl_allows(acl: &[Value], action: &str, topic: &str) -> bool {
    let levels: Vec<_> = topic.split('/').collect();
    let fits = |rule: &&Value| {
        let filter: Vec<_> = rule["topic"].as_str().unwrap().split('/').collect();
        (rule["action"] == "all" || rule["action"] == action) && fits(&filter, &levels, true)
    };
    acl.iter().find(fits).is_some_and(|rule| rule["permission"] == "allow")
}

fn fits(filter: &[&str], levels: &[&str], first: bool) -> bool {
    match (filter, levels) {
        (["#" | "+", ..], [level, ..]) if first && level.starts_with('$') => false,
        (["#"], _) => true,
        (["+", filter @ ..], [level, levels @ ..]) if *level != "#" => fits(filter, levels, false),
        ([own, filter @ ..], [level, levels @ ..]) => own == level && fits(filter, levels, false),
        ([], []) => true,
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn the_list_allows_what_a_device_may_do(
        start in proptest::sample::select(vec![
            "", "/sys/pk1/devA", "/sys/pk1/devB", "/ext/rrpc/7/sys/pk1/devA", "/ext/rrpc/+/pk1/devA/user", "/broadcast/pk1",
            "$SYS", "$delayed/5//sys/pk1/devA", "/shadow/get/pk1",
        ]),
        levels in proptest::collection::vec(proptest::sample::select(vec!["sys", "pk1", "devA", "devB", "user", "+", ""]), 0..5),
        rest in proptest::bool::ANY,
    ) {
        let answer = admit(&device("devA"), false);
        let acl = answer["acl"].as_array().unwrap();
        let mut topic = levels.iter().fold(start.to_owned(), |topic, level| topic + "/" + level);
        if rest {
            topic += "/#";
        }
        prop_assert_eq!(acl_allows(acl, "subscribe", &topic), alink::may_subscribe(&device("devA"), &topic));
        if !topic.contains(['+', '#']) {
            prop_assert_eq!(acl_allows(acl, "publish", &topic), alink::may_publish(&device("devA"), &topic));
        }
    }
}
