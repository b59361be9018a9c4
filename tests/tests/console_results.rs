//! Results in the console: groups, subscriptions, and webhooks with their dead letters.

use serde_json::json;
use thingcall_tests::{PRODUCT, Site, Visitor, eventually};

fn visitor(site: &Site) -> Visitor {
    Visitor::logged_in(site.console(), &site.key.id, &site.key.secret)
}

fn location(answer: &thingcall_tests::HttpAnswer) -> String {
    let line = answer
        .head
        .lines()
        .find_map(|line| line.split_once(": ").filter(|(name, _)| name.eq_ignore_ascii_case("location")));
    line.unwrap_or_else(|| panic!("{answer:?}")).1.to_owned()
}

#[test]
fn a_group_is_made_subscribed_watched_and_removed() {
    let site = Site::embedded(&[]);
    let mut visitor = visitor(&site);
    let script = visitor.form("/results", "/results/groups", &[("name", "<script>alert(1)</script>")]);
    assert!(script.status == 422 && !script.body.contains("<script>alert"), "{script:?}");
    let group = location(&visitor.form("/results", "/results/groups", &[("name", "orders_app")]));
    let id = group.rsplit('/').next().expect("an id").to_owned();
    let fields = [("product", PRODUCT), ("DeviceDataFlag", "true"), ("groups", id.as_str())];
    assert_eq!(location(&visitor.form("/results", "/results/subscribe", &fields)), "/results");
    let fields =
        [("product", PRODUCT), ("DeviceStatusChangeFlag", "true"), ("DeviceDataFlag", "true"), ("groups", id.as_str())];
    assert_eq!(location(&visitor.form("/results", "/results/subscribe", &fields)), "/results");
    let page = visitor.page("/results").body;
    for text in ["orders_app", &id, PRODUCT, "device_data, device_status", "DEFAULT_GROUP"] {
        assert!(page.contains(text), "{text} is not in {page}");
    }
    let (device, _linkkit) = site.linkkit("results-device");
    site.ask(
        "InvokeThingService",
        &json!({ "ProductKey": PRODUCT, "DeviceName": device.name, "Identifier": "SetScene", "Args": "{}" }),
    );
    let waits = "<dt>Wait</dt><dd>0</dd>";
    eventually("something waits", || Some(()).filter(|()| !visitor.page(&group).body.contains(waits)));
    let shown = visitor.page(&group).body;
    assert!(shown.contains("Oldest that waits</dt><dd><time"), "{shown}");
    assert_eq!(visitor.form(&group, &format!("{group}/skip"), &[]).status, 422);
    assert_eq!(visitor.form(&group, &format!("{group}/skip"), &[("sure", "yes")]).status, 303);
    assert!(visitor.form(&group, &format!("{group}/rename"), &[("name", "orders_2")]).status == 303);
    let used = visitor.form(&group, &format!("{group}/remove"), &[("sure", "yes")]);
    assert!(used.status == 422 && used.body.contains("orders_2"), "{used:?}");
    assert_eq!(visitor.form("/results", "/results/unsubscribe", &[("product", PRODUCT)]).status, 303);
    assert_eq!(location(&visitor.form(&group, &format!("{group}/remove"), &[("sure", "yes")])), "/results");
    let audit = visitor.page("/audit").body;
    for action in [
        "CreateConsumerGroup",
        "CreateSubscribeRelation",
        "UpdateSubscribeRelation",
        "ResetConsumerGroupPosition",
        "DeleteSubscribeRelation",
        "DeleteConsumerGroup",
    ] {
        assert!(audit.contains(action), "{action} is not in {audit}");
    }
}

#[test]
fn a_key_that_may_only_look_sees_no_buttons_and_is_refused() {
    let site = Site::embedded(&[]);
    let rules = "actions=Query*,ConsoleLook";
    site.command(&["key", "add", "--id", "looks", "--secret", "looks-secret", "--allow", rules]);
    let mut looks = Visitor::logged_in(site.console(), "looks", "looks-secret");
    let page = looks.page("/results").body;
    assert!(page.contains("DEFAULT_GROUP") && !page.contains("action=\"/results/groups\""), "{page}");
    let group = looks.page("/results/groups/DEFAULT_GROUP").body;
    assert!(group.contains("None is connected") && !group.contains("/skip\""), "{group}");
    for (path, fields) in [
        ("/results/groups", vec![("name", "no_group")]),
        ("/results/groups/DEFAULT_GROUP/skip", vec![("sure", "yes")]),
        ("/results/groups/DEFAULT_GROUP/rename", vec![("name", "no_name")]),
        ("/results/subscribe", vec![("product", PRODUCT), ("groups", "DEFAULT_GROUP"), ("DeviceDataFlag", "true")]),
        ("/results/unsubscribe", vec![("product", PRODUCT)]),
        ("/results/webhooks/none/retry", vec![]),
    ] {
        let refused = looks.form("/calls", path, &fields);
        assert!(refused.status >= 400 && refused.body.contains("Forbidden.RAM"), "{path}: {refused:?}");
    }
    let audit = looks.page("/audit?key=looks").body;
    assert_eq!(audit.matches(">Forbidden.RAM<").count(), 6, "{audit}");
}

#[test]
fn dead_letters_of_a_webhook_are_read_and_sent_again() {
    let toml = "[webhooks.orders]\nurl = \"http://127.0.0.1:9/hidden-path?token=hidden-token\"\nsecret = \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"\ntries_max = 1\nretry_pause_min = \"1s\"\n";
    let site = Site::with_plugins(toml, &[]);
    let (device, _linkkit) = site.linkkit("dead-letters");
    site.ask(
        "InvokeThingService",
        &json!({ "ProductKey": PRODUCT, "DeviceName": device.name, "Identifier": "SetScene", "Args": "{}" }),
    );
    let mut visitor = visitor(&site);
    let page = "/results/webhooks/orders";
    eventually("there is a dead letter", || Some(()).filter(|()| visitor.page(page).body.contains("Send all again")));
    let shown = visitor.page(page).body;
    assert!(shown.contains(&device.name) && !shown.contains("hidden-token") && !shown.contains("whsec_"), "{shown}");
    assert!(visitor.page("/results").body.contains("orders"));
    let place =
        shown.split_once("name=\"place\" value=\"").expect("a place").1.split('"').next().expect("it").to_owned();
    let retry = format!("{page}/retry");
    assert_eq!(visitor.form(page, &retry, &[("place", &place)]).status, 303);
    assert_eq!(visitor.form(page, &retry, &[]).status, 303);
    let wrong = visitor.form(page, &retry, &[("place", "x")]);
    assert!(wrong.status == 422 && wrong.body.contains("right is"), "{wrong:?}");
    assert!(visitor.page("/audit").body.contains("/webhooks/orders/retry"));
    assert_eq!(visitor.page("/results/webhooks/nothing").status, 404);
}
