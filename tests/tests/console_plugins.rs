//! Plugins in the console: what runs, what is refused and why, and a call that is tried without a device.

use std::path::Path;

use thingcall_tests::{Browser, HttpAnswer, PRODUCT, Site, Visitor, eventually, install, rust_plugin};

const TRY: &str = "/plugins/test-fb/try";

/// A server with the plugin `test-fb`, and somebody who is logged in.
fn start() -> (Site, Visitor) {
    let site = Site::with_plugins("", &[&rust_plugin("test-fb")]);
    let visitor = Visitor::logged_in(site.console(), &site.key.id, &site.key.secret);
    (site, visitor)
}

fn tried(visitor: &mut Visitor, fields: &[(&str, &str)]) -> HttpAnswer {
    visitor.form(TRY, TRY, fields)
}

/// The text of a page without its tags, as far as these tests need it.
fn plain(page: &str) -> String {
    page.replace("&quot;", "\"")
}

#[test]
fn what_runs_is_seen_reloaded_and_rolled_back() {
    let (_site, mut visitor) = start();
    let page = visitor.page("/plugins").body;
    for text in ["test-fb", "testFb:testService", "active: it takes calls", "p50 – · p95 – · p99 –"] {
        assert!(page.contains(text), "{text} is not in {page}");
    }
    let generation = |page: &str| {
        let behind = page.split_once("<dt>Generation</dt><dd>").expect("the generation").1.to_owned();
        behind.split('<').next().and_then(|number| number.parse::<u64>().ok()).expect("a number")
    };
    let before = generation(&page);
    assert_eq!(visitor.form("/plugins", "/plugins/test-fb/reload", &[]).status, 303);
    assert_eq!(generation(&visitor.page("/plugins").body), before + 1);
    assert_eq!(visitor.form("/plugins", "/plugins/test-fb/force", &[]).status, 303);
    assert_eq!(generation(&visitor.page("/plugins").body), before + 2);
    let rolled = visitor.form("/plugins", "/plugins/test-fb/rollback", &[]);
    assert!(rolled.status == 422 && rolled.body.contains("class=\"problem\""), "there is no file before: {rolled:?}");
    let seen = visitor.form("/plugins", "/plugins/rescan", &[]);
    assert!(seen.status == 200 && seen.body.contains("Nothing is new or changed"), "{seen:?}");
    let unknown = visitor.form("/plugins", "/plugins/test-fb/explode", &[]);
    assert_eq!(unknown.status, 404);
}

#[test]
fn a_refused_file_is_seen_with_its_reason_and_how_it_is_mended() {
    let (site, mut visitor) = start();
    let folder = tempfile::tempdir().expect("a scratch folder");
    let wrong = folder.path().join("<b>wrong.so");
    std::fs::write(&wrong, "no library").expect("a file");
    install(&wrong, &site.plugin_folder());
    let page = eventually("it is refused", || {
        Some(visitor.page("/plugins").body).filter(|page| page.contains("not a 64-bit ELF file"))
    });
    assert!(page.contains("It is refused") && page.contains("To mend it"), "{page}");
    assert!(page.contains("&lt;b&gt;wrong.so") && !page.contains("<b>wrong"), "{page}");
    let seen = visitor.form("/plugins", "/plugins/rescan", &[]).body;
    assert!(seen.contains("is refused: ") || seen.contains("Nothing is new"), "{seen}");
}

#[test]
fn a_call_is_tried_without_a_device_and_each_step_is_shown() {
    let (site, mut visitor) = start();
    let form = visitor.page(TRY).body;
    assert!(form.contains("value=\"testFb:testService\""), "the first claim is there already: {form}");
    let offered = visitor.page(&format!("{TRY}?product={PRODUCT}")).body;
    for service in ["SetScene", "Measure", "testFb:testService", "testFb:resetLater"] {
        assert!(offered.contains(&format!("<option value=\"{service}\">")), "{service} is not in {offered}");
    }
    let fields = [
        ("product", PRODUCT),
        ("service", "testFb:testService"),
        ("args", "{\"param1\":7}"),
        ("reply1", "{\"param1\":20}"),
        ("reply2", "{\"param1\":24}"),
    ];
    let page = plain(&tried(&mut visitor, &fields).body);
    for text in
        ["The caller would get code 200", "it would send to the device", "\"param1\": 7", "\"param1\": 22", "tookMs"]
    {
        assert!(page.contains(text), "{text} is not in {page}");
    }
    assert!(page.contains("value=\"{\"param1\":20}\""), "what was typed stays: {page}");
    let differ = [&fields[..4], &[("reply2", "{\"param1\":90}")]].concat();
    let page = plain(&tried(&mut visitor, &differ).body);
    assert!(page.contains("code 461") && page.contains("two readings differ: 20 and 90"), "{page}");
    let away = [&fields[..3], &[("reply1", "offline"), ("reply2", "offline")]].concat();
    let page = plain(&tried(&mut visitor, &away).body);
    assert!(page.contains("The call would fail") && page.contains("is offline"), "{page}");
    let metrics = site.program.metrics();
    assert_eq!(metrics.sum("thingcall_calls_total", &[]), 0.0, "no device was called");
    assert!(visitor.page("/plugins").body.contains("p50 ≤ "), "they count in the plugin's figures");
}

