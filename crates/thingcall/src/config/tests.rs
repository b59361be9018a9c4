//! Which configurations are taken, and what is said of the others.

use thingcall_loader::PluginConfig;

use super::load::read_for_test;
use super::sources::{Found, Problems};
use super::{Config, Flag};

fn read(text: &str, variables: &[(&str, &str)]) -> Result<Config, Problems> {
    read_for_test(text, variables, Vec::new()).right()
}

fn problems(text: &str, variables: &[(&str, &str)]) -> Vec<Found> {
    read(text, variables).map(|_| ()).expect_err("the text is wrong").0
}

/// Place and key of each.
fn places(found: &[Found]) -> Vec<(String, &str)> {
    found.iter().map(|found| (found.place.to_string(), found.problem.key.as_str())).collect()
}

/// A single problem: its place, its key, and its sentence without the place.
fn only(text: &str) -> (String, String, String) {
    let found = problems(text, &[]);
    let [Found { place, problem }] = &found[..] else { panic!("{found:?}") };
    (place.to_string(), problem.key.clone(), problem.to_string())
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
    let (place, key, told) = only("\n[log]\nlevle = \"warn\"\n");
    assert_eq!((&*place, &*key), ("t.toml:3", "log.levle"));
    let right =
        "log.levle is not a known key; right is one of level, format, kind_lines_per_second_max, line_bytes_max";
    assert_eq!(told, right);
}

#[test]
fn a_typo_in_a_variable_names_the_variable() {
    let found = problems("", &[("THINGCALL__LOG__LEVLE", "warn")]);
    assert_eq!(found[0].place.to_string(), "environment variable THINGCALL__LOG__LEVLE");
    assert!(found[0].problem.right.contains("level"), "{found:?}");
}

#[test]
fn every_problem_is_found_in_one_go() {
    let found = problems("[metrics]\nlisten = 7\n[log]\nlevle = 1\n[shutdown]\ndrain = \"soon\"\n[nowhere]\n", &[]);
    let keys: Vec<_> = found.iter().map(|found| found.problem.key.as_str()).collect();
    assert_eq!(keys, ["metrics.listen", "log.levle", "shutdown.drain", "nowhere"]);
}

#[test]
fn broken_toml_names_the_line_and_shows_nothing_of_it() {
    let found = problems("[mqtt]\npassword = \"hush\n", &[]);
    let told = found[0].to_string();
    assert!(told.starts_with("t.toml:2: is not TOML (") && !told.contains("hush"), "{told}");
}

/// The sample file; `#key = value` and `#[section]` are keys without a default, `# words` are words.
const SAMPLE: &str = include_str!("../../../../deploy/thingcall.example.toml");

/// The sample with every such key set. Certificates go with `mqtts://` only, so that is what its `url` says then; its broker
/// is another than the embedded one, and its Redis is used. Secrets stand in no files of their own.
fn everything() -> String {
    let in_file = |line: &str| ["password_file =", "secret_file ="].iter().any(|key| line.contains(key));
    every_key()
        .lines()
        .filter(|line| !in_file(line))
        .collect::<Vec<_>>()
        .join("\n")
        .replace("= \"mqtt://127.0.0.1:1883", "= \"mqtts://127.0.0.1:8884")
        .replace("= \"amqp://", "= \"amqps://")
        .replace("= \"redis://", "= \"rediss://")
        .replace("= \"http://127.0.0.1:4318", "= \"https://127.0.0.1:4318")
        .replace("nonces = \"store\"", "nonces = \"redis\"")
}

