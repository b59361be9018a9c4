//! What is refused, where requests go, and what variables say.

use super::*;

fn config(endpoint: &str) -> Config {
    Config { endpoint: Some(endpoint.to_owned()), ..Config::default() }
}

fn keys(config: &Config) -> Vec<String> {
    config.problems().into_iter().map(|problem| problem.key).collect()
}

fn url(config: &Config) -> String {
    config.url().unwrap().to_string()
}

#[test]
fn each_value_out_of_its_range_is_refused_by_its_key() {
    let right = config("http://127.0.0.1:4318");
    assert_eq!(keys(&right), <[&str; 0]>::default());
    assert_eq!(keys(&Config::default()), <[&str; 0]>::default());
    for wrong in ["", "127.0.0.1:4318", "ftp://h", "http://", "http://me:pw@h/"] {
        assert_eq!(keys(&config(wrong)), ["endpoint"], "{wrong}");
    }
    assert!(config("http://me:pw@h/").problems().iter().all(|problem| !problem.to_string().contains("pw")));
    for sampled in [-0.1, 1.1, f64::NAN] {
        assert_eq!(keys(&Config { sampled, ..right.clone() }), ["sampled"]);
    }
    assert_eq!(keys(&Config { ca_file: Some("c".into()), ..right.clone() }), ["ca_file"]);
    let headers = BTreeMap::from([("a b".to_owned(), Secret::new("hush"))]);
    let said = Config { headers, ..right.clone() }.problems();
    assert!(said.len() == 1 && said.iter().all(|problem| !problem.to_string().contains("hush")), "{said:?}");
    assert_eq!(keys(&Config { export_timeout: Duration::ZERO, ..right }), ["export_timeout"]);
}

#[test]
fn the_path_is_the_protocols() {
    assert_eq!(url(&config("http://h:4318")), "http://h:4318/v1/traces");
    assert_eq!(url(&config("http://h:4318/")), "http://h:4318/v1/traces");
    assert_eq!(url(&config("https://h/otlp/")), "https://h/otlp/v1/traces");
    assert_eq!(url(&config("https://h/otlp/v1/traces")), "https://h/otlp/v1/traces");
    let grpc = Config { protocol: Protocol::Grpc, ..config("http://h:4317") };
    assert_eq!(url(&grpc), "http://h:4317/opentelemetry.proto.collector.trace.v1.TraceService/Export");
}

#[test]
fn variables_say_what_the_file_does_not() {
    let variables = |name: &str| {
        let text = match name {
            "OTEL_EXPORTER_OTLP_ENDPOINT" => "http://variable:4317",
            "OTEL_EXPORTER_OTLP_PROTOCOL" => "grpc",
            "OTEL_EXPORTER_OTLP_HEADERS" => "api-key=a%20b,other=c",
            "OTEL_SERVICE_NAME" => "calls",
            "OTEL_RESOURCE_ATTRIBUTES" => "deployment.environment.name=test,service.name=not this",
            _ => return None,
        };
        Some(text.to_owned())
    };
    let mut said = Config::default();
    said.with_variables(variables);
    assert_eq!((said.endpoint.as_deref(), said.protocol), (Some("http://variable:4317"), Protocol::Grpc));
    assert_eq!(said.headers["api-key"].expose(), "a b");
    let resource = said.resource();
    assert_eq!((&*resource["service.name"], &*resource["deployment.environment.name"]), ("calls", "test"));
    let mut file = Config { service_name: Some("mine".to_owned()), ..config("http://file:4318") };
    file.with_variables(variables);
    assert_eq!((file.endpoint.as_deref(), file.protocol), (Some("http://file:4318"), Protocol::Http));
    assert!(file.headers.is_empty() && file.resource()["service.name"] == "mine");
    file.with_variables(|name| (name == "OTEL_SDK_DISABLED").then(|| "true".to_owned()));
    assert_eq!(file.endpoint, None);
    assert_eq!(Config::default().resource()["service.name"], "thingcall");
}

#[test]
fn headers_are_read_from_their_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("headers");
    let of = Config { headers_file: Some(file.clone()), ..config("http://h") };
    assert_eq!(of.problems_of_files().len(), 1);
    std::fs::write(&file, "Authorization: Bearer abc\n\nx-tenant: 7\n").unwrap();
    assert!(of.problems_of_files().is_empty() && of.problems().is_empty());
    assert_eq!(of.all_headers().unwrap().len(), 2);
    std::fs::write(&file, "hush\n").unwrap();
    let said = of.problems_of_files();
    assert!(said.len() == 1 && said.iter().all(|problem| !problem.to_string().contains("hush")), "{said:?}");
}
