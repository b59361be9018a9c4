//! Calls in the console: found by what one knows of them, told with their reason and time line, made again.

use serde_json::json;
use thingcall_tests::{Browser, HttpAnswer, PRODUCT, Site, Visitor, eventually};

const SERVICE: &str = "testFb:testService";

/// A site that keeps every call, and waits for 1 s.
fn site() -> Site {
    Site::embedded(&[("RECORDS__KEEP", "all"), ("ENGINE__REPLY_TIMEOUT", "1s")])
}

fn visitor(site: &Site) -> Visitor {
    Visitor::logged_in(site.console(), &site.key.id, &site.key.secret)
}

/// A page of calls, as soon as it shows this.
fn shows(visitor: &mut Visitor, path: &str, text: &str) -> HttpAnswer {
    eventually(&format!("{path} shows {text}"), || Some(visitor.page(path)).filter(|page| page.body.contains(text)))
}

#[test]
fn a_call_is_found_by_each_thing_that_is_known_of_it_and_not_by_another() {
    let site = site();
    let (device, connected) = site.linkkit("console-found");
    connected.answers(200, &json!({ "param1": 7 }));
    let id = site.invoke(&device, SERVICE, r#"{"param1":1}"#).ok().text_at("RequestId").to_owned();
    let mut visitor = visitor(&site);
    shows(&mut visitor, &format!("/calls/{id}"), "outcome good");
    let (of_device, of_product) = (format!("device={PRODUCT}/console-found"), format!("product={PRODUCT}"));
    let right = [
        "since=1h",
        "since=2020-01-01T00%3A00",
        "until=2099-01-01T00%3A00%3A00",
        "service=testFb%3AtestService",
        "outcome=ok",
        "action=InvokeThingService",
        &of_device,
        &of_product,
    ];
    for known in right {
        let page = visitor.page(&format!("/calls?{known}")).body;
        assert!(page.contains("console-found</code>"), "{known}: {page}");
    }
    let others = [
        "since=2099-01-01T00%3A00",
        "until=2020-01-01T00%3A00",
        "service=SetScene",
        "outcome=timeout",
        "action=RRpc",
        "device=a/b",
        "product=a",
    ];
    for other in others {
        let page = visitor.page(&format!("/calls?{other}"));
        assert!(page.status == 200 && !page.body.contains("console-found</code>"), "{other}: {}", page.body);
    }
    let wrong = visitor.page("/calls?since=yesterday");
    assert!(wrong.body.contains("such as 1h"), "{}", wrong.body);
}

#[test]
fn a_page_of_a_call_has_its_time_line_what_went_to_the_device_and_what_to_check() {
    let site = site();
    let (device, connected) = site.linkkit("console-silent");
    connected.is_silent();
    let waiting = site.begin_invoke(&device, SERVICE, r#"{"param1":7}"#);
    let called = connected.called();
    let message_id = called["id"].as_str().expect("an id");
    let answer = waiting.answer();
    let request_id = answer.text_at("RequestId");
    let mut visitor = visitor(&site);
    let page = shows(&mut visitor, &format!("/calls/{request_id}"), "<rect").body;
    let topic = format!("/sys/{PRODUCT}/console-silent/thing/service/{SERVICE}");
    let request = format!(
        "&quot;id&quot;:&quot;{message_id}&quot;,&quot;version&quot;:&quot;1.0&quot;,&quot;params&quot;:{{&quot;param1&quot;:7}}"
    );
    let expected = [
        "iot.messagebroker.TIMEOUT",
        "outcome bad\">timeout",
        "What to check",
        "same id",
        "waited in vain",
        &topic,
        &request,
    ];
    for text in expected {
        assert!(page.contains(text), "{text} is not in {page}");
    }
}

#[test]
fn a_call_is_made_again_as_the_key_that_is_logged_in_and_only_if_that_may() {
    let site = site();
    let (device, connected) = site.linkkit("console-again");
    connected.answers(200, &json!({ "param1": 7 }));
    let id = site.invoke(&device, SERVICE, r#"{"param1":1}"#).ok().text_at("RequestId").to_owned();
    let page = format!("/calls/{id}");
    let mut visitor = visitor(&site);
    shows(&mut visitor, &page, "Call again");
    let again = visitor.form(&page, &format!("{page}/again"), &[]);
    assert!(again.status == 200 && again.body.contains("&quot;Success&quot;: true"), "{again:?}");
    site.command(&["key", "add", "--id", "looks", "--secret", "looks-secret", "--allow", "actions=ConsoleLook"]);
    let mut looks = Visitor::logged_in(site.console(), "looks", "looks-secret");
    let refused = looks.form(&page, &format!("{page}/again"), &[]);
    assert!(refused.body.contains("Forbidden.RAM"), "{refused:?}");
    eventually("both are on record", || {
        Some(()).filter(|()| site.command(&["calls", "--json", "--outcome", "ok"]).lines().count() == 2)
    });
}

#[test]
fn what_a_device_says_is_text_on_the_page_of_its_call() {
    let site = site();
    let (device, connected) = site.linkkit("console-said");
    connected.answers(460, &json!({ "param1": "</code><script>alert(1)</script>" }));
    let id = site.invoke(&device, SERVICE, r#"{"param1":1}"#).text_at("RequestId").to_owned();
    let page = shows(&mut visitor(&site), &format!("/calls/{id}"), "<rect").body;
    assert!(!page.contains("<script>alert") && page.contains("&lt;script&gt;alert"), "{page}");
}

#[test]
fn calls_come_to_a_page_that_is_looked_at() {
    let site = site();
    let (device, connected) = site.linkkit("console-live");
    connected.answers(200, &json!({ "param1": 7 }));
    let browser = Browser::logged_in(site.console(), "en-US", (&site.key.id, &site.key.secret));
    browser.go("/calls?service=testFb%3AtestService");
    browser.wait("Live: rows come as things happen.");
    site.invoke(&device, SERVICE, r#"{"param1":1}"#).ok();
    browser.wait(&format!("{PRODUCT}/console-live"));
    browser.go("/results/tail");
    browser.wait("Live: rows come as things happen.");
    connected.says(&json!({ "post": { "LightSwitch": 1 } }));
    browser.wait("LightSwitch");
    assert_eq!(browser.problems(), Vec::<String>::new());
}
