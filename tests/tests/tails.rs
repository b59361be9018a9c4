//! `thingcall tail`: live messages, what they cost when it is gone, and a pipe that closes.

use serde_json::{Value, json};
use thingcall_tests::{Credential, MqttDevice, PRODUCT, Site, Tail, eventually};

use crate::sites::embedded;

/// Starts it, and waits until it is a reader of the log.
fn tail(site: &Site, arguments: &[&str]) -> Tail {
    let readers = || site.program.metrics().sum("thingcall_store_message_stream_readers", &[]);
    let before = readers();
    let tail = Tail::start(site.data(), arguments);
    eventually("it reads", || (readers() > before).then_some(()));
    tail
}

fn posts(site: &Site, name: &str) {
    let connected = MqttDevice::connect(site.broker(), &Credential::of(&site.device(name), None));
    let topic = format!("/sys/{PRODUCT}/{name}/thing/event/property/post");
    connected.publish(&topic, &json!({ "id": "1", "version": "1.0", "params": { "Brightness": 3 } }));
    connected.next();
}

#[test]
fn tail_shows_what_comes_and_writes_nothing_for_nobody_when_it_is_gone() {
    let site = Site::embedded(&[]);
    let written = || site.program.metrics().sum("thingcall_store_messages_written_total", &[]);
    site.device("nobody-looks");
    assert_eq!(written(), 0.0);
    let device = format!("{PRODUCT}/tailed");
    let text = tail(&site, &["--kind", "property,life_cycle", "--device", &device]);
    text.says("there is no device");
    let json = tail(&site, &["--json", "--product", &format!("{PRODUCT},a1nowhere")]);
    json.says("there is no product a1nowhere");
    posts(&site, "not-shown");
    posts(&site, "tailed");

    let lines = [text.line(), text.line()];
    for (line, kind) in lines.iter().zip(["life_cycle", "property"]) {
        let (words, body) = line.split_at(line.find('{').expect("a body"));
        let words: Vec<_> = words.split_whitespace().collect();
        assert!(words.len() == 3 && words[0].ends_with('Z') && words[1..] == [kind, &device], "{line}");
        let body: Value = serde_json::from_str(body).expect("JSON");
        assert_eq!(body["deviceName"], "tailed");
    }
    let seen: Vec<Value> = (0..8).map(|_| serde_json::from_str(&json.line()).expect("JSON")).collect();
    let of = |name: &str| -> Vec<&Value> {
        seen.iter().filter(|message| message["deviceName"] == name).map(|message| &message["type"]).collect()
    };
    assert!(of("tailed").contains(&&json!("status")) && of("not-shown").contains(&&json!("life_cycle")), "{seen:?}");

    assert_eq!([text.ends(), json.ends()], [Some(0), Some(0)]);
    eventually("nobody reads", || {
        (site.program.metrics().sum("thingcall_store_message_stream_readers", &[]) == 0.0).then_some(())
    });
    let before = written();
    site.device("nobody-looks-again");
    assert_eq!(written(), before);
}

#[test]
fn tail_of_a_group_shows_what_goes_to_it() {
    let site = Site::embedded(&[]);
    site.import("a1tailxxxxx", &[]);
    site.command(&["group", "add", "tail_group"]);
    let tail = Tail::start(site.data(), &["--group", "tail_group"]);
    tail.says("nothing of this goes to the group");
    site.command(&["subscription", "set", "a1tailxxxxx", "--topic", "device_life_cycle", "--group", "tail_group"]);
    site.device("of-another-product");
    // The server hears of the subscription by itself, and the reader a little later: what was registered before is not shown.
    let number = std::cell::Cell::new(0);
    let line = eventually("a device is shown", || {
        site.device_of("a1tailxxxxx", &format!("of-the-group-{}", number.replace(number.get() + 1)));
        tail.line_so_far()
    });
    assert!(line.contains(" life_cycle a1tailxxxxx/of-the-group-"), "{line}");
}

#[test]
fn tail_ends_quietly_where_nobody_reads_it() {
    let site = embedded();
    let finished = Tail::into_closed_pipe(site.data());
    assert_eq!((&*finished.stdout, &*finished.stderr), ("0\n", ""));
}
