//! Files that cannot be used are told at the start, by key and name. That good ones work is tried against RabbitMQ.

use super::*;

fn problem(tls: &BrokerTls) -> (&'static str, String) {
    match load(tls) {
        Err(BrokerProblem::File { key, problem, .. }) => (key, problem),
        other => panic!("{:?}", other.map(drop)),
    }
}

#[test]
fn a_file_that_is_missing_or_of_another_form_is_told() {
    let tls = BrokerTls { ca_file: Some("no-such-file.pem".into()), ..BrokerTls::default() };
    let (key, missing) = problem(&tls);
    assert_eq!(key, "ca_file");
    assert!(missing.contains("No such file"), "{missing}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.der");
    std::fs::write(&path, b"0\x82\x01").unwrap();
    let tls = BrokerTls { ca_file: Some(path), ..BrokerTls::default() };
    assert_eq!(problem(&tls), ("ca_file", "holds no certificate in PEM form".to_owned()));
}
