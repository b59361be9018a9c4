//! Certificates on both sides of a connection.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use rumqttc_v4::tokio_rustls::TlsAcceptor;
use rumqttc_v4::tokio_rustls::rustls::crypto::aws_lc_rs;
use rumqttc_v4::tokio_rustls::rustls::server::WebPkiClientVerifier;
use rumqttc_v4::tokio_rustls::rustls::{RootCertStore, ServerConfig};
use thingcall_transport::{BrokerTls, certificates, private_key};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use super::*;

/// An authority, and certificates by it for the broker and for us.
fn make_certificates(folder: &Path) {
    let openssl = |args: &str| {
        let args = args.split_whitespace();
        let output = Command::new("openssl").args(args).current_dir(folder).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2";
    openssl(&format!("req -x509 {key} -keyout ca.key -out ca.pem -subj /CN=ca"));
    for (name, subject) in [("server", "subjectAltName=IP:127.0.0.1"), ("client", "subjectAltName=DNS:client")] {
        std::fs::write(folder.join("ext"), subject).unwrap();
        openssl(&format!("req {key} -keyout {name}.key -out {name}.csr -subj /CN={name}"));
        openssl(&format!(
            "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out {name}.pem"
        ));
    }
}

/// A broker's side that wants a certificate by the authority.
fn acceptor(folder: &Path) -> TlsAcceptor {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates("", &folder.join("ca.pem")).unwrap());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build().unwrap();
    let chain = certificates("", &folder.join("server.pem")).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, private_key("", &folder.join("server.key")).unwrap())
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

#[tokio::test]
async fn our_certificate_is_shown_and_the_brokers_is_believed_by_its_authority() {
    let folder = tempfile::tempdir().unwrap();
    make_certificates(folder.path());
    let file = |name: &str| Some(folder.path().join(name));
    for version in [Version::V4, Version::V5] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let broker = Broker::start(version).await;
        let bench = Bench::start(&broker, |config| {
            config.url = format!("mqtts://{}", listener.local_addr().unwrap());
            config.tls = BrokerTls {
                ca_file: file("ca.pem"),
                client_cert_file: file("client.pem"),
                client_key_file: file("client.key"),
            };
        });
        let (socket, _) = timeout(PATIENCE, listener.accept()).await.unwrap().unwrap();
        let mut socket = timeout(PATIENCE, acceptor(folder.path()).accept(socket)).await.unwrap().unwrap();
        assert!(socket.get_ref().1.peer_certificates().is_some_and(|shown| shown.len() == 1));
        assert_eq!(timeout(PATIENCE, socket.read_u8()).await.unwrap().unwrap(), 0x10, "CONNECT");
        bench.transport.shutdown(Duration::ZERO).await;
    }
}
