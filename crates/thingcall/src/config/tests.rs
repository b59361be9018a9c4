//! Which configurations are taken, and what is said of the others.

use thingcall_loader::PluginConfig;

use super::Config;
use super::load::{Problem, read_for_test as read};

fn problems(text: &str, variables: &[(&str, &str)]) -> Vec<Problem> {
    read(text, variables).map(|_| ()).expect_err("the text is wrong").0
}

#[test]
fn nothing_at_all_is_a_configuration() {
    let config = read("", &[]).expect("defaults");
    assert_eq!(config.metrics.listen.to_string(), "127.0.0.1:9464");
}

#[test]
fn a_variable_wins_over_the_file() {
    let config = read("[log]\nlevel = \"warn\"", &[("THINGCALL__LOG__LEVEL", "debug")]).expect("valid");
    assert_eq!(config.log.level, "debug");
}

#[test]
fn a_typo_names_the_key_its_line_and_what_is_allowed() {
    let found = problems("\n[log]\nlevle = \"warn\"\n", &[]);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].place.as_str(), found[0].key.as_str()), ("t.toml:3", "log.levle"));
    assert!(found[0].what.contains("level") && found[0].what.contains("format"), "{}", found[0].what);
}

#[test]
fn a_typo_in_a_variable_names_the_variable() {
    let found = problems("", &[("THINGCALL__LOG__LEVLE", "warn")]);
    assert_eq!(found[0].place, "environment variable THINGCALL__LOG__LEVLE");
    assert!(found[0].what.contains("level"), "{}", found[0].what);
}

#[test]
fn every_problem_is_found_in_one_go() {
    let found = problems("[metrics]\nlisten = 7\n[log]\nlevle = 1\n[shutdown]\ndrain = \"soon\"\n[nowhere]\n", &[]);
    let keys: Vec<_> = found.iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(keys, ["metrics.listen", "log.levle", "shutdown.drain", "nowhere"]);
}

#[test]
fn broken_toml_names_the_line() {
    let found = problems("[log]\nlevel = \n", &[]);
    assert!(found[0].place == "t.toml" && found[0].what.contains("line 2"), "{found:?}");
}

/// The sample file; `#key = value` and `#[section]` are keys without a default, `# words` are words.
const SAMPLE: &str = include_str!("../../../../deploy/thingcall.example.toml");

/// The sample with every such key set. Certificates go with `mqtts://` only, so that is what its `url` says then; and its
/// broker is another than the embedded one.
fn everything() -> String {
    let is_key = |line: &str| line.starts_with('#') && !line.starts_with("# ") && line.len() > 1;
    let lines = SAMPLE.lines().map(|line| if is_key(line) { line.trim_start_matches('#') } else { line });
    lines
        .collect::<Vec<_>>()
        .join("\n")
        .replace("= \"mqtt://127.0.0.1:1883", "= \"mqtts://127.0.0.1:8884")
        .replace("= \"amqp://", "= \"amqps://")
}

#[test]
fn the_sample_shows_the_defaults() {
    let sample = read(SAMPLE, &[]).expect("the sample is right");
    assert_eq!(format!("{sample:#?}"), format!("{:#?}", Config::default()));
}

#[test]
fn the_samples_keys_without_defaults_are_right_too() {
    let all = read(&everything(), &[]).expect("the sample with every key is right");
    let mqtt = all.mqtt.expect("the section is there");
    let (tls, url) = (mqtt.tls.clone(), "mqtts://127.0.0.1:8884".to_owned());
    let shown = thingcall_mqtt::Config { tls, url, ..thingcall_mqtt::Config::default() };
    let shown = thingcall_mqtt::Config { client_id: mqtt.client_id.clone(), username: mqtt.username.clone(), ..shown };
    assert_eq!(
        format!("{mqtt:?}"),
        format!("{:?}", thingcall_mqtt::Config { password: mqtt.password.clone(), ..shown })
    );
    let amqp = all.amqp.expect("the section is there");
    let shown = thingcall_amqp::Config {
        tls: amqp.tls.clone(),
        url: "amqps://127.0.0.1:5672".to_owned(),
        instance: amqp.instance.clone(),
        results_exchange: amqp.results_exchange.clone(),
        ..thingcall_amqp::Config::default()
    };
    assert_eq!(format!("{amqp:?}"), format!("{shown:?}"));
    let plugin = all.plugins["test-fb"].clone();
    let shown = PluginConfig { order: plugin.order, claims: plugin.claims.clone(), ..PluginConfig::default() };
    assert_eq!(plugin, PluginConfig { codecs: plugin.codecs.clone(), ..shown });
}

