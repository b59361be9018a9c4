//! What is deployed together fits together: the files of `deploy/compose`, and the program.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;
use thingcall_tests::{Credential, HAPROXY, Haproxy, Mosquitto, MqttDevice, PRODUCT, Readers, Site, deploy, run};

/// What a stop may take beyond the pause and the drain: connections twice 2 s, plugins 7 s.
pub(crate) const STOP_SECONDS: u64 = 11;

/// The compose files, each in a folder of this name.
const COMPOSED: [&str; 5] = ["alone", "emqx", "instances", "mosquitto", "rabbitmq"];

pub(crate) fn yaml(text: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(text).expect("YAML")
}

/// The document of this kind.
pub(crate) fn kind<'a>(all: &'a [Value], kind: &str) -> &'a Value {
    all.iter().find(|one| one["kind"] == kind).expect("there is one")
}

/// A copy of `deploy/` in which the secrets of this compose file are made, as its head says.
fn with_secrets(name: &str) -> (TempDir, PathBuf) {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let copied = Command::new("cp").arg("-r").arg(deploy()).arg(scratch.path()).status();
    assert!(copied.is_ok_and(|status| status.success()), "deploy/ is copied");
    let compose = scratch.path().join("deploy/compose");
    let _old = std::fs::remove_dir_all(compose.join(name).join("secrets"));
    make_secrets(&compose, name);
    let folder = compose.join(name);
    (scratch, folder)
}

fn make_secrets(compose: &Path, name: &str) {
    let made = Command::new(compose.join("secrets")).arg(name).output().expect("a shell");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The folder's configuration of thingcall, and its compose file.
fn deployed(folder: &Path) -> (Configured, Value) {
    (Configured(read(&folder.join("thingcall.toml"))), yaml(&read(&folder.join("compose.yaml"))).remove(0))
}

/// A configuration file.
struct Configured(String);

impl Configured {
    /// A text by its section and key.
    fn set(&self, section: &str, key: &str) -> Option<&str> {
        let (_, rest) = self.0.split_once(&format!("\n[{section}]\n"))?;
        let line =
            rest.lines().take_while(|line| !line.starts_with('[')).find(|line| line.starts_with(&format!("{key} = ")));
        line.and_then(|line| line.split('"').nth(1))
    }

    fn port(&self, of: &str) -> u64 {
        let listen = self.set(of, "listen").expect("where it listens");
        listen.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).expect("a port")
    }
}

fn seconds(text: &str) -> u64 {
    text.trim_end_matches('s').parse().expect("seconds")
}

/// The services that are thingcall.
fn instances(compose: &Value) -> Vec<(&String, &Value)> {
    let services = compose["services"].as_object().expect("services");
    services.iter().filter(|(_, service)| service["image"] == "thingcall").collect()
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_array().map(|list| list.iter().filter_map(Value::as_str).collect()).unwrap_or_default()
}

#[test]
fn haproxy_takes_the_deployed_configuration() {
    let (taken, told) = Haproxy::check(&deploy().join("compose/instances/haproxy.cfg"));
    assert!(taken, "{told}");
    // Names that only Docker knows.
    let warnings: Vec<_> = told.lines().filter(|line| line.contains("[WARNING]")).collect();
    assert!(warnings.iter().all(|line| line.contains("could not resolve address")), "{told}");
}

#[test]
fn program_takes_the_deployed_configurations() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let data = folder.path().join("data");
    let composed = COMPOSED.map(|name| deploy().join("compose").join(name).join("thingcall.toml"));
    for file in composed.iter().chain([&deploy().join("container.toml")]) {
        let args = ["check", "--json", "--config"].map(Path::new);
        let checked = run(args.into_iter().chain([&**file, "--data".as_ref(), &data]));
        let told = checked.stdout.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        for problem in told.filter(|line| !line["problem"].is_null()) {
            let [key, said] = ["key", "problem"].map(|name| problem[name].as_str().expect("a text"));
            // Its files, its PostgreSQL and its brokers are where it is deployed, and here somebody else may have its ports.
            let is_taken = key.ends_with(".listen") && said.contains("Address already in use");
            assert!(is_taken || key.ends_with("_file") || key.ends_with(".url"), "{}: {problem}", file.display());
        }
    }
}

