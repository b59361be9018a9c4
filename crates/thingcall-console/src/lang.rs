//! The two languages of the pages.

use axum::http::HeaderMap;
use axum::http::header::ACCEPT_LANGUAGE;

use crate::session;

/// A language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Lang {
    /// English.
    #[default]
    En,
    /// Simplified Chinese.
    Zh,
}

/// The cookie that holds a visitor's choice.
pub(crate) const COOKIE: &str = "thingcall_lang";

impl Lang {
    /// The text in this language. Both stand where the page is made, so that none is forgotten.
    pub(crate) const fn say<'a>(self, english: &'a str, chinese: &'a str) -> &'a str {
        match self {
            Self::En => english,
            Self::Zh => chinese,
        }
    }

    /// Its tag.
    pub(crate) const fn tag(self) -> &'static str {
        self.say("en", "zh-CN")
    }

    /// The one with this tag.
    pub(crate) fn of_tag(tag: &str) -> Option<Self> {
        match tag {
            "en" => Some(Self::En),
            "zh" | "zh-CN" => Some(Self::Zh),
            _ => None,
        }
    }

    /// The one that a visitor chose, or else the first of those that its browser asks for.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let chosen = session::cookie(headers, COOKIE).and_then(|tag| Self::of_tag(&tag));
        chosen.unwrap_or_else(|| {
            let wanted = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
            let first = wanted.split(',').find_map(|tag| match tag.trim() {
                tag if tag.starts_with("zh") => Some(Self::Zh),
                tag if tag.starts_with("en") => Some(Self::En),
                _ => None,
            });
            first.unwrap_or_default()
        })
    }
}
