//! A Redis that is spoken to by TLS.

use std::path::Path;
use std::process::Command;

use thingcall_core::{NonceUse, NonceVerdict, SharedError, SharedNonces, UnixMillis};

use super::server::Server;
use crate::{Config, Redis};

/// An authority, and a certificate by it for 127.0.0.1.
fn make_certificates(folder: &Path) {
    let openssl = |args: &str| {
        let output = Command::new("openssl").args(args.split_whitespace()).current_dir(folder).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2";
    openssl(&format!("req -x509 {key} -keyout ca.key -out ca.pem -subj /CN=ca"));
    std::fs::write(folder.join("ext"), "subjectAltName=IP:127.0.0.1").unwrap();
    openssl(&format!("req {key} -keyout server.key -out server.csr -subj /CN=server"));
    openssl("x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out server.pem");
}

#[tokio::test]
async fn it_is_believed_by_its_authority_and_by_nobody_elses() {
    let folder = tempfile::tempdir().unwrap();
    make_certificates(folder.path());
    let file = |name: &str| folder.path().join(name);
    let lines = format!(
        "port 0\ntls-port PORT\ntls-auth-clients no\ntls-cert-file {}\ntls-key-file {}\ntls-ca-cert-file {}",
        file("server.pem").display(),
        file("server.key").display(),
        file("ca.pem").display()
    );
    let server = Server::start(&lines);
    let used = NonceUse {
        key: "k",
        nonce: "n",
        signed_at: UnixMillis(UnixMillis::now().0 + 5000),
        keep: std::time::Duration::from_secs(60),
    };
    let config = Config { redis: format!("rediss://127.0.0.1:{}", server.port), ..server.config() };
    let known = Config { redis_ca_file: Some(file("ca.pem")), ..config.clone() };
    assert_eq!(Redis::new(&known).unwrap().note(used).await, Ok(NonceVerdict::New));
    let Err(SharedError(why)) = Redis::new(&config).unwrap().note(used).await else { panic!("nobody vouches for it") };
    assert!(why.to_lowercase().contains("certificate"), "{why}");
}
