//! What an address may be.

use super::*;

fn config(url: &str) -> Config {
    Config {
        redis: url.to_owned(),
        redis_username: None,
        redis_password: None,
        redis_ca_file: None,
        ask_timeout: Duration::from_secs(1),
    }
}

fn keys(config: &Config) -> Vec<String> {
    config.problems().into_iter().map(|problem| problem.key).collect()
}

#[test]
fn an_address_is_a_host_with_or_without_port_and_database() {
    for (url, host, port, database, tls) in [
        ("redis://h", "h", 6379, 0, false),
        ("redis://h/", "h", 6379, 0, false),
        ("redis://h:1/3", "h", 1, 3, false),
        ("rediss://[::1]:1", "::1", 1, 0, true),
        ("redis://[::1]", "::1", 6379, 0, false),
    ] {
        assert_eq!(config(url).address(), Ok((host.to_owned(), port, database, tls)), "{url}");
    }
    for wrong in
        ["h", "http://h", "redis://", "redis://h:x", "redis://h/x", "redis://::1", "redis://h/-1", "redis://h:1?a"]
    {
        assert_eq!(keys(&config(wrong)), ["redis"], "{wrong}");
    }
}

#[test]
fn a_password_in_an_address_is_refused_and_not_shown() {
    let problem = config("redis://:topsecret@h:1").problems().remove(0);
    assert_eq!(problem.key, "redis");
    assert!(!problem.to_string().contains("topsecret"), "{problem}");
}

#[test]
fn what_does_not_go_together_is_told() {
    let base = config("redis://h");
    let ca = Config { redis_ca_file: Some("/nowhere".into()), ..base.clone() };
    assert_eq!(keys(&ca), ["redis_ca_file"]);
    assert_eq!(keys(&Config { redis_username: Some("u".to_owned()), ..base }), ["redis_password"]);
}

#[test]
fn files_that_cannot_be_read_are_told_by_key() {
    let folder = tempfile::tempdir().unwrap();
    let file = |config: &Config| config.problems_of_files().into_iter().map(|problem| problem.key).collect::<Vec<_>>();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, "no certificate").unwrap();
    assert_eq!(file(&Config { redis_ca_file: Some(ca), ..config("rediss://h") }), ["redis_ca_file"]);
}
