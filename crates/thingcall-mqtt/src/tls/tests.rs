//! Files that cannot be used are told at the start, by key and name. That good ones work is tried in `tests/tls.rs`.

use std::path::PathBuf;

use super::*;

fn file(folder: &tempfile::TempDir, name: &str, text: &str) -> Option<PathBuf> {
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    Some(path)
}

fn problems(tls: &BrokerTls) -> Vec<(String, String)> {
    let problems = load(tls).map(drop).unwrap_err();
    problems.into_iter().map(|problem| (problem.key, problem.value)).collect()
}

/// In PEM form, and no certificate.
const PEM: &str = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";

#[test]
fn each_file_that_is_missing_or_no_certificate_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let tls = BrokerTls {
        ca_file: Some("no-such-file.pem".into()),
        client_cert_file: file(&folder, "cert.pem", "0\u{82}\u{1}"),
        client_key_file: file(&folder, "key.pem", PEM),
    };
    let found = problems(&tls);
    let told: Vec<_> = found.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let [("tls.ca_file", ca), ("tls.client_cert_file", cert), ("tls.client_key_file", key)] = told[..] else {
        panic!("{told:?}")
    };
    assert!(ca.starts_with("no-such-file.pem (No such file"), "{ca}");
    assert!(cert.ends_with("cert.pem (it holds none)") && key.ends_with("key.pem (it holds none)"), "{cert}, {key}");
}

#[test]
fn certificate_that_is_only_in_the_right_form_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let tls = BrokerTls { ca_file: file(&folder, "ca.pem", PEM), ..BrokerTls::default() };
    assert!(problems(&tls)[0].1.ends_with("ca.pem (it holds none that can be read)"));
}
