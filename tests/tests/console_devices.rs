//! Devices in the console: looked for, registered one by one and from a list, changed, and shown with what they connect with.

use serde_json::{Value, json};
use thingcall_tests::{Credential, DeviceSample, HttpAnswer, MqttDevice, PRODUCT, Site, Visitor, eventually};

use crate::sites::embedded;

const SCRIPT: &str = "<script>alert(1)</script>";

fn visitor(site: &Site) -> Visitor {
    Visitor::logged_in(site.console(), &site.key.id, &site.key.secret)
}

fn devices_of(product: &str) -> String {
    format!("/devices?product={product}")
}

fn page_of(product: &str, name: &str) -> String {
    format!("/devices/{product}/{name}")
}

/// The values that a page shows, by what stands before them.
fn fact<'a>(page: &'a HttpAnswer, name: &str) -> &'a str {
    let value = page.body.split_once(&format!("<dt>{name}</dt><dd>")).unwrap_or_else(|| panic!("{name} in {page:?}")).1;
    value.split_once("</dd>").expect("its end").0.trim_start_matches("<code>").trim_end_matches("</code>")
}

fn unescaped(text: &str) -> String {
    text.replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"")
}

fn named(site: &Site, product: &str) -> u64 {
    let counts = site.ask("QueryDeviceStatistics", &json!({ "ProductKey": product })).ok();
    counts.body()["Data"]["deviceCount"].as_u64().expect("a number")
}

fn send_list(visitor: &mut Visitor, product: &str, list: &str) -> HttpAnswer {
    visitor.form(&devices_of(product), "/devices/list", &[("product", product), ("list", list)])
}

#[test]
fn a_thousand_devices_of_a_list_are_registered_and_of_each_bad_line_it_is_said_what_is_wrong() {
    let site = embedded();
    site.import("a1ConsoleCsv", &[]);
    let mut visitor = visitor(site);
    let mut lines = vec!["DeviceName,Nickname,DeviceSecret".to_owned()];
    for at in 0..1000 {
        lines.push(match at {
            100 => "no good name,hall".to_owned(),
            200 => "csv-0000,again".to_owned(),
            300 => format!("csv-long,{}", "n".repeat(65)),
            400 => "csv-four,a,b,c".to_owned(),
            500 => "csv-quote,\"not closed".to_owned(),
            600 => String::new(),
            700 => "\"csv-0700\",\"the \"\"big\"\" lamp, hall\",secret-0700".to_owned(),
            _ => format!("csv-{at:04}"),
        });
    }
    let answer = send_list(&mut visitor, "a1ConsoleCsv", &lines.join("\r\n"));
    assert_eq!(answer.status, 200, "{answer:?}");
    let body = unescaped(&answer.body);
    assert!(body.contains("Registered: 994") && body.contains("refused: 5"), "{body}");
    for told in [
        "<td>2–101</td>",
        "<td>102</td>",
        "\"no good name\" is not a device name",
        "line 2 has this name already",
        "its nickname is longer than 64 characters",
        "it has more than three fields",
        "a quote is not closed",
    ] {
        assert!(body.contains(told), "{told} is not in {body}");
    }
    assert!(answer.body.len() < 100_000, "{} bytes", answer.body.len());
    assert_eq!(named(site, "a1ConsoleCsv"), 994);
    let one = site.ask("QueryDeviceDetail", &json!({ "ProductKey": "a1ConsoleCsv", "DeviceName": "csv-0700" })).ok();
    assert_eq!(
        (one.text_at("Data.Nickname"), one.text_at("Data.DeviceSecret")),
        ("the \"big\" lamp, hall", "secret-0700")
    );
    let again = send_list(&mut visitor, "a1ConsoleCsv", "csv-0001\ncsv-0700,,secret-0700\ncsv-0700,,other\ncsv-new1\n");
    let again = unescaped(&again.body);
    for told in ["Registered: 1 · there already: 1 · refused: 2", "there is a device of this name already"] {
        assert!(again.contains(told), "{told} is not in {again}");
    }
    assert_eq!(named(site, "a1ConsoleCsv"), 995);
    let too_many = (0..2001).map(|at| format!("many-{at}\n")).collect::<String>();
    let refused = send_list(&mut visitor, "a1ConsoleCsv", &too_many);
    assert!(refused.status == 422 && refused.body.contains("None was registered"), "{}", refused.status);
    assert_eq!(named(site, "a1ConsoleCsv"), 995);
}

#[test]
fn of_a_list_for_which_there_is_no_room_it_is_said_what_is_registered_and_what_is_not() {
    let site = Site::embedded(&[("STORE__DEVICES_MAX", "3")]);
    let answer = send_list(&mut visitor(&site), PRODUCT, "room-1\nroom-2\nroom-3\nroom-4\nroom-5\n");
    let body = unescaped(&answer.body);
    assert!(body.contains("Registered: 3") && body.contains("refused: 2") && body.contains("<td>4–5</td>"), "{body}");
    assert_eq!(named(&site, PRODUCT), 3);
}

