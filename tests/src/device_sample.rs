//! A device's code sample, as the console shows it, run as it stands.

use std::process::Command;

use crate::process::{Process, beside_tests};

/// One that runs.
#[derive(Debug)]
pub struct DeviceSample(Process);

impl DeviceSample {
    /// Runs one in Python, with the SDKs that `tests/run` installed and these variables.
    pub fn in_python(code: &str, variables: &[(&str, &str)]) -> Self {
        let mut python = Command::new(beside_tests("sdk-venv/bin/python"));
        python.arg("-u").arg("-c").arg(code).envs(variables.iter().copied());
        Self(Process::start("a sample", &mut python))
    }

    /// Waits for a line with this.
    pub fn says(&self, text: &str) -> String {
        self.0.line(text, |line| line.contains(text).then(|| line.to_owned()))
    }
}
