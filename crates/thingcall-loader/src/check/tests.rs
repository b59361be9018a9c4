//! Facts about `check.rs`.

use std::num::NonZeroU16;
use std::time::Duration;

use super::*;

fn told(section: &dyn Section) -> Vec<String> {
    section.problems().iter().map(ToString::to_string).collect()
}

fn problems(sections: &[(&str, PluginConfig)]) -> Vec<String> {
    let plugins = sections.iter().map(|(name, plugin)| ((*name).to_owned(), plugin.clone())).collect();
    told(&Sections(&plugins))
}

fn claiming(claims: &[&str]) -> PluginConfig {
    let claims = claims.iter().map(|claim| (*claim).to_owned()).collect();
    PluginConfig { claims: Some(claims), ..PluginConfig::default() }
}

#[test]
fn defaults_have_no_problem() {
    assert_eq!(problems(&[("test-fb", PluginConfig::default())]), Vec::<String>::new());
    assert_eq!(told(&Config::default()), Vec::<String>::new());
}

#[test]
fn each_problem_names_its_section_and_key() {
    let wrong = PluginConfig { threads: NonZeroU16::MAX, codecs: Some(vec!["a b".to_owned()]), ..claiming(&["a:"]) };
    let found = problems(&[("Test", wrong)]);
    assert_eq!(found[0], "Test is not the name of a plugin; right is the name of a plugin: 1 to 40 of a-z 0-9 -");
    assert_eq!(found[1], "Test.threads is 65535; right is 1 to 64");
    assert!(found[2].starts_with("Test.claims is \"a:\" (") && found[2].contains("module:service"), "{}", found[2]);
    assert!(found[3].starts_with("Test.codecs is \"a b\" (") && found[3].contains("product keys"), "{}", found[3]);
}

#[test]
fn sections_that_claim_the_same_are_told() {
    let found = problems(&[("a", claiming(&["x:*"])), ("b", claiming(&["x:*"]))]);
    assert_eq!(
        found,
        ["b.claims is \"x:*\", which a claims too; right is another claim, or an order, to stand in front of it"]
    );
    let off = PluginConfig { enabled: false, ..claiming(&["x:*"]) };
    assert!(problems(&[("a", claiming(&["x:*"])), ("b", off)]).is_empty());
}

#[test]
fn loader_section_is_checked() {
    let config =
        Config { sha256_allowed: vec!["abc".to_owned()], stall_warn: Duration::from_secs(3), ..Config::default() };
    assert_eq!(
        told(&config),
        [
            "sha256_allowed is \"abc\"; right is 64 hexadecimal digits each",
            "stall_open is 2s; right is stall_warn (3s) or more"
        ]
    );
}
