//! The console, asked as a browser asks: who gets in, what a page shows, and what another site cannot have done.

use serde_json::json;
use thingcall_tests::{HttpAnswer, PRODUCT, Site, Visitor, eventually};

use crate::sites::embedded;

/// Every page of the menu.
const PAGES: [&str; 11] = [
    "/",
    "/products",
    "/devices",
    "/calls",
    "/explorer",
    "/plugins",
    "/results",
    "/keys",
    "/settings",
    "/signature",
    "/audit",
];

fn visitor(site: &Site) -> Visitor {
    Visitor::logged_in(site.console(), &site.key.id, &site.key.secret)
}

fn header<'a>(answer: &'a HttpAnswer, name: &str) -> Option<&'a str> {
    answer
        .head
        .lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(other, _)| other.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

#[test]
fn nobody_sees_a_page_without_a_login() {
    let site = embedded();
    let mut stranger = Visitor::new(site.console());
    for path in PAGES.into_iter().chain(["/calls/1", "/products/x", "/devices/x/y", "/nothing"]) {
        let answer = stranger.page(path);
        assert_eq!(answer.status, 303, "{path}: {answer:?}");
        assert!(header(&answer, "location").is_some_and(|to| to.starts_with("/login?next=")), "{path}: {answer:?}");
    }
    for path in ["/products", "/calls/1/cancel", "/plugins/x/reload"] {
        assert_eq!(stranger.send("POST", path, &[("name", "mine")]).status, 303, "{path}");
    }
    assert_eq!(stranger.page("/login").status, 200);
}

#[test]
fn a_login_needs_the_secret_and_leads_to_a_page_of_this_server() {
    let site = embedded();
    let mut visitor = Visitor::new(site.console());
    let wrong = visitor.log_in(&site.key.id, "wrong");
    assert!(wrong.status == 403 && wrong.body.contains("There is no such key"), "{wrong:?}");
    assert!(visitor.session().is_none());
    let right = visitor.log_in(&site.key.id, &site.key.secret);
    assert_eq!((right.status, header(&right, "location")), (303, Some("/products")), "{right:?}");
    let cookie = header(&right, "set-cookie").expect("a cookie");
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict") && cookie.contains("Path=/"), "{cookie}");
    assert!(!cookie.contains(&site.key.secret), "{cookie}");
    for elsewhere in ["//evil.example", "/\t/evil.example", "https://evil.example", "/\\evil.example", "evil"] {
        let (id, secret) = (site.key.id.as_str(), site.key.secret.as_str());
        let answer = visitor.send("POST", "/login", &[("id", id), ("secret", secret), ("next", elsewhere)]);
        assert_eq!(header(&answer, "location"), Some("/"), "{elsewhere}");
    }
}

#[test]
fn a_key_is_locked_out_after_some_wrong_secrets_and_others_are_not() {
    let site = Site::embedded(&[("CONSOLE__FAILED_LOGINS_MAX", "3")]);
    site.command(&["key", "add", "--id", "second", "--secret", "second-secret"]);
    let mut visitor = Visitor::new(site.console());
    for _ in 0..3 {
        assert_eq!(visitor.log_in("second", "wrong").status, 403);
    }
    let locked = visitor.log_in("second", "second-secret");
    assert!(locked.status == 429 && locked.body.contains("Too many logins failed"), "{locked:?}");
    assert_eq!(visitor.log_in(&site.key.id, &site.key.secret).status, 303);
    let metrics = site.program.metrics();
    for (result, count) in [("refused", 3.0), ("locked_out", 1.0), ("ok", 1.0)] {
        assert_eq!(
            metrics.sum("thingcall_console_logins_total", &[&format!("result=\"{result}\"")]),
            count,
            "{result}"
        );
    }
}

#[test]
fn every_page_is_there_in_two_languages_and_lets_nothing_of_another_host_in() {
    let site = embedded();
    let mut visitor = visitor(site);
    for language in ["en", "zh-CN"] {
        let chosen = visitor.form("/", "/language", &[("to", language), ("back", "/calls")]);
        assert_eq!((chosen.status, header(&chosen, "location")), (303, Some("/calls")));
        for path in PAGES {
            let answer = visitor.page(path);
            assert_eq!(answer.status, 200, "{path}: {answer:?}");
            assert!(answer.body.contains(&format!("<html lang=\"{language}\">")), "{path}: {}", answer.body);
            let policy = header(&answer, "content-security-policy").expect("a policy");
            assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
            assert_eq!(header(&answer, "x-frame-options"), Some("DENY"));
            assert_eq!(header(&answer, "x-content-type-options"), Some("nosniff"));
            assert_eq!(header(&answer, "cache-control"), Some("no-store"));
            for inline in ["http://", "https://", " style=", "<style", "onclick", "javascript:"] {
                assert!(!answer.body.contains(inline), "{path} has {inline}: {}", answer.body);
            }
            assert!(answer.body.len() < 100_000, "{path} has {} bytes", answer.body.len());
        }
    }
}