#[test]
fn devices_are_found_by_the_beginning_of_their_names_and_by_their_status() {
    let site = embedded();
    site.import("a1ConsoleFind", &[]);
    let mut visitor = visitor(site);
    let list = (0..120).map(|at| format!("find-{at:03}\n")).collect::<String>() + "other-1\n";
    send_list(&mut visitor, "a1ConsoleFind", &list);
    let shown = visitor.page("/devices?product=a1ConsoleFind&name=find-01").body;
    assert!(shown.contains("find-010") && shown.contains("find-019"), "{shown}");
    assert!(!shown.contains("find-020") && !shown.contains("other-1"), "{shown}");
    assert!(shown.contains("All: 121"), "{shown}");
    let (mut path, mut seen) = ("/devices?product=a1ConsoleFind&name=find-".to_owned(), 0);
    for _ in 0..3 {
        let page = visitor.page(&path).body;
        seen += page.matches("<code>find-").count();
        let Some((_, next)) = page.split_once("<p class=\"next\"><a href=\"") else { break };
        path = unescaped(next.split('"').next().expect("an address"));
    }
    assert_eq!(seen, 120);
    let device = site.device_of("a1ConsoleFind", "find-online");
    let _connected = MqttDevice::connect(site.broker(), &Credential::of(&device, None));
    for path in
        ["/devices?product=a1ConsoleFind&status=online", "/devices?product=a1ConsoleFind&status=online&name=find"]
    {
        let page = eventually("it is online", || {
            Some(visitor.page(path).body).filter(|page| page.contains("<code>find-online</code>"))
        });
        assert!(!page.contains("find-010"), "{page}");
        assert!(page.contains("embedded"), "the way it came: {page}");
    }
    let nothing = visitor.page("/devices?product=a1ConsoleFind&name=%25").body;
    assert!(nothing.contains("No device was found."), "{nothing}");
}

#[test]
fn a_device_is_registered_and_connects_with_what_is_shown_this_once() {
    let site = embedded();
    let mut visitor = visitor(site);
    let fields = [("product", PRODUCT), ("new_name", "console-new"), ("nickname", "Hall lamp")];
    let made = visitor.form(&devices_of(PRODUCT), "/devices", &fields);
    assert_eq!(made.status, 200, "{made:?}");
    assert!(made.head.to_ascii_lowercase().contains("cache-control: no-store"), "{}", made.head);
    let secret = fact(&made, "Device secret").to_owned();
    let credential = Credential {
        client_id: unescaped(fact(&made, "MQTT client id")),
        username: unescaped(fact(&made, "MQTT user name")),
        password: fact(&made, "MQTT password for it").to_owned(),
    };
    let connected = MqttDevice::connect(site.broker(), &credential);
    let page = visitor.page(&page_of(PRODUCT, "console-new")).body;
    assert!(page.contains("Hall lamp") && !page.contains(&secret) && !page.contains(&credential.password), "{page}");
    for sample in ["linkkit.LinkKit(", "iot.device({", "aiot_mqtt_connect", "mosquitto_pub -h "] {
        assert!(page.contains(sample), "{sample} is not in {page}");
    }
    let again = visitor.form(&devices_of(PRODUCT), "/devices", &fields);
    assert!(again.status == 422 && again.body.contains("Hall lamp"), "what was typed is there: {again:?}");
    let disabled =
        visitor.form(&page_of(PRODUCT, "console-new"), &format!("{}/disable", page_of(PRODUCT, "console-new")), &[]);
    assert_eq!(disabled.status, 303, "{disabled:?}");
    connected.gone();
    assert!(MqttDevice::try_connect(site.broker(), &credential).is_err());
    visitor.form(&page_of(PRODUCT, "console-new"), &format!("{}/enable", page_of(PRODUCT, "console-new")), &[]);
    eventually("it may connect", || MqttDevice::try_connect(site.broker(), &credential).ok());
}

#[test]
fn the_python_sample_of_a_devices_page_connects_that_device() {
    let site = embedded();
    let device = site.device("console-sample");
    let mut visitor = visitor(site);
    let page = unescaped(&visitor.page(&page_of(PRODUCT, "console-sample")).body);
    let code = page.split_once("<summary>Python: aliyun-iot-linkkit</summary>").expect("the sample").1;
    let code = code.split_once("<code>").expect("its code").1.split_once("</code>").expect("its end").0;
    assert!(!code.contains(&device.secret), "{code}");
    let sample = DeviceSample::in_python(code, &[("DEVICE_SECRET", &device.secret)]);
    sample.says("connected 0");
    eventually("its page says so", || {
        let page = visitor.page(&page_of(PRODUCT, "console-sample"));
        Some(()).filter(|()| fact(&page, "Status") == "online")
    });
}

