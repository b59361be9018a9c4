//! A login, as a cookie that says whose it is and since when, and a seal that nobody can make without the key's secret.
//!
//! **Invariants:** the seal is of the access key's own secret, so a session ends with its key, holds at every instance that
//! shares the store, and nothing is kept of it. Its secret is in no cookie and no page.

use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::header::COOKIE;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cookie::Cookie;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use thingcall_core::{AccessKey, UnixMillis};

/// Who is logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    /// The id of the access key.
    pub(crate) key_id: String,
    /// Since when.
    pub(crate) begun_at: UnixMillis,
    /// Tells it from another session of the same key.
    pub(crate) tag: String,
}

/// What a seal is of.
#[derive(Debug, Clone, Copy)]
enum Purpose {
    Login,
    Form,
}

impl Session {
    /// A new one.
    ///
    /// # Errors
    /// If the system has no random bytes.
    pub(crate) fn begin(key_id: &str, now: UnixMillis) -> Result<Self, getrandom::Error> {
        let mut tag = [0; 16];
        getrandom::fill(&mut tag)?;
        Ok(Self { key_id: key_id.to_owned(), begun_at: now, tag: URL_SAFE_NO_PAD.encode(tag) })
    }

    /// What the cookie holds.
    pub(crate) fn sealed(&self, key: &AccessKey) -> String {
        let text = self.text();
        format!("{text}.{}", seal(Purpose::Login, &text, key))
    }

    /// What a cookie says, before its seal is looked at.
    pub(crate) fn claimed(cookie: &str) -> Option<Self> {
        let mut parts = cookie.split('.');
        let (id, since, tag, _seal) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let key_id = String::from_utf8(URL_SAFE_NO_PAD.decode(id).ok()?).ok()?;
        Some(Self { key_id, begun_at: UnixMillis(since.parse().ok()?), tag: tag.to_owned() })
    }

    /// Whether the cookie that claims this one was made by a login with this key, and still counts.
    pub(crate) fn holds(&self, cookie: &str, key: &AccessKey, now: UnixMillis, lasts: Duration) -> bool {
        let age = now.0.saturating_sub(self.begun_at.0);
        let young = u64::try_from(age).is_ok_and(|age| u128::from(age) < lasts.as_millis());
        let sealed: bool = self.sealed(key).as_bytes().ct_eq(cookie.as_bytes()).into();
        young && sealed && key.stands(now)
    }

    /// What forms carry, so that another site cannot send them.
    pub(crate) fn form_token(&self, key: &AccessKey) -> String {
        seal(Purpose::Form, &self.text(), key)
    }

    /// Whether a form carried it.
    pub(crate) fn is_form_token(&self, key: &AccessKey, token: &str) -> bool {
        self.form_token(key).as_bytes().ct_eq(token.as_bytes()).into()
    }

    fn text(&self) -> String {
        format!("{}.{}.{}", URL_SAFE_NO_PAD.encode(&self.key_id), self.begun_at.0, self.tag)
    }
}

fn seal(purpose: Purpose, text: &str, key: &AccessKey) -> String {
    let purpose = match purpose {
        Purpose::Login => "login",
        Purpose::Form => "form",
    };
    let secret = format!("thingcall console {}", key.secret.expose());
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any length");
    mac.update(purpose.as_bytes());
    mac.update(&[0]);
    mac.update(text.as_bytes());
    URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
}

/// The value of a cookie that came with a request.
pub(crate) fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let all = headers.get_all(COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut all = all.flat_map(|value| Cookie::split_parse(value.to_owned())).filter_map(Result::ok);
    all.find(|cookie| cookie.name() == name).map(|cookie| cookie.value().to_owned())
}

#[cfg(test)]
mod tests;
