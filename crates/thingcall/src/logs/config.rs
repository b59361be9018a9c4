//! What is logged, and how.

use std::num::NonZeroU32;

use serde::Deserialize;
use thingcall_core::{Check, Problem, Section};

use super::{LEVELS, of_configuration};

/// What is logged.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Log {
    /// `error`, `warn`, `info`, `debug`, `trace`, or a filter such as `info,thingcall_engine=debug`. `RUST_LOG` wins.
    pub level: String,
    /// How it is written.
    pub format: LogFormat,
    /// More lines of a kind are left out within a second, and a line says how many were.
    pub kind_lines_per_second_max: NonZeroU32,
    /// Longer lines are cut.
    pub line_bytes_max: usize,
}

impl Default for Log {
    fn default() -> Self {
        let kind_lines_per_second_max = const { NonZeroU32::new(50).unwrap() };
        Self { level: "info".to_owned(), format: LogFormat::Auto, kind_lines_per_second_max, line_bytes_max: 4096 }
    }
}

impl Section for Log {
    fn problems(&self) -> Vec<Problem> {
        let mut check = Check::default();
        if let Err(error) = of_configuration(&self.level) {
            check.add(Problem::new("level", format_args!("{:?} ({error})", self.level), LEVELS));
        }
        check.at_least("line_bytes_max", self.line_bytes_max, 512);
        check.into_problems()
    }
}

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    #[default]
    Auto,
    /// For eyes.
    Text,
    /// One object a line.
    Json,
}
