//! Signatures of requests: why one is not the right one, and how one is made.

use std::sync::Arc;

use async_trait::async_trait;
use thingcall_core::AccessKey;

use super::Answer;

/// Whose requests somebody may be told of.
#[derive(Debug, Clone)]
pub enum Whose {
    /// Those of this key.
    Of(Arc<AccessKey>),
    /// Those of every key.
    Anybodys,
}

/// A request to be signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToSign {
    /// The action.
    pub action: String,
    /// The action's own parameters.
    pub params: Vec<(String, String)>,
    /// Which signature.
    pub signature: SignatureKind,
    /// By which method it is sent.
    pub method: SendBy,
}

/// The two signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureKind {
    /// `HMAC-SHA1`.
    V1,
    /// `ACS3-HMAC-SHA256`.
    Acs3,
}

/// The two methods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendBy {
    /// With everything in the URL.
    Get,
    /// With a form, where the signature lets it.
    Post,
}

/// What pages ask of signatures. No answer holds a secret.
#[async_trait]
pub trait Signatures: Send + Sync {
    /// Says why the signature of what is pasted is right or is not: status 200 with the explanation, else 422. Every text in it has
    /// members `en` and `zh`. No signature is in it that was not given.
    async fn explain(&self, pasted: String, whose: Whose) -> Answer;

    /// Signs a request with this key and shows each step: status 200 with `steps` and `curl`, else 422 as above.
    fn sign(&self, key: &AccessKey, asked: &ToSign) -> Answer;
}
