//! Facts about `check.rs`.

use std::time::Duration;

use super::*;

fn problems(sections: &[(&str, PluginConfig)]) -> Vec<String> {
    let plugins = sections.iter().map(|(name, plugin)| ((*name).to_owned(), plugin.clone())).collect();
    check_configs(&Config::default(), &plugins)
}

fn claiming(claims: &[&str]) -> PluginConfig {
    let claims = claims.iter().map(|claim| (*claim).to_owned()).collect();
    PluginConfig { claims: Some(claims), ..PluginConfig::default() }
}

#[test]
fn defaults_have_no_problem() {
    assert_eq!(problems(&[("test-fb", PluginConfig::default())]), Vec::<String>::new());
}

#[test]
fn each_problem_names_its_section_and_key() {
    let wrong = PluginConfig { threads: 0, calls_in_flight_max: 0, ..claiming(&["a:"]) };
    let found = problems(&[("Test", wrong)]);
    assert_eq!(found[0], "[plugins.Test] is not the name of a plugin: 1 to 40 of a-z 0-9 -");
    assert_eq!(found[1], "[plugins.Test] threads is 0, not 1 to 64");
    assert_eq!(found[2], "[plugins.Test] calls_in_flight_max is 0");
    assert!(found[3].starts_with("[plugins.Test]: claim \"a:\" is wrong: "), "{}", found[3]);
}

#[test]
fn sections_that_claim_the_same_are_told() {
    let found = problems(&[("a", claiming(&["x:*"])), ("b", claiming(&["x:*"]))]);
    assert_eq!(
        found,
        ["plugin a handles x:* already, so b cannot; set other claims, or an order to stand in front of it, in \
          [plugins.b]"]
    );
    let off = PluginConfig { enabled: false, ..claiming(&["x:*"]) };
    assert!(problems(&[("a", claiming(&["x:*"])), ("b", off)]).is_empty());
}

#[test]
fn loader_section_is_checked() {
    let config = Config {
        sha256_allowed: vec!["abc".to_owned()],
        stall_warn: Duration::from_secs(3),
        plugin_bytes_max: 0,
        ..Config::default()
    };
    assert_eq!(
        check_configs(&config, &PluginConfigs::new()),
        [
            r#"[loader] sha256_allowed: "abc" is not 64 hexadecimal digits"#,
            "[loader] stall_open is shorter than stall_warn",
            "[loader] plugin_bytes_max is 0",
        ]
    );
}