#[test]
fn a_call_that_cannot_be_tried_is_told_why_with_what_was_typed() {
    let (_site, mut visitor) = start();
    let script = "<script>alert(1)</script>";
    for (fields, text) in [
        (&[("service", "other:service"), ("args", "{}")][..], "is not handled by test-fb, but by nobody"),
        (&[("service", "testFb:testService"), ("args", "[1]")], "are not a JSON object"),
        (&[("product", PRODUCT), ("service", "testFb:testService"), ("args", "{\"param1\":2000}")], "param1"),
        (&[("service", "testFb:testService"), ("args", script)], "are not a JSON object"),
        (&[("service", "testFb:testService"), ("reply1", "late")], "reply: "),
        (&[("service", "")], "service: it is missing"),
    ] {
        let answer = tried(&mut visitor, fields);
        assert!(answer.status == 422 && answer.body.contains(text), "{text}: {answer:?}");
        assert!(!answer.body.contains(script), "{answer:?}");
        for (_, typed) in fields.iter().filter(|(_, typed)| !typed.is_empty()) {
            assert!(
                answer.body.contains(&typed.replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;")),
                "{typed}"
            );
        }
    }
    assert_eq!(visitor.page("/plugins/nothing/try").status, 404);
}

#[test]
fn a_call_is_tried_by_the_plugin_that_would_take_it_and_by_no_other() {
    let config = "[plugins.echo]\nclaims = [\"other:*\"]\n";
    let site = Site::with_plugins(config, &[&rust_plugin("test-fb"), &rust_plugin("echo")]);
    let mut visitor = Visitor::logged_in(site.console(), &site.key.id, &site.key.secret);
    let fields = [("service", "other:service"), ("args", "{}"), ("mode", "async")];
    let other = tried(&mut visitor, &fields);
    assert!(other.status == 422 && other.body.contains("is not handled by test-fb, but by echo"), "{other:?}");
    let own = visitor.form("/plugins/echo/try", "/plugins/echo/try", &fields);
    assert!(own.body.contains("The call would be accepted"), "{own:?}");
}

#[test]
fn a_key_that_may_look_sees_plugins_and_may_not_try_them() {
    let (site, _) = start();
    site.command(&["key", "add", "--id", "looks", "--secret", "looks-secret", "--allow", "actions=ConsoleLook"]);
    let mut looks = Visitor::logged_in(site.console(), "looks", "looks-secret");
    assert!(looks.page("/plugins").body.contains("test-fb"));
    let tried = tried(&mut looks, &[("service", "testFb:testService"), ("args", "{\"param1\":1}")]);
    assert!(tried.status == 422 && tried.body.contains("ConsoleOperate"), "{tried:?}");
    let metrics = site.program.metrics();
    assert_eq!(metrics.sum("thingcall_plugin_calls_total", &["plugin=\"test-fb\""]), 0.0, "it did not run");
    let seen = looks.form("/plugins", "/plugins/rescan", &[]);
    assert!(seen.status == 422 && seen.body.contains("ConsoleOperate"), "{seen:?}");
    assert!(Path::new(&site.plugin_folder()).is_dir());
}

#[test]
fn in_a_browser_a_call_is_tried_by_clicks() {
    let (site, _) = start();
    for locale in ["en-US", "zh-CN"] {
        let browser = Browser::logged_in(site.console(), locale, (&site.key.id, &site.key.secret));
        for page in ["/plugins", TRY] {
            assert_eq!(browser.go(page), 200);
            assert_eq!(browser.accessibility(), Vec::<String>::new(), "{locale} {page}");
            browser.width(360);
            assert!(browser.overflow() <= 0, "{locale} {page} is {} pixels too wide", browser.overflow());
            browser.width(1280);
        }
        if locale == "en-US" {
            browser.fill("Arguments, a JSON object", r#"{"param1":7}"#);
            browser.fill("What the device answers, command 1", r#"{"param1":20}"#);
            browser.fill("What the device answers, command 2", r#"{"param1":22}"#);
            browser.button("Try it");
            browser.wait("The caller would get code 200");
            assert_eq!(browser.accessibility(), Vec::<String>::new());
        }
        assert_eq!(browser.problems(), Vec::<String>::new(), "{locale}");
    }
}
