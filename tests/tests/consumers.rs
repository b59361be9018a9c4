//! What reaches applications by the consumers of the platform's official samples: results, status and posts.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use thingcall_tests::{
    Consumer, ConsumerKind, LinkkitDevice, PRODUCT, Postgres, Proxy, Site, body, eventually, free_port,
};

const LIFE_CYCLE: &str = "/thing/lifecycle";
const RESULT: &str = "/thing/downlink/reply/message";
const RETRY: (&str, &str) = ("SUBSCRIPTION__RETRY_AFTER", "100ms");
const PLAIN: [(&str, &str); 2] =
    [("SUBSCRIPTION__PLAIN_AMQP_LISTEN", "127.0.0.1:0"), ("SUBSCRIPTION__PLAIN_STOMP_LISTEN", "127.0.0.1:0")];

/// A group of each kind of consumer, all of which are told everything of the product's devices.
struct Groups(Vec<(ConsumerKind, String)>);

fn subscribed(site: &Site) -> Groups {
    let create = |kind| {
        let answer = site.ask("CreateConsumerGroup", &json!({ "GroupName": format!("{kind:?}") })).ok();
        (kind, answer.text_at("GroupId").to_owned())
    };
    let groups: Vec<_> = ConsumerKind::ALL.map(create).into();
    let flags = json!({
        "ProductKey": PRODUCT, "Type": "AMQP",
        "ConsumerGroupIds": groups.iter().map(|(_, group)| group).collect::<Vec<_>>(),
        "DeviceDataFlag": true, "DeviceStatusChangeFlag": true, "DeviceLifeCycleFlag": true,
    });
    site.ask("CreateSubscribeRelation", &flags).ok();
    Groups(groups)
}

impl Groups {
    /// A consumer of each kind, each in its group.
    fn start(&self, site: &Site, at: impl Fn(ConsumerKind) -> SocketAddr, more: &Value) -> Vec<Consumer> {
        self.0.iter().map(|(kind, group)| Consumer::start(*kind, at(*kind), &site.key, group, more)).collect()
    }
}

/// Where a kind of consumer connects in plain text.
fn plain(site: &Site, kind: ConsumerKind) -> SocketAddr {
    let addresses = site.program.addresses;
    let address = match kind {
        ConsumerKind::Proton | ConsumerKind::Rhea => addresses.amqp10_plain,
        ConsumerKind::Stomp => addresses.stomp_plain,
    };
    address.expect("a plain listener")
}

/// A certificate of its own in these files, for `localhost` and 127.0.0.1.
fn certificate(folder: &Path) {
    let at = |ending: &str| folder.join(format!("{ending}.pem"));
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]);
    openssl.args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]);
    let made = openssl.arg("-keyout").arg(at("key")).arg("-out").arg(at("cert")).output().expect("openssl runs");
    assert!(made.status.success(), "{made:?}");
}

/// Whether this certificate is the one that is shown there.
fn is_shown(certificate: &Path, address: SocketAddr) -> bool {
    let mut client = Command::new("openssl");
    let shown = client.args(["s_client", "-connect", &address.to_string()]).stdin(Stdio::null()).output();
    let shown = shown.expect("openssl runs").stdout;
    let certificate = std::fs::read_to_string(certificate).expect("a certificate");
    String::from_utf8_lossy(&shown).contains(certificate.trim())
}

/// Has a device come, report and answer a call, and sees that these consumers are told.
fn are_told_all(site: &Site, consumers: &[Consumer], name: &str) -> LinkkitDevice {
    let (device, connected) = site.linkkit(name);
    let posted = connected.says(&json!({ "post": { "LightSwitch": 1 } }));
    assert_eq!(posted["code"], 200, "{posted}");
    let call = site.invoke(&device, "SetScene", r#"{"label":"x"}"#).ok();
    for consumer in consumers {
        let status = body(&consumer.told(&format!("/as/mqtt/status/{PRODUCT}/{name}"), name));
        assert_eq!(status["status"], "online", "{status}");
        let post = body(&consumer.told("/thing/event/property/post", name));
        assert_eq!(post["items"]["LightSwitch"]["value"], 1, "{post}");
        let result = body(&consumer.told(RESULT, name));
        assert_eq!(result["requestId"].to_string(), call.message_id(), "{result}");
        assert_eq!(result["code"], 200, "{result}");
    }
    connected
}

#[test]
fn consumers_of_every_kind_are_told_results_status_and_posts_over_tls() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    certificate(folder.path());
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let site = Site::embedded(&[
        ("SUBSCRIPTION__TLS__CERT_FILE", &cert.display().to_string()),
        ("SUBSCRIPTION__TLS__KEY_FILE", &key.display().to_string()),
        ("SUBSCRIPTION__TLS__AMQP_LISTEN", "127.0.0.1:0"),
        ("SUBSCRIPTION__TLS__STOMP_LISTEN", "127.0.0.1:0"),
        ("SUBSCRIPTION__TLS__READ_EVERY", "100ms"),
    ]);
    let addresses = site.program.addresses;
    let (amqp, stomp) = (addresses.amqp10.expect("AMQP"), addresses.stomp.expect("STOMP"));
    let at = |kind| if kind == ConsumerKind::Stomp { stomp } else { amqp };
    let groups = subscribed(&site);
    let mut consumers = groups.start(&site, at, &Consumer::trusting(&cert));
    let _device = are_told_all(&site, &consumers, "tls");
    assert!(is_shown(&cert, amqp) && is_shown(&cert, stomp));

    // A certificate that is exchanged is shown to whoever connects next; who is connected stays so.
    certificate(folder.path());
    eventually("the new certificate is shown", || (is_shown(&cert, amqp) && is_shown(&cert, stomp)).then_some(()));
    let _device = are_told_all(&site, &consumers, "tls-exchanged");
    consumers.iter_mut().for_each(Consumer::kill);
    let consumers = groups.start(&site, at, &Consumer::trusting(&cert));
    let _device = are_told_all(&site, &consumers, "tls-anew");
}