#[test]
fn the_sample_shows_every_key() {
    for section in [
        "",
        "api",
        "engine",
        "broker",
        "broker.tls",
        "broker.websocket",
        "mqtt",
        "mqtt.tls",
        "amqp",
        "amqp.tls",
        "gate",
        "gate.rabbitmq",
        "gate.emqx",
        "gate.mosquitto",
        "store",
        "loader",
        "plugins.test-fb",
        "metrics",
        "log",
        "shutdown",
    ] {
        let head = if section.is_empty() { String::new() } else { format!("[{section}]\n") };
        let found = problems(&format!("{head}nonsense = 1\n"), &[]);
        let allowed = found.iter().find_map(|problem| problem.what.split_once("expected ")).expect("allowed keys").1;
        for key in allowed.trim_start_matches("one of ").split([',', ' ']).filter(|key| !key.is_empty() && *key != "or")
        {
            let shown = everything().lines().any(|line| {
                line.starts_with(&format!("{key} ="))
                    || line == format!("[{key}]")
                    || line.starts_with(&format!("[{key}."))
                    || line == format!("[[{section}.{key}]]")
                    || line == format!("[{section}.{key}]")
            });
            assert!(shown, "{key} of [{section}] is not in the sample");
        }
    }
}

#[test]
fn a_value_that_makes_no_sense_names_its_line() {
    let found = problems("[engine]\n\ninstance_slot = 64\n", &[]);
    assert_eq!(found[0].place, "t.toml:3");
    assert!(found[0].what.contains("0 to 63"), "{}", found[0].what);
}

#[test]
fn what_is_missing_is_found_beside_what_is_wrong() {
    let found = problems("[broker.tls]\nlisten = \"127.0.0.1:1\"\n[mqtt]\nurl = \"ftp://x\"\n", &[]);
    let places: Vec<_> = found.iter().map(|problem| (problem.place.as_str(), problem.key.as_str())).collect();
    assert_eq!(places, [("t.toml:1", "broker.tls.cert_file"), ("t.toml:4", "mqtt")]);
}

#[test]
fn a_wrong_word_says_the_right_ones() {
    for (text, right) in [
        ("[api]\nresult = \"x\"", "envelope or data"),
        ("[mqtt]\nsync_topic = \"x\"", "ext, rrpc or service"),
        ("[mqtt]\nversion = \"4\"", "\"3.1.1\" or \"5\""),
        ("[log]\nformat = \"x\"", "auto, text or json"),
        ("[api]\nlisten = \"x\"", "127.0.0.1:8080"),
        ("[shutdown]\ndrain = \"x\"", "250ms"),
        ("[plugins.x]\nexecution = \"x\"", "pool or inline"),
        ("[plugins.x]\nfallback = \"x\"", "fail or built_in"),
    ] {
        let found = problems(text, &[]);
        assert!(found.iter().any(|one| one.place == "t.toml:2" && one.what.contains(right)), "{found:?}");
    }
}

#[test]
fn a_secret_of_digits_stays_as_it_is() {
    let config = read("[broker]\nenabled = false\n[mqtt]\nusername = \"u\"", &[("THINGCALL__MQTT__PASSWORD", "007")])
        .expect("right");
    let password = config.mqtt.and_then(|mqtt| mqtt.password).expect("there");
    assert_eq!(password.expose(), "007");
}

#[test]
fn a_typo_in_a_plugins_section_names_the_plugin_and_what_is_allowed() {
    let found = problems("[plugins.test-fb]\n\nthreds = 3\n", &[]);
    assert_eq!((found[0].place.as_str(), found[0].key.as_str()), ("t.toml:3", "plugins.test-fb.threds"));
    assert!(found[0].what.contains("threads") && found[0].what.contains("execution"), "{}", found[0].what);
}

#[test]
fn a_plugins_own_configuration_is_free_and_keeps_its_form() {
    let text = "[plugins.meter.config]\nmaxValue = 1.5\nName = \"007\"\n[[plugins.meter.config.list]]\nA-b = true\n";
    let config = read(text, &[]).expect("right");
    let own = serde_json::Value::Object(config.plugins["meter"].config.clone());
    assert_eq!(own, serde_json::json!({ "maxValue": 1.5, "Name": "007", "list": [{ "A-b": true }] }));
}

