//! Files that cannot be used are told at the start, by key and name.

use super::*;

fn file(folder: &tempfile::TempDir, name: &str, text: &str) -> Option<std::path::PathBuf> {
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    Some(path)
}

fn problem(tls: &BrokerTls) -> (&'static str, String) {
    match load(tls) {
        Err(BrokerProblem::File { key, problem, .. }) => (key, problem),
        other => panic!("{:?}", other.map(drop)),
    }
}

const PEM: &str = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";

#[test]
fn a_file_that_is_missing_is_told() {
    let tls = BrokerTls { ca_file: Some("no-such-file.pem".into()), ..BrokerTls::default() };
    let (key, problem) = problem(&tls);
    assert_eq!(key, "ca_file");
    assert!(problem.contains("No such file"), "{problem}");
}

#[test]
fn a_file_of_another_form_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let tls = BrokerTls { ca_file: file(&folder, "ca.pem", "0\u{82}\u{1}"), ..BrokerTls::default() };
    assert_eq!(problem(&tls), ("ca_file", "is not in PEM form (no -----BEGIN line)".to_owned()));
}

#[test]
fn a_certificate_without_its_key_or_a_key_without_its_certificate_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (ca_file, other) = (file(&folder, "ca.pem", PEM), file(&folder, "other.pem", PEM));
    let tls = BrokerTls { ca_file: ca_file.clone(), client_cert_file: other.clone(), client_key_file: None };
    assert_eq!(problem(&tls), ("client_cert_file", "client_key_file is missing".to_owned()));
    let tls = BrokerTls { ca_file, client_cert_file: None, client_key_file: other.clone() };
    assert_eq!(problem(&tls), ("client_key_file", "client_cert_file is missing".to_owned()));
    let tls = BrokerTls { ca_file: None, client_cert_file: other.clone(), client_key_file: other };
    assert_eq!(problem(&tls).0, "client_cert_file");
}

#[test]
fn all_three_files_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name| file(&folder, name, PEM);
    let tls = BrokerTls { ca_file: file("ca"), client_cert_file: file("cert"), client_key_file: file("key") };
    let Ok(TlsConfiguration::Simple { client_auth: Some((cert, key)), ca, .. }) = load(&tls) else {
        panic!("not read")
    };
    assert_eq!([cert, key, ca], [PEM.as_bytes(); 3]);
}
