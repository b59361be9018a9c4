//! What the chart makes: manifests that Kubernetes takes, a configuration that the program takes, and nothing that does not go together.

use std::path::Path;

use serde_json::{Value, json};
use thingcall_tests::{Readers, Rendered, deploy, run};

use crate::deployed::{kind, yaml};

const VERSIONS: [&str; 2] = ["1.27", "1.34"];
const PLAIN: &str = include_str!("../../deploy/kubernetes/thingcall.yaml");
const NEEDS: &str = include_str!("../../deploy/kubernetes/needs.example.yaml");
const EXAMPLES: [&str; 4] = ["alone", "behind-mosquitto", "everything", "instances"];

fn readers() -> Readers {
    Readers::start(&VERSIONS)
}

fn example(name: &str) -> Value {
    let file = deploy().join(format!("helm/thingcall/examples/{name}.yaml"));
    yaml(&std::fs::read_to_string(file).expect("an example")).remove(0)
}

fn rendered(readers: &Readers, values: &Value) -> Rendered {
    let rendered = readers.render(values).unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(rendered.problems, [] as [Value; 0], "{}", rendered.text);
    rendered
}

fn pod<'a>(rendered: &'a Rendered, of: &str) -> &'a Value {
    &rendered.kind(of).unwrap_or_else(|| panic!("a {of}"))["spec"]["template"]["spec"]
}

#[test]
fn every_example_is_what_kubernetes_and_the_program_take() {
    let readers = readers();
    let folder = tempfile::tempdir().expect("a scratch folder");
    assert_eq!(readers.lint(&json!({})), json!(["Chart.yaml: icon is recommended"]));
    let examples = EXAMPLES.map(|name| (name, example(name)));
    for (name, values) in examples.iter().chain([&("", json!({}))]) {
        let rendered = rendered(&readers, values);
        let file = folder.path().join("thingcall.toml");
        std::fs::write(&file, rendered.configuration()).expect("the scratch folder can be written");
        let args = ["check", "--json", "--config"].map(Path::new);
        let data = folder.path().join("data");
        let checked = run(args.into_iter().chain([&*file, "--data".as_ref(), &data]));
        for line in checked.stdout.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON")) {
            let [Some(key), Some(said)] = ["key", "problem"].map(|name| line[name].as_str()) else { continue };
            // Its secrets and certificates are where it runs, and here somebody else may have its ports.
            let is_there = key.ends_with("_file") || key == "store.url" || key.ends_with(".url");
            assert!(is_there || said.contains("Address already in use"), "{name}: {line}");
        }
    }
    // Every file of the folder is one of these.
    let files = std::fs::read_dir(deploy().join("helm/thingcall/examples")).expect("a folder");
    assert_eq!(files.count(), EXAMPLES.len());
}

#[test]
fn what_does_not_go_together_is_refused_with_what_would() {
    let readers = readers();
    let postgres =
        json!({ "kind": "postgres", "url": "postgres://thingcall@db/thingcall", "password": { "secret": "s" } });
    for (values, said) in [
        (json!({ "replicas": 2 }), "replicas is 2, and a SQLite file is for one server: set store.kind=postgres"),
        (
            json!({ "replicas": 2, "store": postgres }),
            "the embedded broker is for one server: set broker.embedded=false",
        ),
        (json!({ "broker": { "embedded": false } }), "no broker: set mqtt.url or amqp.url"),
        (json!({ "store": { "kind": "postgres" } }), "store.url is empty: postgres://USER@HOST:PORT/DATABASE"),
        (json!({ "store": { "kind": "postgres", "url": "postgres://a@b/c" } }), "store.password.secret is empty"),
        (json!({ "store": { "url": "postgres://a@b/c" } }), "set store.kind=postgres"),
        (json!({ "gate": { "enabled": true } }), "gate.secret.secret is empty"),
        (json!({ "firstKey": { "id": "operator" } }), "set both or none"),
        (json!({ "ingress": { "enabled": true } }), "ingress.hosts is empty"),
        (json!({ "nonsense": 1 }), "'nonsense' not allowed"),
        (json!({ "broker": { "service": { "port": 0 } } }), "/broker/service/port"),
        (json!({ "replicas": "3" }), "/replicas"),
        // No passwords in values.
        (json!({ "mqtt": { "url": "mqtt://user:password@broker" } }), "/mqtt/url"),
    ] {
        let refused = readers.render(&values).expect_err(said);
        assert!(refused.contains(said), "{values}: {refused}");
    }
}

#[test]
fn a_value_of_config_wins_and_keeps_its_type() {
    let config = json!({
        "engine": { "reply_timeout": "5s", "pending_calls_max": 67_108_864, "log_successes": true },
        "api": { "listen": "0.0.0.0:9000" },
        "webhooks": { "orders": { "url": "https://example.com/<a>&b", "products": ["a1", "b2"] } },
        "gate": { "users": [{ "name": "one" }, { "name": "two" }] },
    });
    let made = rendered(&readers(), &json!({ "config": config }));
    for line in [
        "reply_timeout = \"5s\"",
        "pending_calls_max = 67108864",
        "log_successes = true",
        "listen = \"0.0.0.0:9000\"",
        "[webhooks.orders]",
        "url = \"https://example.com/<a>&b\"",
        "products = [\"a1\",\"b2\"]",
        "[[gate.users]]\nname = \"two\"",
    ] {
        assert!(made.configuration().contains(line), "{line}: {}", made.configuration());
    }
}

