//! A code sample of the console's, taken from its page and run as whoever copies it runs it.

use std::process::{Command, Stdio};

use tempfile::tempdir;

use crate::app::Key;
use crate::process::beside_tests;

/// What runs a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runs {
    /// Python, with the SDKs for it.
    Python,
    /// Node, with the SDKs for it.
    Node,
    /// A shell.
    Shell,
}

/// The code of the sample with this id on a page.
///
/// # Panics
/// If there is none.
pub fn code_on(page: &str, id: &str) -> String {
    let begin = format!("<code id=\"code-{id}\">");
    let rest = page.split_once(&begin).unwrap_or_else(|| panic!("no sample {id} on {page}")).1;
    let code = rest.split_once("</code>").expect("it ends").0;
    let texts = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&amp;", "&")];
    texts.iter().fold(code.to_owned(), |code, (written, text)| code.replace(written, text))
}

/// Runs a sample with this key in its environment, and returns what it printed.
///
/// # Panics
/// If it fails.
pub fn run_sample(code: &str, runs: Runs, key: &Key) -> String {
    let folder = tempdir().expect("a scratch folder");
    let file = folder.path().join("sample");
    std::fs::write(&file, code).expect("the scratch folder can be written");
    let mut command = match runs {
        Runs::Python => Command::new(beside_tests("sdk-venv/bin/python")),
        Runs::Node => Command::new("node"),
        Runs::Shell => Command::new("sh"),
    };
    command.arg(&file).env("NODE_PATH", beside_tests("node/node_modules")).stdin(Stdio::null());
    command.env("ALIBABA_CLOUD_ACCESS_KEY_ID", &key.id).env("ALIBABA_CLOUD_ACCESS_KEY_SECRET", &key.secret);
    let output = command.output().expect("it can be run");
    let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{runs:?}: {out}\n{error}\n{code}");
    out.into_owned()
}
