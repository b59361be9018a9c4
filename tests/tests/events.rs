//! Server-sent events on the API's listener, read by `requests` with the official SDK's signature.

use serde_json::json;
use thingcall_tests::{Credential, EventReader, Key, MqttDevice, PRODUCT, Site, eventually};

fn streams(site: &Site) -> f64 {
    site.program.metrics().sum("thingcall_event_streams", &[])
}

fn says(connected: &MqttDevice, name: &str, number: usize) {
    connected.publish(&format!("/{PRODUCT}/{name}/user/n"), &json!(number));
}

#[test]
fn events_are_what_their_filters_let_through_in_order() {
    let site = Site::embedded(&[]);
    let kinds = json!({ "kinds": "result,status,property", "products": PRODUCT, "modules": ",testFb" });
    let reader = EventReader::start(&site, &kinds);
    let (device, connected) = site.linkkit("streamed");
    let online = reader.told();
    assert_eq!((&*online.name, &online.data["data"]["status"]), ("status", &json!("online")), "{online:?}");
    assert!(online.id.starts_with(online.data["id"].as_str().expect("an id")), "{online:?}");

    let id = site.invoke(&device, "SetScene", r#"{"scene":1}"#).ok().message_id();
    let result = reader.told();
    assert_eq!(result.data["data"]["requestId"].as_u64().map(|id| id.to_string()), Some(id), "{result:?}");
    connected.says(&json!({ "post": { "Temperature": 20.5 } }));
    let post = reader.told();
    assert_eq!((&*post.name, &post.data["data"]["items"]["Temperature"]["value"]), ("property", &json!(20.5)));

    assert_eq!(streams(&site), 1.0);
    drop(reader);
    eventually("its place is free", || (streams(&site) == 0.0).then_some(()));
}

#[test]
fn a_reader_that_comes_again_goes_on_where_it_was_also_after_a_crash() {
    let mut site = Site::embedded(&[]);
    let kinds = json!({ "kinds": "custom" });
    let connected = MqttDevice::connect(site.broker(), &Credential::of(&site.device("again"), None));
    let reader = EventReader::start(&site, &kinds);
    says(&connected, "again", 0);
    let first = reader.told();
    drop(reader);
    // Nobody reads, and yet this is written.
    eventually("nobody reads", || (streams(&site) == 0.0).then_some(()));
    (1..4).for_each(|number| says(&connected, "again", number));
    let written = || site.program.metrics().sum("thingcall_store_messages_written_total", &["kind=\"custom\""]);
    eventually("all are written", || (written() >= 4.0).then_some(()));
    site.program.kill();
    site.start_again();
    let reader = EventReader::behind(&site, &kinds, &first.id);
    let rest: Vec<_> = (0..3).map(|_| reader.told()).collect();
    assert!(rest.iter().all(|told| told.name == "custom" && told.data["dataBase64"].is_string()), "{rest:?}");
    drop(reader);
    // As a parameter, too.
    let again = EventReader::start(&site, &json!({ "kinds": "custom", "lastEventId": rest[1].id }));
    assert_eq!(again.told().data, rest[2].data);
    // With another filter nobody saw to it that everything was written.
    let other = EventReader::behind(&site, &json!({ "kinds": "custom,event" }), &first.id);
    let lost = other.told();
    assert_eq!((&*lost.name, &lost.data), ("lost", &json!({ "messages": 0, "unwritten": true })), "{lost:?}");
    assert_eq!(other.told().data, rest[0].data);
}

#[test]
fn what_the_log_dropped_is_told_with_its_count() {
    let site = Site::embedded(&[("MESSAGES__MESSAGES_MAX", "10")]);
    // Who looks loses nothing that is counted; a group without a consumer does.
    site.command(&["subscription", "set", PRODUCT, "--topic", "device_data", "--group", "DEFAULT_GROUP"]);
    let connected = MqttDevice::connect(site.broker(), &Credential::of(&site.device("dropped"), None));
    let kinds = json!({ "kinds": "custom" });
    let reader = EventReader::start(&site, &kinds);
    says(&connected, "dropped", 0);
    let first = reader.told();
    drop(reader);
    (1..60).for_each(|number| says(&connected, "dropped", number));
    eventually("the oldest are dropped", || {
        let metrics = site.program.metrics();
        let written = metrics.sum("thingcall_store_messages_written_total", &["kind=\"custom\""]);
        let lost = metrics.sum("thingcall_store_messages_lost_total", &["reader=\"group\""]);
        (written >= 60.0 && lost >= 49.0).then_some(())
    });
    let reader = EventReader::behind(&site, &kinds, &first.id);
    let lost = reader.told();
    let count = lost.data["messages"].as_u64().expect("a count");
    assert!(lost.name == "lost" && lost.data["unwritten"] == false && count >= 49, "{lost:?}");
    for _ in count + 1..60 {
        assert_eq!(reader.told().name, "custom");
    }
}

#[test]
fn streams_end_with_a_word_where_the_key_is_disabled_and_where_the_server_stops() {
    let mut site = Site::embedded(&[]);
    let made = site.command_json(&["key", "add"]);
    let text = |name: &str| made[name].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
    let key = Key { id: text("accessKeyId"), secret: text("accessKeySecret"), token: None };
    let (reader, answered) = EventReader::asks(&site, &key, &json!({}));
    assert_eq!(answered["status"], 200, "{answered}");
    let stays = EventReader::start(&site, &json!({ "group": "DEFAULT_GROUP" }));
    site.command(&["key", "disable", &key.id]);
    let end = reader.told();
    assert_eq!((&*end.name, &end.data["why"]), ("end", &json!("key")), "{end:?}");
    reader.ended();
    site.program.terminate();
    let end = stays.told();
    assert_eq!((&*end.name, &end.data["why"]), ("end", &json!("stop")), "{end:?}");
    stays.ended();
    assert!(site.program.ended().success());
}

#[test]
fn a_reader_is_refused_as_a_call_is_and_where_there_are_too_many() {
    let site = Site::embedded(&[("API__EVENT_STREAMS_MAX", "1")]);
    let wrong = Key { secret: "wrong".to_owned(), ..site.key.clone() };
    let refused = |key: &Key, params, status: u64, said: &str| {
        let (_, answered) = EventReader::asks(&site, key, &params);
        let text = answered["text"].as_str().unwrap_or_default();
        assert!(answered["status"] == status && text.contains(said), "{said}: {answered}");
    };
    refused(&wrong, json!({}), 400, "SignatureDoesNotMatch");
    refused(&site.key, json!({ "kinds": "results" }), 400, "right are, with commas: result, status");
    refused(&site.key, json!({ "group": "DEFAULT" }), 400, "there is no consumer group");
    refused(&site.key, json!({ "lastEventId": "12" }), 400, "right is the id of an event");
    refused(&site.key, json!({ "Action": "InvokeThingService" }), 404, "InvalidAction.NotFound");
    let _first = EventReader::start(&site, &json!({}));
    refused(&site.key, json!({}), 503, "There are 1 readers of events");
}

#[test]
fn filters_are_as_many_as_may_be_and_a_refusal_names_the_setting() {
    let site = Site::embedded(&[("API__EVENT_FILTERS_PER_KEY_MAX", "1"), ("MESSAGES__STREAM_READERS_MAX", "1")]);
    let made = site.command_json(&["key", "add"]);
    let text = |name: &str| made[name].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
    let other = Key { id: text("accessKeyId"), secret: text("accessKeySecret"), token: None };
    let asks = |key: &Key, kinds: &str| EventReader::asks(&site, key, &json!({ "kinds": kinds }));
    let (_first, answered) = asks(&site.key, "event");
    assert_eq!(answered["status"], 200, "{answered}");
    assert_eq!(asks(&site.key, "event").1["status"], 200, "one more with the same filter needs no room");
    let refused = |key: &Key, setting: &str| {
        let (_, answered) = asks(key, "tag");
        let text = answered["text"].as_str().unwrap_or_default();
        assert!(answered["status"] == 503 && text.contains(setting), "{setting}: {answered}");
    };
    refused(&site.key, "api.event_filters_per_key_max");
    refused(&other, "messages.stream_readers_max");
    assert_eq!(asks(&other, "event").1["status"], 200, "what was refused is none of its filters");
}

#[test]
fn a_reader_that_does_not_read_is_told_so_behind_what_waits_for_it() {
    const MESSAGES: usize = 300;
    let limits = [("API__EVENT_STREAM_BYTES_MAX", "4096"), ("API__EVENT_STREAM_SLOW_AFTER", "100ms")];
    let site = Site::embedded(&limits);
    let connected = MqttDevice::connect(site.broker(), &Credential::of(&site.device("flood"), None));
    let reader = EventReader::lazy(&site, &json!({ "kinds": "custom" }));
    let long = "x".repeat(60_000);
    let slow = || site.program.metrics().sum("thingcall_event_streams_ended_total", &["why=\"slow\""]);
    for _ in 0..MESSAGES {
        connected.publish(&format!("/{PRODUCT}/flood/user/n"), &json!(long));
    }
    eventually("it is found too slow", || (slow() == 1.0).then_some(()));
    reader.reads();
    let mut seen = 0;
    let end = loop {
        let told = reader.told();
        if told.name != "custom" {
            break told;
        }
        seen += 1;
    };
    assert_eq!((&*end.name, &end.data["why"]), ("end", &json!("slow")), "{end:?}");
    assert!(seen < MESSAGES, "{seen}");
    reader.ended();
}
