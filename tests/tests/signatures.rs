//! Why a signature matches or does not: of what official SDKs send, right and wrong, and of what the program signs itself.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;
use thingcall_tests::{App, Caller, Finished, Key, PRODUCT, Sdk, Site, Wiretap, invocation, program, run};

use crate::sites::embedded;

const SDKS: [Sdk; 6] = [Sdk::Tea, Sdk::TeaV1, Sdk::Legacy, Sdk::Ts, Sdk::PopGet, Sdk::PopPost];

/// The site's key by hand: the store of a site that tests share has others, too.
pub(crate) fn as_key(site: &Site) -> [&str; 4] {
    ["--key-id", &site.key.id, "--key-secret", &site.key.secret]
}

/// Explains a text, as the site's command does.
fn explain(site: &Site, text: &str, flags: &[&str]) -> Finished {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("pasted");
    std::fs::write(&file, text).expect("a file");
    let arguments = ["signature", "explain", file.to_str().expect("a plain name"), "--data"];
    let finished = run([&arguments[..], &[site.data().to_str().expect("a plain name")], flags].concat());
    assert!(!(finished.stdout.clone() + &finished.stderr).contains(&site.key.secret), "{finished:?}");
    finished
}

/// The same as JSON, with the exit status.
fn explained(site: &Site, text: &str) -> (Option<i32>, Value) {
    let finished = explain(site, text, &["--json"]);
    let explanation = serde_json::from_str(&finished.stdout).unwrap_or_else(|error| panic!("{error}: {finished:?}"));
    (finished.code, explanation)
}

/// What is wrong with a text, and how sure that is.
fn cause(site: &Site, text: &str) -> (String, String) {
    let (code, explanation) = explained(site, text);
    assert_eq!((code, &explanation["verdict"]), (Some(1), &json!("wrong")), "{explanation}");
    let member = |name: &str| explanation["findings"][0][name].as_str().expect("a text").to_owned();
    (member("id"), member("certainty"))
}

/// What an SDK sends for a call, with this key.
fn sent(site: &Site, sdk: Sdk, key: &Key) -> String {
    let tap = Wiretap::to(site.program.addresses.api);
    let label = json!({ "label": "a b*~+%/中 \"q\" 'x'" }).to_string();
    let params = json!({ "ProductKey": PRODUCT, "DeviceName": "nobody", "Identifier": "SetScene", "Args": label });
    App::get().begin(&Caller { endpoint: tap.address(), key, sdk }, "InvokeThingService", &params).answer();
    tap.latest()
}

#[test]
fn what_every_sdk_sends_is_explained_as_right() {
    let site = embedded();
    for sdk in SDKS {
        let text = sent(site, sdk, &site.key);
        let (code, explanation) = explained(site, &text);
        assert_eq!((code, &explanation["verdict"]), (Some(0), &json!("right")), "{sdk:?}: {explanation}\n{text}");
        assert_eq!(explanation["accessKeyId"], site.key.id, "{sdk:?}");
        let ids: Vec<_> = explanation["findings"].as_array().expect("findings").iter().map(|one| &one["id"]).collect();
        assert_eq!(ids, ["nonce"], "{sdk:?}: {explanation}");
        let shown = explain(site, &text, &[]);
        assert!(shown.code == Some(0) && shown.stdout.contains(": right"), "{sdk:?}: {shown:?}");
    }
}

#[test]
fn a_secret_that_an_sdk_was_given_wrong_is_named() {
    let site = embedded();
    for sdk in SDKS {
        for (id, secret) in
            [("secret_with_newline", format!("{}\n", site.key.secret)), ("secret_is_key_id", site.key.id.clone())]
        {
            let key = Key { secret, ..site.key.clone() };
            let found = cause(site, &sent(site, sdk, &key));
            assert_eq!(found, (id.to_owned(), "proved".to_owned()), "{sdk:?}");
        }
        let key = Key { secret: "quite another".to_owned(), ..site.key.clone() };
        assert_eq!(cause(site, &sent(site, sdk, &key)).0, "secret_or_text", "{sdk:?}");
    }
}

#[test]
fn what_was_changed_on_the_way_is_named() {
    let site = embedded();
    let of = |sdk| sent(site, sdk, &site.key);
    let proved = |text: &str| {
        let (id, certainty) = cause(site, text);
        assert_eq!(certainty, "proved", "{id}: {text}");
        id
    };
    assert_eq!(proved(&of(Sdk::PopGet).replacen("GET ", "POST ", 1)), "method");
    assert_eq!(proved(&of(Sdk::Tea).replacen("POST ", "GET ", 1)), "method");
    assert_eq!(proved(&of(Sdk::Legacy).replacen("/?", "/?Added=1&", 1)), "parameter_not_signed");
    assert_eq!(proved(&of(Sdk::Ts).replacen("/?", "/?Added=1&", 1)), "parameter_not_signed");
    let behind_proxy = of(Sdk::Tea);
    let host = behind_proxy.lines().find_map(|line| line.strip_prefix("host: ")).expect("a host").to_owned();
    let bare = host.split(':').next().expect("a name");
    let moved = behind_proxy.replace(&format!("host: {host}"), "host: internal:9000");
    let moved = moved.replacen("POST /?", &format!("POST http://{host}/?"), 1);
    assert_eq!(proved(&moved), "host");
    assert_eq!(cause(site, &behind_proxy.replace("x-acs-date", "x-date")).0, "header_missing");
    assert_eq!(cause(site, &of(Sdk::PopPost).replace("SignatureNonce=", "Nonce=")).0, "parameter_missing");
    assert_eq!(cause(site, &behind_proxy.replace(&site.key.id, "nobody")).0, "key_unknown");
    assert!(explained(site, &behind_proxy.replace("Accept-Encoding", "X-Other")).1["verdict"] == "right", "{bare}");
}