#[test]
fn a_value_that_makes_no_sense_for_a_plugin_names_its_line_and_section() {
    let text = "[loader]\nstall_open = \"1ms\"\n[plugins.meter]\nenabled = true\nthreads = 0\n[plugins.b]\nclaims = [\"a/b/c\"]\n";
    let found = problems(text, &[]);
    let places: Vec<_> = found.iter().map(|problem| (problem.place.as_str(), problem.key.as_str())).collect();
    assert_eq!(places, [("t.toml:2", "loader"), ("t.toml:5", "plugins.meter"), ("t.toml:6", "plugins.b")], "{found:?}");
}

#[test]
fn two_transports_of_one_name_are_refused() {
    let text = "[broker]\nenabled = false\n[mqtt_brokers.embedded]\n[mqtt_brokers.b]\n[amqp_brokers.b]\n";
    let found = problems(text, &[]);
    let sections: Vec<_> = found.iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(sections, ["mqtt_brokers", "amqp_brokers"], "{found:?}");
    let found = problems("[amqp]\nresults_exchange = \"r\"\n[amqp_brokers.b]\nresults_exchange = \"r\"\n", &[]);
    assert!(found[0].what.contains("two brokers"), "{found:?}");
}

#[test]
fn a_default_transport_that_is_not_there_names_its_line() {
    let found = problems("[engine]\n\ndefault_transport = \"amqp\"\n", &[]);
    assert_eq!(found[0].place, "t.toml:3", "{found:?}");
    assert!(read("[engine]\ndefault_transport = \"b\"\n[mqtt_brokers.b]\nurl = \"mqtt://h:1\"", &[]).is_ok());
}

#[test]
fn a_typo_in_a_named_broker_names_it_and_its_line() {
    let found = problems("[amqp_brokers.north]\n\nvhots = \"/\"\n", &[]);
    assert_eq!((found[0].place.as_str(), found[0].key.as_str()), ("t.toml:3", "amqp_brokers.north.vhots"));
    let found = problems("[mqtt_brokers.north]\n\nurl = \"ftp://x\"\n", &[]);
    assert_eq!((found[0].place.as_str(), found[0].key.as_str()), ("t.toml:3", "mqtt_brokers.north"));
}

#[test]
fn two_listeners_on_one_address_are_refused() {
    let found = problems("[api]\nlisten = \"0.0.0.0:7000\"\n[gate]\n\nlisten = \"127.0.0.1:7000\"\n", &[]);
    assert_eq!((found.len(), found[0].place.as_str(), found[0].key.as_str()), (1, "t.toml:5", "gate"), "{found:?}");
    assert!(found[0].what.contains("where [api] listens"), "{found:?}");
    for right in
        ["[gate]\nlisten = \"127.0.0.1:0\"\n[api]\nlisten = \"127.0.0.1:0\"", "[gate]\nlisten = \"127.0.0.2:8080\""]
    {
        assert!(read(right, &[]).is_ok(), "{right}");
    }
    assert!(
        read("[broker]\nenabled = false\n[gate]\nlisten = \"127.0.0.1:1883\"", &[]).is_ok(),
        "nothing else listens"
    );
}

#[test]
fn external_broker_that_is_our_own_is_refused() {
    for (url, own) in [("mqtt://127.0.0.1:1883", true), ("mqtt://localhost", true), ("mqtt://127.0.0.1:1884", false)] {
        let text = format!("[mqtt_brokers.b]\n\nurl = \"{url}\"\n");
        let found = read(&text, &[]).map(|_| ()).err().map(|found| found.0).unwrap_or_default();
        assert_eq!(!found.is_empty(), own, "{url}: {found:?}");
        assert!(!own || (found[0].place == "t.toml:3" && found[0].what.contains("of this server")), "{found:?}");
    }
}

#[test]
fn variable_that_looks_like_ours_and_is_none_is_named() {
    let names = ["THINGCALL_API__LISTEN", "THINGCALL__API__LISTEN", "THINGCALL_CONFIG", "THINGCALL_KEY_ID", "PATH"];
    let told = super::strangers::told(names.iter().map(ToString::to_string));
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("THINGCALL_API__LISTEN ") && told[0].contains("THINGCALL__SECTION__KEY"), "{told:?}");
}
