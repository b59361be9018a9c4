//! What the console tells of signatures.
//!
//! **Invariant:** whoever may not look at the whole server is told of requests of its own key alone.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;
use serde_json::{Value, json};
use thingcall_api::sign::Signer;
use thingcall_api::signing::{self, Ask, Said, Style, Verb, With};
use thingcall_console::{Answer, SendBy, SignatureKind, Signatures, ToSign, Whose};
use thingcall_core::{AccessKey, Keys, UnixMillis};
use thingcall_store::Store;
use tokio::sync::Semaphore;

use super::Asks;

/// So many are explained at once: each takes a processor for as long as it lasts.
const AT_ONCE_MAX: usize = 2;

/// Signatures, made and explained.
pub(super) struct SignatureDesk {
    store: Arc<Store>,
    skew: Duration,
    api: SocketAddr,
    at_once: Semaphore,
}

/// One key, beside which there are no others.
struct OneKey(Arc<AccessKey>);

impl Keys for OneKey {
    fn key(&self, id: &str) -> Option<Arc<AccessKey>> {
        (self.0.id == id).then(|| self.0.clone())
    }
}

impl SignatureDesk {
    /// Of requests to this address, which may be so far off.
    pub(super) fn new(store: Arc<Store>, skew: Duration, api: SocketAddr) -> Self {
        Self { store, skew, api, at_once: Semaphore::new(AT_ONCE_MAX) }
    }

    /// Why the signature of what is pasted is right or is not.
    async fn explain(&self, pasted: String, whose: Whose) -> Answer {
        // It is never closed.
        let _turn = self.at_once.acquire().await.ok();
        let (store, skew, api) = (self.store.clone(), self.skew, self.api);
        let explained = tokio::task::spawn_blocking(move || {
            let hosts = [api.to_string(), format!("localhost:{}", api.port())];
            let now = UnixMillis::now();
            match whose {
                Whose::Of(key) => {
                    signing::explain(&pasted, &With { keys: &OneKey(key), others: &[], now, skew, hosts: &hosts })
                }
                Whose::Anybodys => {
                    let others = store.keys();
                    signing::explain(&pasted, &With { keys: &*store, others: &others, now, skew, hosts: &hosts })
                }
            }
        });
        match explained.await {
            Ok(explained) => answer(explained),
            Err(error) => Answer { status: 500, body: json!({ "en": error.to_string(), "zh": error.to_string() }) },
        }
    }

    /// A request that is signed, step by step.
    fn sign(&self, key: &AccessKey, asked: &ToSign) -> Answer {
        let params: Vec<_> = asked.params.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let signer =
            Signer { key_id: key.id.clone(), secret: key.secret.clone(), security_token: key.security_token.clone() };
        let mut nonce = [0; 16];
        if let Err(error) = getrandom::fill(&mut nonce) {
            return Answer { status: 500, body: json!({ "en": error.to_string(), "zh": error.to_string() }) };
        }
        answer(signing::steps(&Ask {
            endpoint: &self.api.to_string(),
            action: &asked.action,
            params: &params,
            style: match asked.signature {
                SignatureKind::V1 => Style::V1,
                SignatureKind::Acs3 => Style::Acs3,
            },
            verb: match asked.method {
                SendBy::Get => Verb::Get,
                SendBy::Post => Verb::Post,
            },
            signer: &signer,
            at: UnixMillis::now(),
            nonce: &hex::encode(nonce),
        }))
    }
}

#[async_trait]
impl Signatures for Asks {
    async fn explain(&self, pasted: String, whose: Whose) -> Answer {
        self.signatures.explain(pasted, whose).await
    }

    fn sign(&self, key: &AccessKey, asked: &ToSign) -> Answer {
        self.signatures.sign(key, asked)
    }
}

fn answer(said: Result<impl Serialize, Said>) -> Answer {
    match said {
        Ok(value) => Answer { status: 200, body: serde_json::to_value(value).unwrap_or(Value::Null) },
        Err(why) => Answer { status: 422, body: json!(why) },
    }
}