#[test]
fn the_errors_of_sdks_are_explained() {
    let site = embedded();
    let key = Key { secret: format!("{} ", site.key.secret), ..site.key.clone() };
    let device = site.device("signed-error");
    let params = invocation(&device, "SetScene", "{}");
    let error = |sdk: Sdk| {
        let answer = site.begin_as(&key, sdk, "InvokeThingService", &params).answer();
        let (code, message, _) = answer.raised();
        format!("{code}: {message}")
    };
    // This one tells its URL.
    assert_eq!(cause(site, &error(Sdk::PopGet)), ("secret_with_space".to_owned(), "proved".to_owned()));
    // This one compared both strings itself.
    let (_, legacy) = explained(site, &error(Sdk::Legacy));
    let ids = legacy["findings"].to_string();
    assert!(ids.contains("InvalidAccessKeySecret") || legacy["steps"][0]["name"] == "string to sign", "{legacy}");
    for sdk in [Sdk::Tea, Sdk::TeaV1, Sdk::Ts] {
        let (code, explanation) = explained(site, &error(sdk));
        assert_eq!((code, &explanation["verdict"]), (Some(1), &json!("unknown")), "{sdk:?}: {explanation}");
        assert_eq!(explanation["steps"][0]["name"], "string to sign", "{sdk:?}: {explanation}");
    }
}

#[test]
fn what_is_signed_step_by_step_is_sent_and_taken() {
    let site = embedded();
    let device = site.device("signed-steps");
    let of = [format!("ProductKey={}", device.product), format!("DeviceName={}", device.name)];
    for style in ["v1", "acs3"] {
        for method in ["GET", "POST"] {
            let made = ["signature", "steps", "GetDeviceStatus", &of[0], &of[1], "--style", style, "--method", method];
            let made = site.command_json(&[&made[..], &as_key(site)].concat());
            let command = made["curl"].as_str().expect("a command");
            assert!(!made.to_string().contains(&site.key.secret), "{made}");
            assert_eq!(explained(site, command).0, Some(0), "{command}");
            let output = Command::new("sh").args(["-c", command]).output().expect("a shell");
            let answer = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(answer.contains("\"Success\":true"), "{style} {method}: {answer} {output:?}");
        }
    }
    let shown = ["signature", "steps", "GetDeviceStatus", &of[0], &of[1]];
    let shown = site.command(&[&shown[..], &as_key(site)].concat());
    for name in ["canonical request", "hash of the canonical request", "string to sign", "signature", "authorization"] {
        assert!(shown.contains(&format!("\n{name}\n")), "{name}: {shown}");
    }
}

#[test]
fn the_first_difference_is_shown_in_place() {
    let site = embedded();
    let command = ["signature", "steps", "GetDeviceStatus", "IotId=a b", "--style", "v1", "--method", "GET", "--json"];
    let made: Value = serde_json::from_str(&site.command(&[&command[..], &as_key(site)].concat())).expect("JSON");
    let step = made["steps"].as_array().expect("steps").iter().find(|step| step["name"] == "string to sign");
    let string = step.and_then(|step| step["text"].as_str()).expect("a string").replace("%2520", "%2B");
    let wrong = made["url"].as_str().expect("a URL").replace("Signature=", "Signature=0");
    let finished = explain(site, &format!("curl '{wrong}'\n\n{string}\n"), &[]);
    assert_eq!(finished.code, Some(1), "{finished:?}");
    let lines: Vec<_> = finished.stdout.lines().collect();
    let at = lines.iter().position(|line| line.starts_with("    signed  ")).expect("what was signed");
    let caret = lines[at + 2].find('^').expect("a caret");
    assert_eq!((&lines[at][caret..caret + 2], &lines[at + 1][caret..caret + 4]), ("Bb", "520b"), "{finished:?}");
    assert!(finished.stdout.contains("encoded as +"), "{finished:?}");
}

#[test]
fn it_reads_standard_input_and_a_secret_by_hand() {
    let site = embedded();
    let text = sent(site, Sdk::Legacy, &site.key);
    let explain = |secret: &str, text: &str| {
        let mut command = Command::new(program());
        command
            .args(["signature", "explain"])
            .env("THINGCALL_KEY_SECRET", secret)
            .env("THINGCALL_DATA", "/nonexistent");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        child.stdin.take().expect("its input").write_all(text.as_bytes()).expect("it reads");
        let output = child.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(!said.contains(secret), "{said}");
        (output.status.code(), said)
    };
    assert_eq!(explain(&site.key.secret, &text).0, Some(0));
    assert_eq!(explain("by-hand-and-wrong", &text).0, Some(1));
    let (code, said) = explain("by-hand-and-wrong", "hello");
    assert!(code == Some(2) && said.contains("curl command"), "{said}");
    let (code, said) = explain("by-hand-and-wrong", &"x".repeat(70_000));
    assert!(code == Some(2) && said.contains("65536"), "{said}");
}
