//! Who would read `deploy/`, asked what they say of it: Helm's engine, Kubernetes's schemas, the one of compose files. A Python process.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::json_lines::Script;

/// The folder `deploy/`.
pub fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy")
}

/// A running check.
#[derive(Debug)]
pub struct Readers(Script);

/// What the chart makes of values.
#[derive(Debug, Clone)]
pub struct Rendered {
    /// The manifests.
    pub manifests: Vec<Value>,
    /// Their text.
    pub text: String,
    /// What Helm shows.
    pub notes: String,
    /// What Kubernetes's schemas say against it.
    pub problems: Vec<Value>,
}

impl Rendered {
    /// The one manifest of this kind, if there is one.
    pub fn kind(&self, kind: &str) -> Option<&Value> {
        self.manifests.iter().find(|one| at(one, "/kind") == kind)
    }

    /// The configuration file in its ConfigMap.
    ///
    /// # Panics
    /// If there is none.
    pub fn configuration(&self) -> &str {
        let map = self.kind("ConfigMap").expect("a ConfigMap");
        map.pointer("/data/thingcall.toml").and_then(Value::as_str).expect("a configuration")
    }
}

impl Readers {
    /// Starts it, for the chart and these versions of Kubernetes.
    pub fn start(kubernetes: &[&str]) -> Self {
        let argument = json!({ "chart": deploy().join("helm/thingcall"), "kubernetes": kubernetes });
        Self(Script::start_package("readers of deploy", "check.py", &argument))
    }

    /// What the chart makes of these values, or why it makes nothing.
    ///
    /// # Errors
    /// Why it makes nothing.
    pub fn render(&self, values: &Value) -> Result<Rendered, String> {
        let answer = self.ask(&json!({ "ask": "render", "values": values }));
        if let Some(refused) = answer.get("refused").and_then(Value::as_str) {
            return Err(refused.to_owned());
        }
        let list = |name: &str| answer.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
        let text = |name: &str| answer.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        Ok(Rendered {
            manifests: list("manifests"),
            problems: list("problems"),
            text: text("text"),
            notes: text("notes"),
        })
    }

    /// What `helm lint` says of the chart with these values.
    pub fn lint(&self, values: &Value) -> Value {
        at(&self.ask(&json!({ "ask": "lint", "values": values })), "/said")
    }

    /// What the schema of compose files says against this one.
    pub fn compose(&self, file: &Path) -> Value {
        at(&self.ask(&json!({ "ask": "compose", "file": file })), "/problems")
    }

    fn ask(&self, request: &Value) -> Value {
        self.0.send(request);
        self.0.next("an answer", |answer| Some(answer.clone()))
    }
}

fn at(value: &Value, pointer: &str) -> Value {
    value.pointer(pointer).cloned().unwrap_or_default()
}