#[test]
fn consumers_come_again_after_a_restart_and_what_they_had_not_settled_too() {
    let [amqp, stomp] = [free_port(), free_port()].map(|port| format!("127.0.0.1:{port}"));
    let settings = [("SUBSCRIPTION__PLAIN_AMQP_LISTEN", &*amqp), ("SUBSCRIPTION__PLAIN_STOMP_LISTEN", &*stomp), RETRY];
    let mut site = Site::embedded(&settings);
    let groups = subscribed(&site);
    let consumers = groups.start(&site, |kind| plain(&site, kind), &json!({ "settle": true }));
    site.device("settled");
    consumers.iter().for_each(|consumer| drop(consumer.told(LIFE_CYCLE, "settled")));
    // A consumer tells before it settles.
    let settled =
        || site.program.metrics().sum("thingcall_subscription_messages_settled_total", &[r#"outcome="accepted""#]);
    #[expect(clippy::cast_precision_loss, reason = "a handful")]
    eventually("all have settled", || (settled() >= consumers.len() as f64).then_some(()));
    consumers.iter().for_each(|consumer| consumer.settles(&json!(false)));
    site.device("unsettled");
    let unsettled: Vec<_> = consumers.iter().map(|consumer| consumer.told(LIFE_CYCLE, "unsettled")).collect();

    site.program.terminate();
    assert!(site.program.ended().success());
    consumers.iter().for_each(|consumer| drop(consumer.event("disconnected")));
    consumers.iter().for_each(|consumer| consumer.settles(&json!(true)));
    site.start_again();
    for (consumer, unsettled) in consumers.iter().zip(unsettled) {
        consumer.subscribed();
        let again = consumer.message();
        assert_eq!((&again["id"], &again["body"]), (&unsettled["id"], &unsettled["body"]));
    }

    // The same of a crash.
    consumers.iter().for_each(|consumer| consumer.settles(&json!(false)));
    site.device("crashed");
    let unsettled: Vec<_> = consumers.iter().map(|consumer| consumer.told(LIFE_CYCLE, "crashed")).collect();
    site.program.kill();
    consumers.iter().for_each(|consumer| drop(consumer.event("disconnected")));
    consumers.iter().for_each(|consumer| consumer.settles(&json!(true)));
    site.start_again();
    for (consumer, unsettled) in consumers.iter().zip(unsettled) {
        consumer.subscribed();
        assert_eq!(consumer.told(LIFE_CYCLE, "crashed")["id"], unsettled["id"]);
    }
}

/// How many messages wait for a group.
fn waiting(site: &Site, group: &str) -> Value {
    site.ask("QueryConsumerGroupStatus", &json!({ "GroupId": group })).ok().at("AccumulationCount").clone()
}

#[test]
fn what_a_consumer_releases_or_lets_lie_is_told_again_under_its_id_until_it_is_accepted() {
    let late = ("SUBSCRIPTION__ACKNOWLEDGEMENT_TIMEOUT", "300ms");
    let site = Site::embedded(&[PLAIN[0], PLAIN[1], RETRY, late]);
    let groups = subscribed(&site);
    let consumers = groups.start(&site, |kind| plain(&site, kind), &json!({ "settle": "release" }));

    site.device("released");
    for consumer in &consumers {
        let (first, second) = (consumer.told(LIFE_CYCLE, "released"), consumer.message());
        assert_eq!((&first["id"], &first["body"]), (&second["id"], &second["body"]));
        // STOMP has no word for it.
        assert!(first["tries"].is_null() || (first["tries"] == 0 && second["tries"] == 1), "{first} {second}");
    }

    // A slow one says nothing for longer than may be.
    consumers.iter().for_each(|consumer| consumer.settles(&json!(false)));
    site.device("slow");
    for consumer in &consumers {
        assert_eq!(consumer.told(LIFE_CYCLE, "slow")["id"], consumer.told(LIFE_CYCLE, "slow")["id"]);
    }
    consumers.iter().for_each(|consumer| consumer.settles(&json!(true)));
    for (kind, group) in &groups.0 {
        eventually(&format!("{kind:?} has accepted it"), || (waiting(&site, group) == 0).then_some(()));
    }

    // What one that hangs has goes to another one of its group, and it goes on where it woke up.
    for (consumer, (kind, group)) in consumers.iter().zip(&groups.0) {
        consumer.signal("STOP");
        let mut other = Consumer::start(*kind, plain(&site, *kind), &site.key, group, &json!({ "settle": true }));
        for number in 0..4 {
            let name = format!("hanging-{kind:?}-{number}");
            site.device(&name);
            other.told(LIFE_CYCLE, &name);
        }
        other.kill();
        consumer.signal("CONT");
        let name = format!("awake-{kind:?}");
        site.device(&name);
        consumer.told(LIFE_CYCLE, &name);
    }
}

#[test]
fn message_in_many_frames_is_whole_and_comes_again_where_its_connection_was_lost_in_the_middle() {
    let site = Site::embedded(&[PLAIN[0], PLAIN[1], RETRY]);
    let groups = subscribed(&site);
    let wires = ConsumerKind::ALL.map(|kind| (kind, Proxy::to(plain(&site, kind))));
    let at = |of| wires.iter().find(|(kind, _)| *kind == of).expect("each has its wire").1.address();
    // STOMP's `ack:auto` counts what was written as done.
    let frames = json!({ "frameBytes": 512, "settle": true });
    let mut consumers = groups.start(&site, at, &frames);
    let (device, connected) = site.linkkit("frames");
    let label = "x".repeat(20_000);
    connected.answers(200, &json!({ "said": label }));
    let call = || site.invoke(&device, "SetScene", r#"{"label":"x"}"#).ok().message_id();
    let are_told = |consumers: &[Consumer], call: &str| {
        for consumer in consumers {
            let result = body(&consumer.told(RESULT, "frames"));
            assert_eq!(result["requestId"].to_string(), call);
            assert_eq!(result["data"]["said"].as_str(), Some(label.as_str()));
        }
    };

    are_told(&consumers, &call());
    let status = format!("/as/mqtt/status/{PRODUCT}/frames");
    consumers.iter().for_each(|consumer| drop(consumer.told(&status, "frames")));
    // Between two frames: rhea takes what it had of one for the beginning of its next connection's first.
    wires.iter().for_each(|(_, wire)| wire.cuts_after(20 * 512));
    let cut = call();
    consumers.iter().for_each(|consumer| drop(consumer.event("disconnected")));
    // proton's link waits for the rest of the message for ever, also on its next connection: its program begins anew.
    let (kind, group) = &groups.0[0];
    assert_eq!(*kind, ConsumerKind::Proton);
    consumers[0].kill();
    consumers[0] = Consumer::start(*kind, at(*kind), &site.key, group, &frames);
    are_told(&consumers, &cut);
}

#[test]
fn instances_share_a_group_and_what_one_had_that_died_is_told_by_the_other() {
    let first = Site::sharing(&Postgres::shared().database(), &[PLAIN[0], PLAIN[1], RETRY]);
    let mut second = first.another(&[]);
    for site in [&first, &second] {
        site.is_ready();
    }
    let groups = subscribed(&first);
    let (kind, group) = &groups.0[0];
    let sites = [&first, &second];
    let consumers = sites.map(|site| {
        eventually("the group is known", || {
            site.ask("QueryConsumerGroupByGroupId", &json!({ "GroupId": group })).succeeded().then_some(())
        });
        Consumer::start(*kind, plain(site, *kind), &first.key, group, &json!({ "settle": true }))
    });
    let names: Vec<_> = (0..20).map(|number| format!("shared-{number}")).collect();
    names.iter().for_each(|name| drop(first.device(name)));
    let mut told = Vec::new();
    eventually("each is told once", || {
        told.extend(consumers.iter().flat_map(Consumer::messages_so_far));
        (told.len() >= names.len()).then_some(())
    });
    let mut ids: Vec<_> = told.iter().map(|message| message["id"].to_string()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((ids.len(), told.len()), (names.len(), names.len()));

    // What the second one's consumer has when that instance dies, the first one's is told.
    let [mut mine, others] = consumers;
    mine.kill();
    eventually("it is gone", || {
        (first.program.metrics().sum("thingcall_subscription_consumers", &[]) == 0.0).then_some(())
    });
    others.settles(&json!(false));
    first.device("held");
    let held = others.told(LIFE_CYCLE, "held");
    second.program.kill();
    let mine = Consumer::start(*kind, plain(&first, *kind), &first.key, group, &json!({}));
    assert_eq!(mine.told(LIFE_CYCLE, "held")["id"], held["id"]);
}
