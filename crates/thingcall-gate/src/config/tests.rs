//! Which configurations are refused, and with what words.

use super::*;

fn problems(text: &str) -> Vec<String> {
    toml::from_str::<Config>(text).unwrap().problems().iter().map(ToString::to_string).collect()
}

#[test]
fn nothing_configured_is_right_and_off() {
    let config: Config = toml::from_str("").unwrap();
    assert!(config.listen.is_none());
    assert!(config.problems().is_empty());
}

#[test]
fn a_whole_section_is_read() {
    let text = r#"
        listen = "10.0.0.1:8085"
        secret = "s3cret"
        users = [{ name = "thingcall", secret = "x", tags = ["monitoring"] }]
        client_id_hold = "2days"
        rabbitmq = { vhosts = ["iot"] }
        emqx = { client_id_override = true }
    "#;
    assert!(problems(text).is_empty(), "{:?}", problems(text));
    assert!(!format!("{:?}", toml::from_str::<Config>(text).unwrap()).contains("s3cret"));
}

#[test]
fn each_wrong_value_is_named() {
    for (text, key) in [
        ("listen = \"0.0.0.0:8085\"", "listen"),
        ("secret = \"a/b\"", "secret"),
        ("secret = \"\"", "secret"),
        ("users = [{ name = \"d&pk\", secret = \"x\" }]", "users[0].name"),
        ("users = [{ name = \"u\", secret = \"\" }]", "users[0].secret"),
        ("users = [{ name = \"u\", secret = \"x\", tags = [\"a b\"] }]", "users[0].tags"),
        ("client_id_hold = \"0s\"", "client_id_hold"),
        ("rabbitmq = { vhosts = [] }", "rabbitmq.vhosts"),
        ("rabbitmq = { replies_exchange = \"amq.topic\" }", "rabbitmq.replies_exchange"),
        ("rabbitmq = { commands_exchange = \"amq.topic\" }", "rabbitmq.commands_exchange"),
        ("rabbitmq = { replies_exchange = \"thingcall.commands\" }", "rabbitmq.replies_exchange"),
        ("rabbitmq = { commands_exchange = \"amq.default\" }", "rabbitmq.commands_exchange"),
        ("rabbitmq = { queue_prefix = \"\" }", "rabbitmq.queue_prefix"),
    ] {
        let problems = problems(text);
        assert!(problems.len() == 1 && problems[0].starts_with(key), "{text}: {problems:?}");
    }
    for wrong in ["body_bytes_max = 0", "client_ids_max = 0", "listenn = 1"] {
        assert!(toml::from_str::<Config>(wrong).is_err(), "{wrong}");
    }
}
