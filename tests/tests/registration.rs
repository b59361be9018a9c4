//! Dynamic registration: devices that prove their product's secret and are told their own, by the device SDK and over HTTP.

use serde_json::{Value, json};
use thingcall_tests::{Credential, DeviceSecrets, MqttDevice, Newcomer, PRODUCT, Site, eventually};

use crate::sites::embedded;

/// A product whose devices come so, and its secret; the running server knows it.
fn product(site: &Site, key: &str, who: &str) -> String {
    site.import(key, &[]);
    let told = site.command_json(&["product", "registration", key, who]);
    assert_eq!(told["registration"], who, "{told}");
    let shown = site.command_json(&["product", "show", key]);
    assert_eq!(shown["settings"]["registration"], who, "{shown}");
    assert!(!shown.to_string().contains("ecret"), "{shown}");
    let secret = told["productSecret"].as_str().expect("a secret").to_owned();
    eventually("the server knows how its devices come", || {
        let answer = Newcomer::asks(site.program.addresses.api, (key, "nobody"), "0123456789abcdef");
        let text = answer["message"].as_str().expect("a text").to_owned();
        text.contains("wrong signature").then_some(())
    });
    secret
}

#[test]
fn a_products_secret_stays_while_its_devices_do_not_come() {
    let site = embedded();
    let secret = product(site, "comesInBatches", "registered");
    let told = |arguments: &[&str]| {
        let told = site.command_json(&[&["product", "registration", "comesInBatches"], arguments].concat());
        (told["registration"].as_str().expect("a word").to_owned(), told["productSecret"].as_str().map(str::to_owned))
    };
    assert_eq!(told(&["off"]), ("off".to_owned(), Some(secret.clone())));
    let ask = || Newcomer::asks(site.program.addresses.api, ("comesInBatches", "stranger"), &secret);
    eventually("devices do not come", || {
        ask()["message"].as_str().expect("a text").contains("no dynamic registration").then_some(())
    });
    assert_eq!(told(&["any"]), ("any".to_owned(), Some(secret.clone())));
    eventually("firmware with the first secret comes", || (ask()["code"] == 200).then_some(()));
    let other = told(&["any", "--new-secret"]).1;
    assert!(other.is_some() && other != Some(secret), "{other:?}");
    site.import("comesNever", &[]);
    let never = site.command_json(&["product", "registration", "comesNever", "off"]);
    assert!(never["registration"] == "off" && never["productSecret"].is_null(), "{never}");
}

/// Devices that came and of which this became.
fn became(site: &Site, result: &str) -> f64 {
    site.program.metrics().sum("thingcall_registrations_total", &[&format!("result=\"{result}\"")])
}

#[test]
fn registered_device_is_told_its_secret_until_it_has_logged_in() {
    let site = embedded();
    let secret = product(site, "comesRegistered", "registered");
    let device = site.device_of("comesRegistered", "newcomer");
    let named = ("comesRegistered", "newcomer");

    let told = Newcomer::comes(site.broker(), named, &secret, "register").told();
    let over_http = Newcomer::asks(site.program.addresses.api, named, &secret);

    assert_eq!(told["deviceSecret"], device.secret);
    assert_eq!(over_http["data"]["deviceSecret"], device.secret, "{over_http}");
    assert_eq!((&over_http["code"], &over_http["message"]), (&json!(200), &json!("success")));
    let _connected = site.connect(&device, false);
    eventually("the store knows that it has logged in", || {
        let answer = Newcomer::asks(site.program.addresses.api, named, &secret);
        (answer["code"] == 403).then(|| refused(&answer, "has logged in before"))
    });
    let before = became(site, "activated");
    let _comes_again = Newcomer::comes(site.broker(), named, &secret, "register");
    eventually("it is refused at the broker, too", || (became(site, "activated") > before).then_some(()));
}

#[test]
fn who_is_not_registered_or_does_not_prove_it_is_told_nothing() {
    let site = embedded();
    let secret = product(site, "comesKnown", "registered");
    let ask =
        |product: &str, name: &str, secret: &str| Newcomer::asks(site.program.addresses.api, (product, name), secret);

    refused(&ask("comesKnown", "stranger", &secret), "is not registered");
    refused(&ask("comesKnown", "stranger", "0123456789abcdef"), "wrong signature");
    refused(&ask(PRODUCT, "stranger", &secret), "no dynamic registration");
    refused(&ask("comesNowhere", "stranger", &secret), "does not exist");
    assert_eq!(ask("comes", "no/name", &secret)["code"], 460);
    site.command(&["product", "registration", "comesKnown", "off"]);
    eventually("the server knows that devices do not come any more", || {
        let answer = ask("comesKnown", "stranger", &secret);
        answer["message"].as_str().expect("a text").contains("no dynamic registration").then_some(())
    });
}

#[test]
fn any_device_registers_itself_and_connects_with_its_token() {
    let site = embedded();
    let secret = product(site, "comesAnyhow", "any");

    let newcomer = Newcomer::comes(site.broker(), ("comesAnyhow", "stranger"), &secret, "regnwl");
    newcomer.told();
    newcomer.connected();

    let called = json!({
        "ProductKey": "comesAnyhow", "DeviceName": "stranger", "Identifier": "testFb:testService", "Args": r#"{"param1":3}"#,
    });
    let answer = site.ask("InvokeThingService", &called).ok();
    assert_eq!(answer.result()["data"], json!({ "param1": 3 }));
}

/// The login was not written yet when the server was killed, and whoever had the product's secret was told the device's again.
#[test]
fn a_kill_right_after_the_first_login_opens_nothing_again() {
    let mut site = Site::embedded(&[]);
    let secret = product(&site, "comesOnce", "any");
    let told = Newcomer::asks(site.program.addresses.api, ("comesOnce", "newcomer"), &secret);
    let text = |name: &str| told["data"][name].as_str().unwrap_or_else(|| panic!("{told}")).to_owned();
    let (product, name, secret_of_it) = (text("productKey"), text("deviceName"), text("deviceSecret"));
    let device = DeviceSecrets { product, name, secret: secret_of_it, iot_id: String::new() };
    let connected = MqttDevice::connect(site.broker(), &Credential::of(&device, Some(1)));
    site.program.kill();
    drop(connected);
    site.start_again();
    let again = Newcomer::asks(site.program.addresses.api, ("comesOnce", "newcomer"), &secret);
    refused(&again, "has logged in before");
}

#[track_caller]
fn refused(answer: &Value, said: &str) {
    let text = answer["message"].as_str().expect("a text");
    assert!(answer["code"] == 403 && answer["data"].is_null() && text.contains(said), "{said}: {answer}");
}
