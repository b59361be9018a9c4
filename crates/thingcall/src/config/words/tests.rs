//! Lists and names of webhooks: what is said of wrong ones, and how the environment has them.

use crate::config::Config;
use crate::config::load::read_for_test;
use crate::config::sources::{Found, Problems};

fn read(text: &str, variables: &[(&str, &str)]) -> Result<Config, Problems> {
    read_for_test(text, variables, Vec::new()).right()
}

/// A single problem: its place, its key, and its sentence without the place.
fn only(text: &str) -> (String, String, String) {
    let found = read(text, &[]).map(|_| ()).expect_err("the text is wrong").0;
    let [Found { place, problem }] = &found[..] else { panic!("{found:?}") };
    (place.to_string(), problem.key.clone(), problem.to_string())
}

const WEBHOOK: &str = "[webhooks.a]\nurl = \"http://h/\"\nsecret = \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"\n";

#[test]
fn a_wrong_word_in_a_list_is_shown_with_the_words_there_are() {
    use strum::VariantArray as _;
    let (place, _, told) = only(&format!("{WEBHOOK}kinds = [\"status\", \"results\"]\n"));
    let kinds: Vec<_> = thingcall_core::MessageKind::VARIANTS.iter().map(|kind| kind.as_str()).collect();
    assert_eq!(told, format!("webhooks.a.kinds[1] is \"results\"; right is one of {}", kinds.join(", ")));
    assert_eq!(place, "t.toml:4");
}

#[test]
fn a_webhook_that_cannot_be_called_so_is_named() {
    let (place, key, told) = only(&WEBHOOK.replace(".a]", ".Orders]"));
    assert_eq!((&*place, &*key), ("t.toml:1", "webhooks.Orders"));
    assert!(told.ends_with("right is the name of a webhook: 1 to 32 of a-z 0-9 - _"), "{told}");
}

#[test]
fn a_variable_may_hold_a_list() {
    let read = |kinds| read(WEBHOOK, &[("THINGCALL__WEBHOOKS__A__KINDS", kinds)]);
    let config = read("[\"result\", 'status']").expect("a list");
    let kinds: Vec<_> = config.webhooks.values().flat_map(|target| target.kinds.clone()).collect();
    assert_eq!(kinds, [thingcall_core::MessageKind::Result, thingcall_core::MessageKind::Status]);
    for (wrong, told) in
        [("result", "right is a list in brackets"), ("[\"results\"]", "is \"results\"; right is one of")]
    {
        let problems = read(wrong).map(|_| ()).expect_err("it is none");
        assert!(problems.0.len() == 1 && problems.to_string().contains(told), "{problems}");
    }
    // A secret of brackets stays a text.
    let with_secret = read_for_test("", &[("THINGCALL__MQTT__PASSWORD", "[1]")], Vec::new());
    let mqtt = with_secret.config.and_then(|config| config.mqtt).expect("the section is there");
    assert_eq!(mqtt.password.expect("a password").expose(), "[1]");
}