#[test]
fn what_is_done_with_devices_is_in_the_audit_log() {
    let site = embedded();
    let mut visitor = visitor(site);
    send_list(&mut visitor, PRODUCT, "console-noted\nconsole-noted2\n");
    let page = page_of(PRODUCT, "console-noted");
    visitor.form(&page, &format!("{page}/secret"), &[]);
    visitor.form(&page, &format!("{page}/disable"), &[]);
    let log =
        eventually("it is noted", || Some(visitor.page("/audit").body).filter(|log| log.contains("ShowDeviceSecret")));
    for told in ["RegisterDevice", "DisableThing", "DeviceName=console-noted2"] {
        assert!(log.contains(told), "{told} is not in {log}");
    }
}

#[test]
fn a_device_is_removed_by_who_says_that_it_is_meant() {
    let site = embedded();
    site.device("console-gone");
    let mut visitor = visitor(site);
    let (page, path) = (page_of(PRODUCT, "console-gone"), format!("{}/remove", page_of(PRODUCT, "console-gone")));
    let kept = visitor.form(&page, &path, &[]);
    assert!(kept.status == 422 && kept.body.contains("not confirmed"), "{kept:?}");
    assert_eq!(visitor.page(&page).status, 200);
    assert_eq!(visitor.form(&page, &path, &[("sure", "yes")]).status, 303);
    assert_eq!(visitor.page(&page).status, 404);
    assert_eq!(visitor.send("POST", &path, &[("sure", "yes")]).status, 403, "without the token of a form");
}

#[test]
fn tags_are_set_and_removed_and_are_text_as_nicknames_are() {
    let site = embedded();
    let list = format!("console-tags,{SCRIPT}\n");
    let mut visitor = visitor(site);
    let listed = send_list(&mut visitor, PRODUCT, &list);
    assert!(listed.body.contains("Registered: 1"), "{listed:?}");
    let (page, of) = (page_of(PRODUCT, "console-tags"), page_of(PRODUCT, "console-tags"));
    for (tag, value) in [("colour", "red"), (SCRIPT, SCRIPT)] {
        let set = visitor.form(&page, &format!("{of}/tag"), &[("tag", tag), ("value", value)]);
        assert_eq!(set.status, 303, "{set:?}");
    }
    let shown = visitor.page(&page);
    assert!(!shown.body.contains(SCRIPT) && unescaped(&shown.body).matches(SCRIPT).count() >= 3, "{shown:?}");
    assert!(!visitor.page("/devices?product=a1BwAGVxxxx&name=console-tags").body.contains(SCRIPT));
    let set = visitor.form(&page, &format!("{of}/untag"), &[("tag", "colour")]);
    assert_eq!(set.status, 303, "{set:?}");
    let tags = site.ask("QueryDeviceProp", &json!({ "ProductKey": PRODUCT, "DeviceName": "console-tags" })).ok();
    let tags: Value = serde_json::from_str(tags.text_at("Props")).expect("JSON");
    assert_eq!(tags, json!({ SCRIPT: SCRIPT }));
    let refused = visitor.form(&page, &format!("{of}/tag"), &[("tag", ""), ("value", "x")]);
    assert_eq!(refused.status, 422, "{refused:?}");
    let bad = send_list(&mut visitor, PRODUCT, &format!("{SCRIPT},a,b\n"));
    assert!(!bad.body.contains(SCRIPT) && bad.body.contains("refused: 1"), "{bad:?}");
}

#[test]
fn a_key_does_with_devices_what_its_rules_allow_and_nothing_else() {
    let site = embedded();
    let device = site.device("console-rules");
    site.import("a1ConsoleRules", &[]);
    let rules = format!("actions=QueryDevice,RegisterDevice,QueryDeviceProp;products={PRODUCT}");
    site.command(&["key", "add", "--id", "console-lister", "--secret", "lister-secret", "--allow", &rules]);
    let mut lister = Visitor::logged_in(site.console(), "console-lister", "lister-secret");
    assert!(lister.page("/devices?product=a1BwAGVxxxx&name=console-rules").body.contains("<code>console-rules</code>"));
    assert!(lister.page(&devices_of("a1ConsoleRules")).body.contains("Forbidden.RAM"));
    assert_eq!(lister.page(&page_of(PRODUCT, "console-rules")).status, 404);
    for what in ["secret", "disable", "remove", "tag"] {
        let refused = lister.form(
            &devices_of(PRODUCT),
            &format!("{}/{what}", page_of(PRODUCT, "console-rules")),
            &[("sure", "yes"), ("tag", "a"), ("value", "b")],
        );
        assert!(refused.status >= 400 && refused.body.contains("Forbidden.RAM"), "{what}: {refused:?}");
        assert!(!refused.body.contains(&device.secret), "{what}");
    }
    let made =
        lister.form(&devices_of(PRODUCT), "/devices/list", &[("product", "a1ConsoleRules"), ("list", "not-mine\n")]);
    assert!(made.body.contains("Registered: 0") && made.body.contains("Forbidden.RAM"), "{made:?}");
    assert_eq!(named(site, "a1ConsoleRules"), 0);
}
