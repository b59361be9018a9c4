//! The console in a real browser: what people see and do, with the keyboard, in the dark, on a phone, in two languages; nothing wrong
//! on the browser's own list, and nothing serious for those who use a screen reader.

use serde_json::json;
use thingcall_tests::{Browser, DeviceSecrets, PRODUCT, Site};

const SERVICE: &str = "testFb:testService";
/// As wide as a phone.
const PHONE: u32 = 360;

fn site() -> Site {
    Site::embedded(&[("RECORDS__KEEP", "all"), ("ENGINE__REPLY_TIMEOUT", "1s")])
}

fn browser(site: &Site, locale: &str) -> Browser {
    Browser::logged_in(site.console(), locale, (&site.key.id, &site.key.secret))
}

/// Pages with something on each, and the id of a call that failed.
fn lived_in() -> (Site, String) {
    let site = site();
    let (device, connected) = site.linkkit("seen");
    connected.answers(200, &json!({ "param1": 7 }));
    site.invoke(&device, SERVICE, r#"{"param1":1}"#).ok();
    let away = site.device("away");
    let failed = site.invoke(&away, SERVICE, r#"{"param1":1}"#).text_at("RequestId").to_owned();
    (site, failed)
}

#[test]
fn every_page_is_sound_in_both_languages_in_the_dark_and_on_a_phone() {
    let (site, failed) = lived_in();
    let pages = [
        "/".to_owned(),
        "/products".to_owned(),
        format!("/products/{PRODUCT}"),
        format!("/products/{PRODUCT}/model?module=testFb"),
        format!("/products/{PRODUCT}/versions"),
        "/devices".to_owned(),
        format!("/devices?product={PRODUCT}"),
        format!("/devices/{PRODUCT}/seen"),
        "/calls".to_owned(),
        format!("/calls/{failed}"),
        "/plugins".to_owned(),
        "/signature".to_owned(),
        "/explorer".to_owned(),
        format!("/explorer/InvokeThingService?product={PRODUCT}&device=seen&service=testFb%3AtestService"),
        "/results".to_owned(),
        "/results/tail".to_owned(),
        "/keys".to_owned(),
        "/settings".to_owned(),
        "/audit".to_owned(),
    ];
    for locale in ["en-US", "zh-CN"] {
        let browser = browser(&site, locale);
        for page in &pages {
            assert_eq!(browser.go(page), 200, "{locale} {page}");
            assert_eq!(browser.accessibility(), Vec::<String>::new(), "{locale} {page}");
            browser.width(PHONE);
            assert!(browser.overflow() <= 0, "{locale} {page} is {} pixels too wide", browser.overflow());
            browser.width(1280);
        }
        browser.in_the_dark();
        for page in &pages {
            browser.go(page);
            assert_eq!(browser.accessibility(), Vec::<String>::new(), "{locale} {page} in the dark");
        }
        assert_eq!(browser.problems(), Vec::<String>::new(), "{locale}");
    }
}

#[test]
fn a_failed_call_is_found_by_clicks_and_its_reason_read() {
    let (site, failed) = lived_in();
    let browser = browser(&site, "en-US");
    browser.go("/");
    browser.link("Calls");
    browser.choose("Outcome", "offline");
    browser.button("Show");
    browser.wait("away");
    let shown = browser.shown();
    assert!(!shown.text.contains(&format!("{PRODUCT}/seen")), "{shown:?}");
    browser.go(&format!("/calls?id={failed}"));
    browser.wait("What to check");
    let shown = browser.shown();
    assert!(shown.text.contains("is offline; the call was not sent"), "{shown:?}");
    assert_eq!(browser.problems(), Vec::<String>::new());
}

#[test]
fn the_keyboard_is_enough() {
    let site = site();
    let browser = Browser::open(site.console(), "en-US");
    browser.go("/login");
    browser.fill("AccessKey ID", &site.key.id);
    browser.press("Tab");
    assert_eq!(browser.focused(), "secret");
    browser.fill("AccessKey Secret", &site.key.secret);
    browser.press("Enter");
    browser.wait("All is well.");
    browser.press("Tab");
    assert_eq!(browser.focused(), "Skip to the content");
    browser.press("Tab");
    browser.press("Tab");
    browser.press("Tab");
    browser.press("Enter");
    browser.wait("Products");
    assert!(
        browser.shown().url.starts_with("/products") || browser.shown().url.starts_with("/explorer"),
        "{:?}",
        browser.shown()
    );
    assert_eq!(browser.problems(), Vec::<String>::new());
}

#[test]
fn a_policy_that_lets_nothing_in_is_kept_by_the_browser() {
    let site = site();
    let browser = browser(&site, "en-US");
    assert_eq!(browser.problems(), Vec::<String>::new());
    // The browser tells what a page of this console would load from elsewhere.
    let blocked = browser.tries_to_load("https://evil.example/x.js");
    assert!(blocked.iter().any(|problem| problem.contains("Content Security Policy")), "{blocked:?}");
}

#[test]
fn a_signature_is_explained_by_pasting_it() {
    let site = site();
    let browser = browser(&site, "en-US");
    browser.go("/signature");
    browser.fill("The action", "GetDeviceStatus");
    browser.fill("Its parameters, each as NAME=VALUE on a line", "IotId=a b");
    browser.choose("Which signature", "v1");
    browser.button("Show each step");
    browser.wait("The command that sends it");
    assert_eq!(browser.accessibility(), Vec::<String>::new());
    let shown = browser.shown();
    let (_, command) = shown.text.split_once("curl -sS").unwrap_or_else(|| panic!("no command: {shown:?}"));
    let command = command.split("\n\n").next().unwrap_or_default().replace("IotId=a%20b", "IotId=a%20c");
    browser.fill("What you have", &format!("curl -sS{command}"));
    browser.button("Explain it");
    browser.wait("The request is refused");
    assert_eq!(browser.accessibility(), Vec::<String>::new());
    browser.width(PHONE);
    assert!(browser.overflow() <= 0, "{} pixels too wide", browser.overflow());
    assert_eq!(browser.problems(), Vec::<String>::new());
}

#[test]
fn from_a_first_visit_to_a_first_successful_call_it_is_a_dozen_clicks() {
    let site = site();
    let browser = Browser::open(site.console(), "en-US");
    browser.go("/");
    browser.fill("AccessKey ID", &site.key.id);
    browser.fill("AccessKey Secret", &site.key.secret);
    browser.button("Log in");
    browser.link("Devices");
    browser.link(PRODUCT);
    browser.fill("Name (one is made up if left out)", "first-visit");
    browser.button("Register");
    browser.wait("Call a service");
    let known = json!({ "ProductKey": PRODUCT, "DeviceName": "first-visit" });
    let known = site.ask("QueryDeviceDetail", &known).ok();
    let secrets = DeviceSecrets {
        product: PRODUCT.to_owned(),
        name: "first-visit".to_owned(),
        secret: known.text_at("Data.DeviceSecret").to_owned(),
        iot_id: known.text_at("Data.IotId").to_owned(),
    };
    let device = site.connect(&secrets, false);
    device.answers(200, &json!({ "param1": 7 }));
    browser.link("Call a service");
    browser.choose("Service", SERVICE);
    browser.button("Make the form");
    browser.fill("param1 Param 1", "5");
    browser.button("Send");
    browser.wait("\"Success\": true");
    assert_eq!(device.called()["params"], json!({ "param1": 5 }));
    assert_eq!(browser.accessibility(), Vec::<String>::new());
    assert_eq!(browser.problems(), Vec::<String>::new());
}