fn every_key() -> String {
    let is_key = |line: &str| line.starts_with('#') && !line.starts_with("# ") && line.len() > 1;
    let lines = SAMPLE.lines().map(|line| if is_key(line) { line.trim_start_matches('#') } else { line });
    lines.collect::<Vec<_>>().join("\n")
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
    let shown = thingcall_mqtt::Config { messages_topic: mqtt.messages_topic.clone(), posts: mqtt.posts, ..shown };
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
        messages_exchange: amqp.messages_exchange.clone(),
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
        "instance",
        "engine",
        "broker",
        "broker.tls",
        "broker.websocket",
        "mqtt",
        "mqtt.tls",
        "mqtt.messages_filter",
        "amqp",
        "amqp.tls",
        "amqp.messages_filter",
        "gate",
        "gate.rabbitmq",
        "gate.emqx",
        "gate.mosquitto",
        "registration",
        "store",
        "messages",
        "messages.subscriptions",
        "first_key",
        "shared",
        "loader",
        "plugins.test-fb",
        "metrics",
        "traces",
        "log",
        "shutdown",
    ] {
        let head = if section.is_empty() { String::new() } else { format!("[{section}]\n") };
        let found = problems(&format!("{head}nonsense = 1\n"), &[]);
        let allowed = found.iter().find(|one| one.problem.key.ends_with("nonsense")).expect("allowed keys");
        let allowed = &allowed.problem.right;
        for key in allowed.trim_start_matches("one of ").split([',', ' ']).filter(|key| !key.is_empty() && *key != "or")
        {
            let shown = every_key().lines().any(|line| {
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
    let (place, _, told) = only("[engine]\n\ninstance_slot = 64\n");
    assert_eq!((&*place, &*told), ("t.toml:3", "engine.instance_slot is 64; right is 0 to 63"));
}

#[test]
fn what_is_missing_is_found_beside_what_is_wrong() {
    let found = problems("[broker.tls]\nlisten = \"127.0.0.1:1\"\n[mqtt]\nurl = \"ftp://x\"\n", &[]);
    let wrong = [("t.toml:1".to_owned(), "broker.tls.cert_file"), ("t.toml:4".to_owned(), "mqtt.url")];
    assert_eq!(places(&found), wrong);
}

#[test]
fn a_wrong_word_says_the_right_ones() {
    for (text, right) in [
        ("[api]\nresult = \"x\"", "envelope or data"),
        ("[mqtt]\nsync_topic = \"x\"", "ext, rrpc or service"),
        ("[mqtt]\nversion = \"4\"", "\"3.1.1\" or \"5\""),
        ("[amqp]\nreplies_vouched_by = \"x\"", "routing_key or user_id"),
        ("[log]\nformat = \"x\"", "auto, text or json"),
        ("[log]\nlevel = \"warning\"", "warn"),
        ("[api]\nlisten = \"x\"", "127.0.0.1:8080"),
        ("[shutdown]\ndrain = \"x\"", "250ms"),
        ("[plugins.x]\nexecution = \"x\"", "pool or inline"),
        ("[plugins.x]\nfallback = \"x\"", "fail or built_in"),
        ("[broker]\nenabled = \"x\"", "true or false"),
        ("[engine]\ndefault_transport = \"a b\"", "1 to 32 of A-Z a-z 0-9 - _"),
        ("[gate]\nusers = 7", "a list"),
    ] {
        let found = problems(text, &[]);
        let told = |one: &Found| one.place.to_string() == "t.toml:2" && one.problem.right.contains(right);
        assert!(found.iter().any(told), "{text}: {found:?}");
    }
}

#[test]
fn a_number_says_its_value_and_its_range() {
    for (key, value, right) in [
        ("api.connections_max", "0", "a whole number, 1 or more"),
        ("engine.pending_calls_max", "0", "a whole number, 1 or more"),
        ("engine.instance_slot", "256", "a whole number, 0 to 255"),
        ("broker.sessions_max", "0", "a whole number, 1 or more"),
        ("broker.inflight_messages_max", "70000", "a whole number, 0 to 65535"),
        ("gate.client_ids_max", "0", "a whole number, 1 or more"),
        ("store.devices_max", "-1", "a whole number, 0 or more"),
        ("store.log_bytes_max", "0", "a whole number, 1 or more"),
        ("loader.plugin_bytes_max", "0", "a whole number, 1 or more"),
        ("plugins.x.threads", "0", "a whole number, 1 or more"),
        ("amqp_brokers.b.send_queue_messages_max", "0", "a whole number, 1 or more"),
        ("amqp.prefetch_messages_max", "0", "a whole number, 1 or more"),
        ("metrics.connections_max", "\"many\"", "a whole number"),
    ] {
        let (section, name) = key.rsplit_once('.').expect("a section");
        let (place, told_key, told) = only(&format!("[{section}]\n{name} = {value}\n"));
        assert_eq!((&*place, &*told_key), ("t.toml:2", key));
        assert_eq!(told, format!("{key} is {value}; right is {right}"));
    }
}

#[test]
fn a_secret_is_never_shown() {
    for text in [
        "[mqtt]\nusername = \"u\"\npassword = [\"hush\"]",
        "[amqp]\npassword = { a = \"hush\" }",
        "[gate]\nsecret = \"hush/\"",
        "[gate]\nusers = \"hush\"",
        "[[gate.users]]\nname = \"u\"\nsecret = [\"hush\"]",
        "[mqtt]\nurl = \"mqtt://u:hush@h\"",
    ] {
        let found = problems(text, &[]);
        let told = Problems(found.clone()).to_string()
            + &found.iter().map(|one| serde_json::to_string(&one.json()).expect("JSON")).collect::<String>();
        assert!(!told.contains("hush"), "{told}");
    }
}

#[test]
fn a_flag_wins_and_is_named() {
    let flag = |key, value: &str| vec![Flag { name: "--api", key, value: value.to_owned() }];
    let read = |text, flags| read_for_test(text, &[], flags).right();
    let config = read("[api]\nlisten = \"nonsense\"", flag("api.listen", "127.0.0.1:7000")).expect("right");
    assert_eq!(config.api.listen.port(), 7000);
    let found = read("", flag("api.listen", "127.0.0.1:9464")).map(|_| ()).expect_err("taken by [metrics]").0;
    assert_eq!(
        found[0].to_string(),
        "default: metrics.listen is 127.0.0.1:9464, as is api.listen; right is an address of its own"
    );
    let found = read("", flag("metrics.listen", "127.0.0.1:8080")).map(|_| ()).expect_err("taken by [api]").0;
    assert_eq!(found[0].place.to_string(), "--api");
}

#[test]
fn a_problem_is_data_without_nulls() {
    let found = problems("[engine]\ninstance_slot = 64\n", &[]);
    let json = serde_json::json!({
        "problem": "t.toml:2: engine.instance_slot is 64; right is 0 to 63",
        "key": "engine.instance_slot", "value": "64", "right": "0 to 63", "file": "t.toml", "line": 2
    });
    assert_eq!(serde_json::Value::Object(found[0].json()), json);
    let found = problems("", &[("THINGCALL__API__CONNECTIONS_MAX", "0")]);
    assert_eq!(found[0].json()["variable"], "THINGCALL__API__CONNECTIONS_MAX");
    assert!(found[0].json().get("line").is_none());
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
    let (place, key, told) = only("[plugins.test-fb]\n\nthreds = 3\n");
    assert_eq!((&*place, &*key), ("t.toml:3", "plugins.test-fb.threds"));
    assert!(told.contains("threads") && told.contains("execution"), "{told}");
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
    let text = "[loader]\nstall_open = \"1ms\"\n[plugins.meter]\nenabled = true\nthreads = 65\n[plugins.b]\nclaims = [\"a/b/c\"]\n";
    let found = problems(text, &[]);
    let wrong =
        [("t.toml:2", "loader.stall_open"), ("t.toml:5", "plugins.meter.threads"), ("t.toml:7", "plugins.b.claims")];
    assert_eq!(places(&found), wrong.map(|(place, key)| (place.to_owned(), key)), "{found:?}");
}

#[test]
fn two_transports_of_one_name_are_refused() {
    let text = "[broker]\nenabled = false\n[mqtt_brokers.embedded]\n[mqtt_brokers.b]\n[amqp_brokers.b]\n";
    let found = problems(text, &[]);
    let keys: Vec<_> = found.iter().map(|found| found.problem.key.as_str()).collect();
    assert_eq!(keys, ["mqtt_brokers.embedded", "amqp_brokers.b"], "{found:?}");
    let (place, key, told) = only("[amqp]\nresults_exchange = \"r\"\n[amqp_brokers.b]\nresults_exchange = \"r\"\n");
    assert_eq!((&*place, &*key), ("t.toml:4", "amqp_brokers.b.results_exchange"));
    assert!(told.contains("another broker"), "{told}");
    let (_, key, _) = only("[amqp]\nmessages_exchange = \"r\"\n[amqp_brokers.b]\nmessages_exchange = \"r\"\n");
    assert_eq!(key, "amqp_brokers.b.messages_exchange");
    let (_, key, told) =
        only("[broker]\nenabled = false\n[mqtt]\nmessages_topic = \"r\"\n[mqtt_brokers.b]\nmessages_topic = \"r\"\n");
    assert!(key == "mqtt_brokers.b.messages_topic" && told.contains("another broker"), "{key}: {told}");
}

#[test]
fn a_default_transport_that_is_not_there_names_its_line() {
    let (place, _, told) = only("[engine]\n\ndefault_transport = \"amqp\"\n");
    assert!(place == "t.toml:3" && told.ends_with("configured: embedded"), "{place}: {told}");
    assert!(read("[engine]\ndefault_transport = \"b\"\n[mqtt_brokers.b]\nurl = \"mqtt://h:1\"", &[]).is_ok());
}

#[test]
fn a_gate_for_a_transport_that_is_not_there_is_told() {
    let gate = "[gate]\nlisten = \"127.0.0.1:8085\"\n[gate.emqx]\ntransport = \"north\"\n";
    let (place, key, told) = only(gate);
    assert_eq!((&*place, &*key), ("t.toml:4", "gate.emqx.transport"));
    assert!(told.ends_with("configured: embedded"), "{told}");
    assert!(read(&format!("{gate}[mqtt_brokers.north]\nurl = \"mqtt://h:1\""), &[]).is_ok());
}

#[test]
fn a_typo_in_a_named_broker_names_it_and_its_line() {
    let (place, key, _) = only("[amqp_brokers.north]\n\nvhots = \"/\"\n");
    assert_eq!((&*place, &*key), ("t.toml:3", "amqp_brokers.north.vhots"));
    let (place, key, _) = only("[mqtt_brokers.north]\n\nurl = \"ftp://x\"\n");
    assert_eq!((&*place, &*key), ("t.toml:3", "mqtt_brokers.north.url"));
}
