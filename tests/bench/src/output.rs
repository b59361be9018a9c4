//! What is printed: lines for eyes, or an object a line for scripts.

use std::io::{Write, stderr, stdout};

use serde_json::{Map, Value};

/// Prints one line. A closed stdout (`| head`) is not an error.
pub(crate) fn line(text: impl std::fmt::Display) {
    let mut out = stdout().lock();
    drop(writeln!(out, "{text}").and_then(|()| out.flush()));
}

/// Prints one JSON object, without those of its members that are null.
pub(crate) fn object(mut members: Map<String, Value>) {
    members.retain(|_, value| !value.is_null());
    line(Value::Object(members));
}

/// Says something beside the result, on stderr.
pub(crate) fn note(text: impl std::fmt::Display) {
    drop(writeln!(stderr().lock(), "{text}"));
}