#[test]
fn compose_files_are_to_their_schema_and_nothing_may_more_than_it_needs() {
    let readers = Readers::start(&[]);
    let observe = deploy().join("compose/observe.yaml");
    let files = COMPOSED.map(|name| deploy().join("compose").join(name).join("compose.yaml"));
    for file in files.iter().chain([&observe]) {
        assert_eq!(readers.compose(file), json!([]), "{}", file.display());
        let compose = yaml(&read(file)).remove(0);
        for (name, service) in compose["services"].as_object().expect("services") {
            let about = format!("{name} of {}", file.display());
            assert_eq!(service["cap_drop"], json!(["ALL"]), "{about}");
            assert_eq!(service["security_opt"], json!(["no-new-privileges:true"]), "{about}");
            assert!(service["restart"].is_string(), "{about}");
            // EMQX writes beside its program.
            assert!(service["read_only"] == true || service["image"] == "emqx/emqx:5.8.0", "{about}");
            for port in texts(&service["ports"]) {
                assert!(port.starts_with("127.0.0.1:"), "{about}: {port}");
            }
            for secret in texts(&service["secrets"]) {
                assert_eq!(compose["secrets"][secret]["file"], format!("./secrets/{secret}"), "{about}");
            }
        }
    }
}

#[test]
fn what_compose_mounts_is_there_once_the_secrets_are_made() {
    for name in COMPOSED {
        let (_scratch, folder) = with_secrets(name);
        let observe = yaml(&read(&folder.join("../observe.yaml"))).remove(0);
        let (_, compose) = deployed(&folder);
        let prometheus_comes = |path: &str| path.starts_with("../../prometheus/") || path.starts_with("../../grafana/");
        for file in [&compose, &observe] {
            for (service, about) in file["services"].as_object().expect("services") {
                let mounted = texts(&about["volumes"]).into_iter().filter_map(|volume| volume.split_once(':'));
                for (source, _) in mounted.filter(|(source, _)| source.starts_with('.') && !prometheus_comes(source)) {
                    assert!(folder.join(source).exists(), "{name}: {service}: {source}");
                }
            }
            for (secret, about) in file["secrets"].as_object().expect("secrets") {
                let path = folder.join(about["file"].as_str().expect("a file"));
                assert!(read(&path).trim().len() >= 48, "{name}: {secret}");
            }
        }
        // A second time changes no secret.
        let key = folder.join("secrets/first-key");
        let before = read(&key);
        make_secrets(&folder.join(".."), name);
        assert_eq!(read(&key), before);
    }
}

#[test]
fn compose_files_name_what_the_configuration_says() {
    for name in COMPOSED {
        let (config, compose) = deployed(&deploy().join("compose").join(name));
        let all = instances(&compose);
        assert_eq!(all.len(), if name == "instances" { 3 } else { 1 });
        for (instance, service) in all {
            let about = format!("{instance} of {name}");
            assert!(
                texts(&service["volumes"]).contains(&"./thingcall.toml:/etc/thingcall/thingcall.toml:ro"),
                "{about}"
            );
            let stop = |key, default: &str| seconds(config.set("shutdown", key).unwrap_or(default));
            let grace = seconds(service["stop_grace_period"].as_str().expect("a text"));
            assert!(grace >= stop("ready_pause", "2s") + stop("drain", "10s") + STOP_SECONDS, "{about}");
            assert_eq!(texts(&service["healthcheck"]["test"]), ["CMD", "thingcall", "health"], "{about}");
            // Its secrets are those that the configuration reads.
            let mut read: Vec<_> = config.0.lines().filter_map(|line| line.split("\"/run/secrets/").nth(1)).collect();
            read.iter_mut().for_each(|name| *name = name.trim_end_matches('"'));
            read.sort_unstable();
            read.dedup();
            let mut given = texts(&service["secrets"]);
            given.sort_unstable();
            assert_eq!(given, read, "{about}");
        }
        let services = compose["services"].as_object().expect("services");
        for (section, host) in [("mqtt", "broker"), ("amqp", "broker"), ("store", "postgres")] {
            let Some(url) = config.set(section, "url") else { continue };
            let host_of_url = url.rsplit(['/', '@']).find(|part| part.contains(':')).expect("a host");
            assert!(host_of_url.starts_with(&format!("{host}:")) && services.contains_key(host), "{name}: {url}");
        }
    }
}

