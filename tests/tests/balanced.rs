//! Two instances behind the load balancer that is deployed: signatures pass, and an instance that ends is not noticed.

use serde_json::{Value, json};
use thingcall_tests::{Answer, App, Caller, Haproxy, Postgres, Sdk, Site, Thingcall, eventually, invocation};

fn answered(server: &Thingcall) -> f64 {
    server.metrics().sum("thingcall_http_requests_total", &["route=\"InvokeThingService\"", "code=\"200\""])
}

#[test]
fn calls_by_every_signature_pass_a_load_balancer_and_none_fails_when_an_instance_ends() {
    let site = Site::sharing(&Postgres::shared().database(), &[]);
    let mut another = site.another(&[("SHUTDOWN__READY_PAUSE", "5s")]);
    for site in [&site, &another] {
        site.is_ready();
    }
    let other = &mut another.program;
    let device = site.device("balanced");
    let _connected = site.connect(&device, false);
    let haproxy = Haproxy::start(&[site.program.addresses, other.addresses]);
    let ask = |sdk, params: &Value| -> Answer {
        let caller = Caller { endpoint: haproxy.address(), key: &site.key, sdk };
        App::get().begin(&caller, "InvokeThingService", params).answer()
    };
    let call = |sdk| ask(sdk, &invocation(&device, "testFb:testService", r#"{"param1":3}"#)).ok();

    for _ in 0..4 {
        for sdk in [Sdk::Tea, Sdk::TeaV1, Sdk::Legacy] {
            assert_eq!(call(sdk).result()["data"], json!({ "param1": 3 }), "{sdk:?}\n{}", haproxy.log());
        }
    }
    assert!(answered(&site.program) > 0.0 && answered(other) > 0.0, "both have some: {}", haproxy.log());
    let long = invocation(&device, "SetScene", &json!({ "label": "x".repeat(60_000) }).to_string());
    for sdk in [Sdk::Tea, Sdk::TeaV1, Sdk::Legacy] {
        let answer = ask(sdk, &long);
        assert!(!answer.has_raised(), "the longest query: {sdk:?}: {answer:?}");
    }

    other.terminate();
    eventually("it says that it ends", || (other.operator("/readyz").0 == 503).then_some(()));
    eventually("the balancer sees it", || haproxy.log().contains("is DOWN").then_some(()));
    let before = answered(other);
    for _ in 0..10 {
        call(Sdk::Tea);
    }
    // It may be gone by now: then it answered none of them.
    let after = haproxy.log();
    assert!(other.ended().success(), "{after}");
    for _ in 0..10 {
        call(Sdk::Tea);
    }
    assert!(before > 0.0);
}
