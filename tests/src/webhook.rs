//! An application's server for webhooks, with the official library of Standard Webhooks: a Python process.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::json_lines::Script;

/// A secret of the convention.
pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// The server.
#[derive(Debug)]
pub struct WebhookReceiver {
    script: Script,
    url: String,
}

/// A request that came.
#[derive(Debug, Clone)]
pub struct ToldByWebhook {
    /// `webhook-id`
    pub id: String,
    /// What it was answered.
    pub status: u64,
    /// The body.
    pub body: Value,
    /// The header `traceparent`; null if there was none.
    pub traceparent: Value,
}

impl WebhookReceiver {
    /// Starts it. It takes everything that is signed with [`SECRET`].
    pub fn start() -> Self {
        Self::start_with(&json!({ "secret": SECRET }), "http")
    }

    /// The same with TLS, and a certificate whose authority is left in this folder as `ca.pem`.
    ///
    /// # Panics
    /// If openssl cannot make them.
    pub fn start_with_tls(folder: &Path) -> Self {
        let openssl = |args: &str| {
            let output = Command::new("openssl").args(args.split(' ')).current_dir(folder).output();
            let output = output.expect("openssl starts");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        };
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2";
        openssl(&format!("req -x509 {key} -keyout ca.key -out ca.pem -subj /CN=ca"));
        std::fs::write(folder.join("ext"), "subjectAltName=IP:127.0.0.1").expect("the folder can be written");
        openssl(&format!("req {key} -keyout key.pem -out server.csr -subj /CN=server"));
        openssl("x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out cert.pem");
        let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
        Self::start_with(&json!({ "secret": SECRET, "cert": cert, "key": key }), "https")
    }

    fn start_with(argument: &Value, scheme: &str) -> Self {
        let script = Script::start("webhook receiver", "webhook_receiver.py", argument);
        let port = script.event("listening").get("port").cloned().expect("a port");
        let url = format!("{scheme}://127.0.0.1:{port}/hook");
        Self { script, url }
    }

    /// Where it listens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// From now on it answers so.
    pub fn answers(&self, status: u16) {
        self.script.send(&json!({ "answer": status }));
        self.script.event("behaves");
    }

    /// The next request, which must be signed.
    ///
    /// # Panics
    /// If it is not.
    pub fn told(&self) -> ToldByWebhook {
        let told = self.script.event("told");
        let at = |path: &str| told.pointer(path).cloned().unwrap_or_default();
        assert_eq!(at("/verified"), true, "{told}");
        assert_eq!(at("/body/id"), at("/id"), "{told}");
        let id = at("/id").as_str().expect("an id").to_owned();
        ToldByWebhook {
            id,
            status: at("/status").as_u64().expect("a status"),
            body: at("/body"),
            traceparent: at("/traceparent"),
        }
    }
}