#[test]
fn the_load_balancer_names_what_the_configuration_says() {
    let (config, compose) = deployed(&deploy().join("compose/instances"));
    let (api, operator) = (config.port("api"), config.port("metrics"));
    for (name, service) in instances(&compose) {
        assert_eq!(service["hostname"], **name);
        assert!(HAPROXY.contains(&format!("    server {name} {name}:{api}\n")), "{name}");
    }
    assert!(HAPROXY.contains(&format!("check port {operator} ")));
    assert_eq!(HAPROXY.matches("    server thingcall-").count(), 3);
    assert!(HAPROXY.contains("http-check send meth GET uri /readyz"));
    let published = texts(&compose["services"]["haproxy"]["ports"])[0];
    assert!(HAPROXY.contains(&format!("bind :{}\n", published.rsplit(':').next().expect("a port"))));
    // It looks each second, and an instance that ends waits for that.
    assert!(HAPROXY.contains("inter 1s") && seconds(config.set("shutdown", "ready_pause").expect("a pause")) > 2);
}

#[test]
fn rabbitmq_is_told_where_the_gate_is_and_what_thingcall_may() {
    let (_scratch, folder) = with_secrets("rabbitmq");
    let conf = read(&folder.join("secrets/rabbitmq.conf"));
    let secret = read(&folder.join("secrets/gate-secret"));
    for question in ["user", "vhost", "resource", "topic"] {
        let line = format!("auth_http.{question}_path = http://thingcall:8085/{}/rabbitmq/{question}\n", secret.trim());
        assert!(conf.contains(&line), "{line}{conf}");
    }
    assert!(!conf.lines().any(|line| !line.starts_with('#') && line.contains("127.0.0.1")), "{conf}");
    let made: Value = serde_json::from_str(&read(&folder.join("secrets/definitions.json"))).expect("JSON");
    let may = &made["permissions"][0];
    let [configure, write, read_] = ["configure", "write", "read"].map(|what| may[what].as_str().expect("a pattern"));
    let page = read(&deploy().join("topics.md"));
    assert!(
        page.contains(&format!("rabbitmqctl set_permissions thingcall '{configure}' '{write}' '{read_}'")),
        "{may}"
    );
}

#[test]
fn calls_pass_mosquitto_as_it_is_composed_and_a_stranger_gets_nowhere() {
    let (_scratch, folder) = with_secrets("mosquitto");
    let user = format!("lamp1&{PRODUCT}");
    let broker = Mosquitto::composed(&folder, &format!("{user}:the lamp's\n"));
    let password = read(&folder.join("secrets/mqtt-password"));
    let settings = [("MQTT__USERNAME", "thingcall"), ("MQTT__PASSWORD", password.trim())];
    let site = Site::behind_mosquitto(broker, &settings);
    site.is_ready();
    let lamp = site.device("lamp1");
    let credential = |password: &str| Credential {
        client_id: "lamp1".to_owned(),
        username: user.clone(),
        password: password.to_owned(),
    };
    assert!(MqttDevice::try_connect(site.broker(), &credential("another's")).is_err());
    let connected = MqttDevice::connect(site.broker(), &credential("the lamp's"));
    assert!(connected.subscribe(&format!("/ext/rrpc/+/sys/{PRODUCT}/lamp1/thing/service/+")));
    let waiting = site.begin_invoke(&lamp, "testFb:testService", r#"{"param1":5}"#);
    let seen = connected.next();
    connected.publish(&seen.topic, &seen.answer(&json!({ "param1": 5 })));
    assert_eq!(waiting.answer().ok().result()["data"], json!({ "param1": 5 }));
}