#[test]
fn a_product_is_made_and_its_model_shown_as_a_table() {
    let site = embedded();
    let mut visitor = visitor(site);
    let made = visitor.form("/products", "/products", &[("name", "Console lamp")]);
    let path = header(&made, "location").expect("its page").to_owned();
    assert!(visitor.page(&path).body.contains("Console lamp"));
    let refused = visitor.form("/products", "/products", &[("name", "")]);
    assert!(refused.status == 422 && refused.body.contains("MissingProductName"), "{refused:?}");
    let model = visitor.page(&format!("/products/{PRODUCT}")).body;
    assert!(model.contains("SetScene") && model.contains("Overheat"), "{model}");
}

#[test]
fn why_a_call_failed_is_read_on_its_page() {
    let site = embedded();
    let device = site.device("console-away");
    let answer = site.invoke(&device, "testFb:testService", r#"{"param1":1}"#);
    let request_id = answer.text_at("RequestId").to_owned();
    let mut visitor = visitor(site);
    let page = eventually("it is on record", || {
        Some(visitor.page(&format!("/calls/{request_id}"))).filter(|page| page.status == 200)
    });
    for text in ["iot.messagebroker.OFFLINE", "console-away", "testFb:testService"] {
        assert!(page.body.contains(text), "{text} is not in {}", page.body);
    }
    let list = format!("/calls?device={PRODUCT}/console-away");
    eventually("the list has it", || Some(()).filter(|()| visitor.page(&list).body.contains("bad\">offline")));
    let unknown = visitor.page("/calls/57FE6B44-6B7B-4F5A-8A3B-0C1D2E3F4A5B");
    assert_eq!(unknown.status, 404);
}

#[test]
fn what_another_site_sends_is_not_done() {
    let site = embedded();
    let mut visitor = visitor(site);
    let name = [("name", "Not mine")];
    let without_token = visitor.send("POST", "/products", &name);
    assert!(without_token.status == 403 && without_token.body.contains("another login"), "{without_token:?}");
    let own = visitor.manners.clone();
    for manners in [
        vec![("Origin", "http://evil.example".to_owned()), ("Sec-Fetch-Site", "cross-site".to_owned())],
        vec![("Origin", "null".to_owned())],
        vec![],
    ] {
        visitor.manners.clone_from(&manners);
        let answer = visitor.form("/products", "/products", &name);
        assert_eq!(answer.status, 403, "{manners:?}: {answer:?}");
    }
    visitor.manners = own;
    let other = self::visitor(site).form("/products", "/language", &[("to", "en"), ("back", "/")]);
    assert_eq!(other.status, 303);
    let products = site.ask("QueryProductList", &json!({ "CurrentPage": 1, "PageSize": 50 })).ok();
    assert!(!products.body().to_string().contains("Not mine"), "{products:?}");
}

#[test]
fn a_session_ends_with_its_key_and_is_nobody_elses() {
    let site = Site::embedded(&[]);
    site.command(&["key", "add", "--id", "ending", "--secret", "ending-secret"]);
    let mut visitor = Visitor::logged_in(site.console(), "ending", "ending-secret");
    assert_eq!(visitor.page("/products").status, 200);
    let mut thief = Visitor::new(site.console());
    let cookie = visitor.session().expect("a session").to_owned();
    thief.take_session(&cookie.replace(cookie.split('.').next().expect("an id"), "dGVzdA"));
    assert_eq!(thief.page("/products").status, 303);
    site.command(&["key", "disable", "ending"]);
    eventually("the server knows", || Some(()).filter(|()| visitor.page("/products").status == 303));
    assert_eq!(visitor.log_in("ending", "ending-secret").status, 403);
}

#[test]
fn a_key_sees_and_does_what_its_rules_allow() {
    let site = embedded();
    let rule = format!("actions=Query*;products={PRODUCT}");
    site.command(&["key", "add", "--id", "console-few", "--secret", "few-secret", "--allow", &rule]);
    let mut few = Visitor::logged_in(site.console(), "console-few", "few-secret");
    let product = few.page(&format!("/products/{PRODUCT}"));
    assert_eq!(product.status, 200, "{product:?}");
    for path in ["/calls", "/plugins", "/products"] {
        assert!(few.page(path).body.contains("Forbidden.RAM"), "{path}");
    }
    let made = few.form("/", "/products", &[("name", "Not allowed")]);
    assert!(made.status == 422 && made.body.contains("Forbidden.RAM"), "{made:?}");
    let changed = few.form("/", "/plugins/test-fb/reload", &[]);
    assert!(changed.body.contains("ConsoleOperate"), "{changed:?}");
    site.command(&["key", "allow", "console-few", "actions=ConsoleLook"]);
    eventually("the server knows", || Some(()).filter(|()| !few.page("/calls").body.contains("Not done")));
    let changed = few.form("/calls", "/plugins/test-fb/reload", &[]);
    assert!(changed.body.contains("ConsoleOperate"), "{changed:?}");
}

#[test]
fn names_and_answers_are_text_and_nothing_else() {
    let site = embedded();
    let mut visitor = visitor(site);
    let script = "<script>alert(1)</script>";
    let made = visitor.form("/products", "/products", &[("name", script)]);
    assert!(!made.body.contains(script), "{made:?}");
    for path in ["/calls?device=", "/devices?product=", "/calls/", "/login?next="] {
        let path = format!("{path}%3Cscript%3Ealert(1)%3C/script%3E%22%3E");
        let page = visitor.page(&path);
        assert!(!page.body.contains("<script>alert"), "{path}: {}", page.body);
    }
}

#[test]
fn a_login_that_was_ended_counts_no_more_whoever_has_its_cookie() {
    let site = Site::embedded(&[]);
    let mut visitor = visitor(&site);
    let cookie = visitor.session().expect("a session").to_owned();
    assert_eq!(visitor.form("/products", "/logout", &[]).status, 303);
    let mut thief = Visitor::new(site.console());
    thief.take_session(&cookie);
    assert_eq!(thief.page("/products").status, 303);
    assert_eq!(self::visitor(&site).page("/products").status, 200);
}

#[test]
fn a_key_that_counts_only_with_its_token_does_not_log_in() {
    let site = Site::embedded(&[]);
    site.command(&["key", "add", "--id", "sts", "--secret", "sts-secret", "--security-token", "TOKEN"]);
    let refused = Visitor::new(site.console()).log_in("sts", "sts-secret");
    assert!(refused.status == 403 && refused.body.contains("security token"), "{refused:?}");
}

#[test]
fn ids_that_no_key_has_push_no_key_out_of_its_lock() {
    let site = Site::embedded(&[("CONSOLE__FAILED_LOGINS_MAX", "2")]);
    let mut visitor = Visitor::new(site.console());
    for _ in 0..2 {
        assert_eq!(visitor.log_in(&site.key.id, "wrong").status, 403);
    }
    let secret_in_the_wrong_field = "a-secret-in-the-wrong-field";
    assert_eq!(visitor.log_in(secret_in_the_wrong_field, "x").status, 403);
    assert_eq!(visitor.log_in(&site.key.id, &site.key.secret).status, 429);
    assert!(!site.program.log().contains(secret_in_the_wrong_field));
}

#[test]
fn what_a_key_is_refused_again_and_again_pushes_nothing_out_of_the_audit_log() {
    let site = Site::embedded(&[]);
    site.command(&["key", "add", "--id", "looks", "--secret", "looks-secret", "--allow", "actions=ConsoleLook"]);
    let mut looks = Visitor::logged_in(site.console(), "looks", "looks-secret");
    let entries = |site: &Site| site.program.metrics().sum("thingcall_store_audit_entries", &[]);
    let before = entries(&site);
    for _ in 0..100 {
        assert!(looks.form("/calls", "/products", &[("name", "no")]).body.contains("Forbidden.RAM"));
    }
    eventually("some are noted", || Some(()).filter(|()| entries(&site) > before));
    // A minute may have begun meanwhile.
    assert!(entries(&site) <= before + 62.0, "{before} and then {}", entries(&site));
}
