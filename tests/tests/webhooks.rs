//! Webhooks: to a server that verifies them by the convention's own library, with dead letters, restarts, TLS, and two instances.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use thingcall_tests::{
    Credential, MqttDevice, PRODUCT, Postgres, SECRET, Site, WebhookReceiver, eventually, run, run_ok,
};

/// A site with one webhook, `app`, and these lines in its section.
fn site(receiver: &WebhookReceiver, lines: &str) -> Site {
    let url = receiver.url();
    Site::with_plugins(&format!("[webhooks.app]\nurl = \"{url}\"\nsecret = \"{SECRET}\"\n{lines}"), &[])
}

fn device(site: &Site, name: &str) -> MqttDevice {
    MqttDevice::connect(site.broker(), &Credential::of(&site.device(name), None))
}

fn posts(device: &MqttDevice, name: &str, params: &Value) {
    let topic = format!("/sys/{PRODUCT}/{name}/thing/event/property/post");
    device.publish(&topic, &json!({ "id": "1", "version": "1.0", "params": params }));
}

#[test]
fn webhook_is_told_of_results_status_and_posts() {
    let receiver = WebhookReceiver::start();
    let site = site(&receiver, "kinds = [\"result\", \"status\", \"property\", \"custom\"]\n");
    let (device, connected) = site.linkkit("hooked");
    let online = receiver.told().body;
    assert_eq!((&online["type"], &online["data"]["status"]), (&json!("status"), &json!("online")), "{online}");

    let id = site.invoke(&device, "SetScene", r#"{"scene":1}"#).ok().message_id();
    let result = receiver.told().body;
    assert_eq!(result["type"], "result", "{result}");
    assert_eq!(result["data"]["requestId"].as_u64().map(|id| id.to_string()), Some(id), "{result}");
    assert_eq!((&result["productKey"], &result["deviceName"]), (&json!(PRODUCT), &json!("hooked")), "{result}");

    connected.says(&json!({ "post": { "Temperature": 20.5 } }));
    let post = receiver.told().body;
    assert_eq!((&post["type"], &post["data"]["items"]["Temperature"]["value"]), (&json!("property"), &json!(20.5)));
    assert_eq!(post["topic"], format!("/{PRODUCT}/hooked/thing/event/property/post"));

    drop(connected);
    let offline = receiver.told().body;
    assert_eq!((&offline["type"], &offline["data"]["status"]), (&json!("status"), &json!("offline")), "{offline}");
    let delivered = site.program.metrics().sum("thingcall_webhook_deliveries_total", &["result=\"delivered\""]);
    assert!(delivered >= 3.0, "{delivered}");
}

#[test]
fn webhook_has_what_its_filters_let_through() {
    let receiver = WebhookReceiver::start();
    let site =
        site(&receiver, "products = [\"a1filterxx\"]\nkinds = [\"result\", \"life_cycle\"]\nmodules = [\"testFb\"]\n");
    site.import("a1filterxx", &[]);
    site.device("of-another-product");
    let named = site.device_of("a1filterxx", "filtered");
    let created = receiver.told().body;
    assert_eq!((&created["type"], &created["deviceName"]), (&json!("life_cycle"), &json!("filtered")), "{created}");
    // Away: both end at once. The first is of the default module.
    site.invoke(&named, "SetScene", r#"{"scene":1}"#).ok();
    let id = site.invoke(&named, "testFb:resetLater", r#"{"delay":1.5}"#).ok().message_id();
    let result = receiver.told().body;
    assert_eq!(result["data"]["requestId"].as_u64().map(|id| id.to_string()), Some(id), "{result}");
}

#[test]
fn dead_letters_outlive_a_kill_and_are_sent_again_by_a_command() {
    let receiver = WebhookReceiver::start();
    let mut site = site(&receiver, "kinds = [\"property\"]\ntries_max = 2\nretry_pause_min = \"10ms\"\n");
    let connected = device(&site, "deadly");
    receiver.answers(503);
    posts(&connected, "deadly", &json!({ "Brightness": 3 }));
    let first = receiver.told();
    let second = receiver.told();
    assert_eq!((&first.id, &first.body, first.status), (&second.id, &second.body, 503));
    let dead = |site: &Site| -> Vec<Value> {
        let text = site.command(&["webhook", "dead-letters", "app", "--json"]);
        text.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect()
    };
    let letters = eventually("a dead letter", || Some(dead(&site)).filter(|letters| !letters.is_empty()));
    assert_eq!((letters.len(), &letters[0]["id"], &letters[0]["tries"]), (1, &json!(first.id), &json!(2)));
    assert!(letters[0]["why"].as_str().is_some_and(|why| why.starts_with("503 ")), "{letters:?}");
    assert_eq!(letters[0]["message"], first.body);

    site.program.kill();
    site.start_again();
    receiver.answers(204);
    assert_eq!(dead(&site).len(), 1);
    let data = site.data().display().to_string();
    let unknown = run(["webhook", "retry", "app", "12", "--data", &data]);
    assert!(unknown.code == Some(1) && unknown.stderr.contains("no dead letter 12"), "{unknown:?}");
    assert_eq!(site.command_json(&["webhook", "retry", "app", &first.id])["sentAgain"], 1);
    let again = receiver.told();
    assert_eq!((again.id, again.body, again.status), (first.id, first.body, 204));
    eventually("it is settled", || {
        let listed = site.command_json(&["webhook", "list"]);
        (listed["deadLetters"] == 0 && listed["unread"] == 0).then_some(())
    });
}

#[test]
fn what_a_webhook_was_not_told_when_the_server_was_killed_it_is_told_later() {
    const POSTS: usize = 30;
    let receiver = WebhookReceiver::start();
    let mut site = site(&receiver, "kinds = [\"custom\"]\n");
    let connected = device(&site, "survives");
    receiver.answers(500);
    for number in 0..POSTS {
        connected.publish(&format!("/{PRODUCT}/survives/user/n"), &json!(number));
    }
    receiver.told();
    let written = || site.program.metrics().sum("thingcall_store_messages_written_total", &["kind=\"custom\""]);
    eventually("all are written", || (written() >= POSTS as f64).then_some(()));
    site.program.kill();
    receiver.answers(204);
    site.start_again();
    let mut seen = BTreeSet::new();
    while seen.len() < POSTS {
        let told = receiver.told();
        if told.status == 204 {
            assert!(told.body["dataBase64"].is_string(), "{}", told.body);
            seen.insert(told.id);
        }
    }
}

#[test]
fn webhook_with_tls_believes_the_authority_it_is_given() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let receiver = WebhookReceiver::start_with_tls(folder.path());
    let file = folder.path().join("ca.pem");
    let site = site(&receiver, &format!("kinds = [\"life_cycle\"]\nca_file = \"{}\"\n", file.display()));
    site.device("over-tls");
    assert_eq!(receiver.told().body["deviceName"], "over-tls");

    let other = WebhookReceiver::start_with_tls(tempfile::tempdir().expect("a scratch folder").path());
    let refused = Site::with_plugins(
        &format!(
            "[webhooks.app]\nurl = \"{}\"\nsecret = \"{SECRET}\"\nca_file = \"{}\"\n",
            other.url(),
            file.display()
        ),
        &[],
    );
    refused.device("not-believed");
    eventually("the other's certificate is refused", || {
        let failed = ["target=\"app\"", "result=\"failed\""];
        (refused.program.metrics().sum("thingcall_webhook_deliveries_total", &failed) >= 1.0).then_some(())
    });
}

#[test]
fn of_two_instances_one_tells_a_webhook_of_each_message() {
    const MESSAGES: usize = 60;
    let receiver = WebhookReceiver::start();
    let settings = [("WEBHOOKS__APP__URL", receiver.url()), ("WEBHOOKS__APP__SECRET", SECRET)];
    let first = Site::sharing(&Postgres::shared().database(), &settings);
    let second = first.another(&[]);
    for site in [&first, &second] {
        site.is_ready();
    }
    for number in 0..MESSAGES / 2 {
        first.device(&format!("one-{number}"));
        second.device(&format!("other-{number}"));
    }
    let told: Vec<_> = (0..MESSAGES).map(|_| receiver.told()).collect();
    let ids: BTreeSet<_> = told.iter().map(|told| &told.id).collect();
    let names: BTreeSet<_> = told.iter().map(|told| told.body["deviceName"].as_str()).collect();
    assert_eq!((ids.len(), names.len()), (MESSAGES, MESSAGES), "each once");
    let delivered =
        |site: &Site| site.program.metrics().sum("thingcall_webhook_deliveries_total", &["result=\"delivered\""]);
    eventually("that is what they count", || (delivered(&first) + delivered(&second) >= MESSAGES as f64).then_some(()));
    // One more is the next: nothing came twice behind them.
    first.device("last");
    assert_eq!(receiver.told().body["deviceName"], "last");
}

#[test]
fn a_webhook_that_is_none_any_more_can_be_forgotten() {
    let receiver = WebhookReceiver::start();
    let site = site(&receiver, "");
    let data = site.data().display().to_string();
    // Without the configuration it is not configured.
    let listed = site.command_json(&["webhook", "list"]);
    assert_eq!((&listed["name"], &listed["configured"]), (&json!("app"), &json!(false)), "{listed}");
    assert_eq!(site.command_json(&["webhook", "forget", "app"])["name"], "app");
    let gone = run(["webhook", "dead-letters", "app", "--data", &data]);
    assert!(gone.code == Some(1) && gone.stderr.contains("the store knows no webhook app"), "{gone:?}");
    let secret = run_ok(["webhook", "secret"]);
    assert!(secret.starts_with("whsec_"), "{secret}");
}