#[test]
fn one_server_has_a_volume_and_several_have_none() {
    let readers = readers();
    let alone = rendered(&readers, &json!({}));
    assert!(alone.kind("Deployment").is_none());
    assert_eq!(alone.kind("StatefulSet").expect("one")["spec"]["replicas"], 1);
    assert!(
        !pod(&alone, "StatefulSet")["volumes"].as_array().expect("volumes").iter().any(|one| one["name"] == "data")
    );
    let several = rendered(&readers, &example("instances"));
    assert!(several.kind("StatefulSet").is_none());
    let data = json!({ "name": "data", "emptyDir": {} });
    assert!(pod(&several, "Deployment")["volumes"].as_array().expect("volumes").contains(&data));
    // Behind a broker of its own it keeps its name there.
    let behind = rendered(&readers, &example("behind-mosquitto"));
    let env = pod(&behind, "StatefulSet")["containers"][0]["env"].to_string();
    assert!(env.contains("THINGCALL__MQTT__CLIENT_ID"), "{env}");
    assert!(alone.notes.contains("logs --selector") && several.notes.contains("3 instance(s)"), "{}", several.notes);
}

#[test]
fn pods_may_do_nothing_that_they_need_not() {
    let readers = readers();
    for name in EXAMPLES {
        let made = rendered(&readers, &example(name));
        for manifest in &made.manifests {
            let pods = [&manifest["spec"]["template"]["spec"], &manifest["spec"]];
            let Some(pod) = pods.into_iter().find(|pod| pod["containers"].is_array()) else { continue };
            assert_eq!(pod["automountServiceAccountToken"], false, "{name}");
            assert_eq!(
                (&pod["securityContext"]["runAsNonRoot"], &pod["securityContext"]["runAsUser"]),
                (&json!(true), &json!(10001))
            );
            for container in pod["containers"].as_array().expect("a list") {
                let may = &container["securityContext"];
                assert_eq!(may["capabilities"]["drop"], json!(["ALL"]));
                assert_eq!(
                    (&may["allowPrivilegeEscalation"], &may["readOnlyRootFilesystem"]),
                    (&json!(false), &json!(true))
                );
            }
        }
        // Nobody reads secrets from the values: there are none.
        assert!(made.kind("Secret").is_none());
    }
}

#[test]
fn the_plain_manifests_are_the_charts() {
    let made = rendered(&readers(), &example("instances"));
    let by_helm = ["app.kubernetes.io/managed-by: Helm", "helm.sh/chart:"];
    let test = made.text.find("# `helm test`").map_or(made.text.len(), |at| at);
    let text = made.text.get(..test).expect("a boundary").trim_end_matches("---\n");
    let lines: Vec<_> =
        text.lines().filter(|line| !by_helm.iter().any(|one| line.contains(one))).map(str::trim_end).collect();
    let (head, plain) = PLAIN.split_once("\n\n").expect("a head");
    assert!(head.lines().all(|line| line.starts_with('#')));
    let wanted = lines.join("\n") + "\n";
    if plain != wanted {
        let at = std::env::temp_dir().join("thingcall-kubernetes.yaml");
        std::fs::write(&at, format!("{head}\n\n{wanted}")).expect("a scratch file");
        panic!(
            "deploy/kubernetes/thingcall.yaml is not what the chart makes of examples/instances.yaml; {} is",
            at.display()
        );
    }
    let needs = yaml(NEEDS);
    let secret = &kind(&needs, "Secret")["stringData"];
    assert!(secret["store-password"].is_string() && secret["mqtt-password"].is_string());
    for service in ["postgres", "broker"] {
        assert!(needs.iter().any(|one| one["kind"] == "Service" && one["metadata"]["name"] == service), "{service}");
    }
}

#[test]
fn a_load_balancer_sees_in_time_that_an_instance_ends() {
    let made = rendered(&readers(), &example("instances"));
    let pod = pod(&made, "Deployment");
    let container = &pod["containers"][0];
    for (probe, path) in [("livenessProbe", "/healthz"), ("readinessProbe", "/readyz"), ("startupProbe", "/healthz")] {
        let get = &container[probe]["httpGet"];
        assert_eq!((&get["path"], &get["port"]), (&path.into(), &"operator".into()), "{probe}");
    }
    let said = |key: &str| {
        let line =
            made.configuration().lines().find_map(|line| line.strip_prefix(&format!("{key} = ")).map(str::to_owned));
        line.and_then(|text| text.trim_matches('"').trim_end_matches('s').parse::<u64>().ok()).expect("seconds")
    };
    let grace = pod["terminationGracePeriodSeconds"].as_u64().expect("a number");
    assert!(grace >= said("ready_pause") + said("drain") + crate::deployed::STOP_SECONDS, "{grace}");
    assert!(said("ready_pause") > container["readinessProbe"]["periodSeconds"].as_u64().expect("a number") + 1);
}
