//! Actions that another part of this program asks for, without a socket and a signature.
//!
//! **Invariant:** they take the way of every request from the first look at the action on, so that rules, quota, records and
//! metrics hold for them too.

use std::sync::Arc;

use form_urlencoded::Serializer;
use http_body_util::BodyExt;
use hyper::body::Bytes;
use hyper::{Request, StatusCode};
use serde_json::Value;
use thingcall_core::AccessKey;
use tokio::time::Instant;

use crate::app::App;
use crate::origin::Origin;
use crate::request::{Received, handle};
use crate::sign;

/// Which instance is meant.
const INSTANCE: &str = "IotInstanceId";

/// The front, for parts of this program. Cheap to clone.
#[derive(Clone)]
pub struct Inside(Arc<App>);

/// An answer of an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The HTTP status that an SDK would have got: 200 also where the action failed.
    pub status: StatusCode,
    /// The JSON that it would have read.
    pub body: Value,
}

impl Inside {
    pub(crate) const fn new(app: Arc<App>) -> Self {
        Self(app)
    }

    /// Performs an action as this key. `params` are the action's own, as an SDK would send them.
    pub async fn perform(&self, key: Arc<AccessKey>, action: &str, params: &[(String, String)]) -> Answered {
        let (head, ()) = Request::new(()).into_parts();
        let received = Received { at: Instant::now(), head, body: self.form(action, params), unread: None };
        let answer = Box::pin(handle(self.0.clone(), received, Origin::Inside(key))).await;
        let status = answer.status();
        let Ok(body) = answer.into_body().collect().await;
        // What the front writes is JSON, since that was asked for.
        let body = serde_json::from_slice(&body.to_bytes()).unwrap_or(Value::Null);
        Answered { status, body }
    }

    /// A request's body, with the parameters that say which action it is, and of which instance: this one.
    fn form(&self, action: &str, params: &[(String, String)]) -> Bytes {
        let mut form = Serializer::new(String::new());
        form.extend_pairs([("Action", action), ("Version", sign::VERSION), ("Format", "JSON")]);
        let says = params.iter().any(|(name, _)| name == INSTANCE);
        form.extend_pairs(self.0.config.instance_id.iter().filter(|_| !says).map(|id| (INSTANCE, id)));
        Bytes::from(form.extend_pairs(params).finish())
    }
}

impl std::fmt::Debug for Inside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inside").finish_non_exhaustive()
    }
}
