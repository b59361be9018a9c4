//! What is deployed together fits together: files of `deploy/compose` and `deploy/kubernetes`, and the program.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use thingcall_tests::{HAPROXY, Haproxy, run};

const CONFIG: &str = include_str!("../../deploy/compose/thingcall.toml");
const COMPOSE: &str = include_str!("../../deploy/compose/compose.yaml");
const KUBERNETES: &str = include_str!("../../deploy/kubernetes/thingcall.yaml");
const NEEDS: &str = include_str!("../../deploy/kubernetes/needs.example.yaml");

/// What a stop may take beyond the pause and the drain: connections twice 2 s, plugins 7 s.
const STOP_SECONDS: u64 = 11;

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy")
}

fn yaml(text: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(text).expect("YAML")
}

/// The document of this kind.
fn kind<'a>(all: &'a [Value], kind: &str) -> &'a Value {
    all.iter().find(|one| one["kind"] == kind).expect("there is one")
}

/// A text of the configuration by its section and key.
fn set(section: &str, key: &str) -> String {
    let (_, rest) = CONFIG.split_once(&format!("[{section}]\n")).expect("the section");
    let line =
        rest.lines().take_while(|line| !line.starts_with('[')).find(|line| line.starts_with(&format!("{key} = ")));
    line.and_then(|line| line.split('"').nth(1)).expect("the key").to_owned()
}

fn port(of: &str) -> u64 {
    set(of, "listen").rsplit_once(':').and_then(|(_, port)| port.parse().ok()).expect("a port")
}

fn seconds(text: &str) -> u64 {
    text.trim_end_matches('s').parse().expect("seconds")
}

fn stop_seconds() -> u64 {
    seconds(&set("shutdown", "ready_pause")) + seconds(&set("shutdown", "drain")) + STOP_SECONDS
}

#[test]
fn haproxy_takes_the_deployed_configuration() {
    let (taken, told) = Haproxy::check(&deploy().join("compose/haproxy.cfg"));
    assert!(taken, "{told}");
    // Names that only Docker knows.
    let warnings: Vec<_> = told.lines().filter(|line| line.contains("[WARNING]")).collect();
    assert!(warnings.iter().all(|line| line.contains("could not resolve address")), "{told}");
}

#[test]
fn program_takes_the_deployed_configuration() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let (file, data) = (deploy().join("compose/thingcall.toml"), folder.path().join("data"));
    let checked =
        run(["check", "--json", "--config"].map(Path::new).into_iter().chain([&*file, "--data".as_ref(), &data]));
    let told = checked.stdout.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let problems: Vec<_> = told.filter(|line| !line["problem"].is_null()).collect();
    // Its files and its PostgreSQL are where it is deployed, and here somebody else may have its ports.
    assert!(!problems.is_empty(), "{checked:?}");
    for problem in problems {
        let [key, said] = ["key", "problem"].map(|name| problem[name].as_str().expect("a text"));
        let is_taken = key.ends_with(".listen") && said.contains("Address already in use");
        assert!(is_taken || ["store.password_file", "store.url"].contains(&key), "{problem}");
    }
}

#[test]
fn compose_and_the_load_balancer_name_what_the_configuration_says() {
    let compose = yaml(COMPOSE).remove(0);
    let services = compose["services"].as_object().expect("services");
    let instances: Vec<_> = services.keys().filter(|name| name.starts_with("thingcall-")).collect();
    assert_eq!(instances.len(), 3);
    for name in &instances {
        let service = &services[*name];
        assert_eq!(service["hostname"], ***name);
        assert!(seconds(service["stop_grace_period"].as_str().expect("a text")) >= stop_seconds());
        let command: Vec<_> = service["command"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
        let mounted = service["volumes"][0].as_str().expect("a text");
        assert_eq!(mounted.split(':').collect::<Vec<_>>(), ["./thingcall.toml", command[2], "ro"]);
        assert_eq!(service["secrets"][0]["target"], set("store", "password_file"));
        let (api, operator) = (port("api"), port("metrics"));
        assert!(HAPROXY.contains(&format!("    server {name} {name}:{api}\n")), "{name}");
        assert!(HAPROXY.contains(&format!("check port {operator} ")));
    }
    assert_eq!(HAPROXY.matches("    server thingcall-").count(), instances.len());
    assert!(HAPROXY.contains("http-check send meth GET uri /readyz"));
    let url = set("store", "url");
    assert!(url.starts_with("postgres://thingcall@postgres:5432/") && services.contains_key("postgres"), "{url}");
    let broker = set("mqtt", "url");
    assert!(broker == "mqtt://broker:1883" && services.contains_key("broker"), "{broker}");
    let published = services["haproxy"]["ports"][0].as_str().expect("a text");
    assert!(HAPROXY.contains(&format!("bind :{}\n", published.rsplit(':').next().expect("a port"))));
}

#[test]
fn kubernetes_runs_the_same_configuration() {
    let all = yaml(KUBERNETES);
    assert_eq!(kind(&all, "ConfigMap")["data"]["thingcall.toml"], CONFIG);
    let pod = &kind(&all, "Deployment")["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    let ports: Vec<_> =
        container["ports"].as_array().expect("a list").iter().map(|one| &one["containerPort"]).collect();
    assert_eq!(ports, [port("api"), port("metrics")]);
    for (probe, path) in [("livenessProbe", "/healthz"), ("readinessProbe", "/readyz"), ("startupProbe", "/healthz")] {
        let get = &container[probe]["httpGet"];
        assert_eq!((&get["path"], &get["port"]), (&path.into(), &"operator".into()), "{probe}");
    }
    let grace = pod["terminationGracePeriodSeconds"].as_u64().expect("a number");
    assert!(grace >= stop_seconds(), "{grace}");
    // A load balancer that looks each second sees it in time.
    let looked = container["readinessProbe"]["periodSeconds"].as_u64().expect("a number");
    assert!(seconds(&set("shutdown", "ready_pause")) > looked + Duration::from_secs(1).as_secs());
    let mounts = container["volumeMounts"].as_array().expect("a list");
    let mounted = |name: &str| mounts.iter().find(|one| one["name"] == name).and_then(|one| one["mountPath"].as_str());
    let secret = set("store", "password_file");
    let (folder, name) = secret.rsplit_once('/').expect("a path");
    assert_eq!(mounted("secrets"), Some(folder));
    assert_eq!(mounted("config"), Some("/etc/thingcall"));
    assert_eq!(
        mounted("data"),
        CONFIG.lines().find_map(|line| line.strip_prefix("data = ")).map(|text| text.trim_matches('"'))
    );
    assert_eq!(container["args"][2], "/etc/thingcall/thingcall.toml");
    let needs = yaml(NEEDS);
    assert!(kind(&needs, "Secret")["stringData"][name].is_string());
    let labels = &kind(&all, "Deployment")["spec"]["template"]["metadata"]["labels"];
    assert_eq!(&kind(&all, "Service")["spec"]["selector"], labels);
    assert_eq!(&kind(&all, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"], labels);
    for service in ["postgres", "broker"] {
        assert!(needs.iter().any(|one| one["kind"] == "Service" && one["metadata"]["name"] == service), "{service}");
    }
}
