//! What is said to people, in both languages of the console.

use serde::Serialize;

/// One text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Said {
    /// In English.
    #[serde(rename = "en")]
    pub english: String,
    /// In Chinese.
    #[serde(rename = "zh")]
    pub chinese: String,
}

/// A text in both.
pub(super) fn said(english: impl Into<String>, chinese: impl Into<String>) -> Said {
    Said { english: english.into(), chinese: chinese.into() }
}
