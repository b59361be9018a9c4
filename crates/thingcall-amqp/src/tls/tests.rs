//! Files that cannot be used are told at the start, by key and name. That good ones work is tried against RabbitMQ.

use super::*;

fn problem(tls: &BrokerTls) -> (String, String) {
    let problem = load(tls).map(drop).unwrap_err().swap_remove(0);
    (problem.key, problem.value)
}

#[test]
fn a_file_that_is_missing_or_of_another_form_is_told() {
    let tls = BrokerTls { ca_file: Some("no-such-file.pem".into()), ..BrokerTls::default() };
    let (key, missing) = problem(&tls);
    assert_eq!(key, "tls.ca_file");
    assert!(missing.contains("No such file"), "{missing}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.der");
    let told = |text: &[u8]| {
        std::fs::write(&path, text).unwrap();
        problem(&BrokerTls { ca_file: Some(path.clone()), ..BrokerTls::default() })
    };
    let (key, value) = told(b"0\x82\x01");
    assert!(key == "tls.ca_file" && value.ends_with("ca.der (it holds none)"), "{value}");
    let (key, value) = told(b"-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n");
    assert!(key == "tls.ca_file" && value.contains("ca.der (") && value.contains("valid certificates"), "{value}");
}
