//! The console's page of signatures: why one does not match, and how one is made.

use std::process::Command;

use thingcall_tests::{Site, Visitor};

use crate::signatures::as_key;
use crate::sites::embedded;

/// A request of the site's key that encodes a space as a plus, with the string that it signed in place of another signature.
fn wrong_request(site: &Site) -> String {
    let made = ["signature", "steps", "GetDeviceStatus", "IotId=a b", "--style", "v1", "--method", "GET"];
    let made = site.command_json(&[&made[..], &as_key(site)].concat());
    let step = made["steps"].as_array().expect("steps").iter().find(|step| step["name"] == "string to sign");
    let string = step.and_then(|step| step["text"].as_str()).expect("a string").replace("%2520", "%2B");
    let url = made["url"].as_str().expect("a URL").replace("Signature=", "Signature=0");
    format!("curl '{url}'\n\n{string}\n")
}

fn post(visitor: &mut Visitor, path: &str, fields: &[(&str, &str)]) -> (u16, String) {
    let answer = visitor.form("/signature", path, fields);
    (answer.status, answer.body)
}

#[test]
fn a_pasted_request_is_explained_with_its_difference_marked() {
    let site = embedded();
    let mut visitor = Visitor::logged_in(site.console(), &site.key.id, &site.key.secret);
    let (status, page) = post(&mut visitor, "/signature", &[("pasted", &wrong_request(site))]);
    assert_eq!(status, 200, "{page}");
    assert!(page.contains("The request is refused") && page.contains("space_as_plus"), "{page}");
    assert!(page.contains("<mark>Bb") && page.contains("<mark>520b"), "{page}");
    assert!(!page.contains(&site.key.secret) && page.len() < 100_000, "{page}");
    visitor.form("/signature", "/language", &[("to", "zh-CN"), ("back", "/signature")]);
    let (_, page) = post(&mut visitor, "/signature", &[("pasted", &wrong_request(site))]);
    assert!(page.contains("请求会被拒绝") && page.contains("空格被编码成了 +"), "{page}");
}

#[test]
fn what_cannot_be_read_says_what_can() {
    let site = embedded();
    let mut visitor = Visitor::logged_in(site.console(), &site.key.id, &site.key.secret);
    let (status, page) = post(&mut visitor, "/signature", &[("pasted", "hello <b>")]);
    assert!(status == 422 && page.contains("Paste a curl command") && page.contains("hello &lt;b&gt;"), "{page}");
    let (status, page) = post(&mut visitor, "/signature", &[("pasted", &"x".repeat(70_000))]);
    assert!(status == 422 && page.contains("65536") && page.len() < 100_000, "{status} {}", page.len());
    let long = format!("curl 'http://h/?AccessKeyId=x&Signature=y&Args={}'", "%22".repeat(20_000));
    let (status, page) = post(&mut visitor, "/signature", &[("pasted", &long)]);
    assert!(status == 200 && page.len() < 100_000, "{status} {}", page.len());
}

#[test]
fn a_key_that_may_not_look_is_told_of_its_own_requests_alone() {
    let site = embedded();
    site.command(&["key", "add", "--id", "own-requests", "--secret", "own-secret", "--allow", "actions=Query*"]);
    let mut visitor = Visitor::logged_in(site.console(), "own-requests", "own-secret");
    let page = visitor.page("/signature").body;
    assert!(page.contains("ask about its own requests alone"), "{page}");
    let (_, page) = post(&mut visitor, "/signature", &[("pasted", &wrong_request(site))]);
    assert!(page.contains("key_unknown") && !page.contains("space_as_plus"), "{page}");
    let (_, page) = post(&mut visitor, "/signature/steps", &[("action", "QueryProductList"), ("params", "")]);
    let command = command(&page);
    assert!(command.contains("Credential=own-requests") && !page.contains("own-secret"), "{page}");
    let (_, page) = post(&mut visitor, "/signature", &[("pasted", &command)]);
    assert!(page.contains("The signature is right"), "{page}");
}

/// The command that a page shows last.
fn command(page: &str) -> String {
    let (_, rest) = page.split_once("<code>curl ").unwrap_or_else(|| panic!("no command: {page}"));
    let command = rest.split("</code>").next().unwrap_or_default();
    format!("curl {}", command.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
}

#[test]
fn a_request_is_signed_step_by_step_and_taken() {
    let site = embedded();
    let device = site.device("console-signed");
    let mut visitor = Visitor::logged_in(site.console(), &site.key.id, &site.key.secret);
    let params = format!("ProductKey={}\r\nDeviceName={}\r\n", device.product, device.name);
    for (style, step) in [("acs3", "hash of the canonical request"), ("v1", "canonical query")] {
        for method in ["GET", "POST"] {
            let fields = [("action", "GetDeviceStatus"), ("params", &*params), ("style", style), ("method", method)];
            let (status, page) = post(&mut visitor, "/signature/steps", &fields);
            assert!(status == 200 && page.contains(step) && !page.contains(&site.key.secret), "{page}");
            let command = command(&page);
            let output = Command::new("sh").args(["-c", &command]).output().expect("a shell");
            let answer = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(answer.contains("\"Success\":true"), "{command}: {answer}");
        }
    }
    let page = visitor.page("/signature?action=Pub&params=A%3Db").body;
    assert!(page.contains("value=\"Pub\"") && page.contains(">A=b</textarea>"), "{page}");
}
