//! A target, and its limits.
//!
//! **Invariant:** whatever a slow target can make grow has its limit here, or a constant beside its use.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use thingcall_core::{Check, MessageFilter, MessageKind, Problem, ProductKey, Secret, Section, Wanted};
use url::Url;

use crate::authorities::authorities;
use crate::sign::{RIGHT, SigningKeys};

/// A section `[webhooks.NAME]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where messages are sent to, `https://` or `http://`.
    pub url: String,
    /// What requests are signed with: `whsec_...`.
    pub secret: Option<Secret>,
    /// Who may vouch for an `https://` target; the system's authorities if not given.
    pub ca_file: Option<PathBuf>,
    /// Of which products' devices; of all if empty.
    #[serde(default)]
    pub products: Vec<ProductKey>,
    /// Which kinds of messages; all if empty.
    #[serde(default)]
    pub kinds: Vec<MessageKind>,
    /// Of which modules, where a message is about modules; of all if empty. The empty text is the default module.
    #[serde(default)]
    pub modules: Vec<String>,
    /// How long a request may take, its connection and its answer included.
    #[serde(with = "humantime_serde", default = "timeout")]
    pub timeout: Duration,
    /// Requests on their way at once.
    #[serde(default = "in_flight_requests_max")]
    pub in_flight_requests_max: NonZeroUsize,
    /// What their messages may hold together; one that holds more goes alone.
    #[serde(default = "in_flight_bytes_max")]
    pub in_flight_bytes_max: NonZeroUsize,
    /// How often a message is sent before it is a dead letter.
    #[serde(default = "tries_max")]
    pub tries_max: NonZeroU32,
    /// When a message is sent a second time; then twice as long is waited, and so on.
    #[serde(with = "humantime_serde", default = "retry_pause_min")]
    pub retry_pause_min: Duration,
    /// The longest of these pauses.
    #[serde(with = "humantime_serde", default = "retry_pause_max")]
    pub retry_pause_max: Duration,
}

const fn timeout() -> Duration {
    Duration::from_secs(10)
}

const fn in_flight_requests_max() -> NonZeroUsize {
    const { NonZeroUsize::new(8).unwrap() }
}

const fn in_flight_bytes_max() -> NonZeroUsize {
    const { NonZeroUsize::new(1024 * 1024).unwrap() }
}

const fn tries_max() -> NonZeroU32 {
    const { NonZeroU32::new(12).unwrap() }
}

const fn retry_pause_min() -> Duration {
    Duration::from_secs(5)
}

const fn retry_pause_max() -> Duration {
    Duration::from_secs(60 * 60)
}

const RIGHT_URL: &str = "https://HOST/PATH or http://HOST/PATH, without user and password";

impl Config {
    /// What is read of the log for it.
    pub(crate) fn wanted(&self) -> Wanted {
        let (products, kinds) = (self.products.clone(), self.kinds.clone());
        MessageFilter { products, kinds, modules: Vec::new() }.wanted()
    }

    /// What its requests are signed with.
    ///
    /// # Errors
    /// If it cannot be read, or is none.
    pub(crate) fn keys(&self) -> Result<SigningKeys, Problem> {
        let keys = self.secret.as_ref().and_then(SigningKeys::read);
        let value = if self.secret.is_some() { "wrong (not shown)" } else { "missing" };
        keys.ok_or_else(|| Problem::new("secret", value, RIGHT))
    }

    /// Where it is, for people. What stands behind the path is often a secret.
    pub fn place(&self) -> String {
        let place = self.url.split_once('?').map(|(place, _)| format!("{place}?..."));
        place.unwrap_or_else(|| self.url.clone())
    }

    pub(crate) fn ca_file(&self) -> Option<&Path> {
        self.ca_file.as_deref()
    }

    fn address(&self) -> Option<Url> {
        let url = Url::parse(&self.url).ok()?;
        let fits = matches!(url.scheme(), "http" | "https") && url.has_host();
        (fits && url.username().is_empty() && url.password().is_none()).then_some(url)
    }
}

impl Section for Config {
    fn problems(&self) -> Vec<Problem> {
        let mut check = Check::default();
        let address = self.address();
        // A password does not belong into a URL, and even less into an error.
        let shown = if self.url.contains('@') { "(not shown: it holds an @)" } else { &self.url };
        check.must(address.is_some(), "url", format_args!("{shown:?}"), RIGHT_URL);
        let plain = address.is_some_and(|url| url.scheme() == "http");
        let right = "no such line, or https:// in url: without TLS nothing is certified";
        check.must(!(plain && self.ca_file.is_some()), "ca_file", "set", right);
        self.keys().err().into_iter().for_each(|problem| check.add(problem));
        check.at_most("in_flight_requests_max", self.in_flight_requests_max.get(), 1000);
        let hour = Duration::from_secs(60 * 60);
        check.between("timeout", self.timeout, Duration::from_millis(1), hour);
        check.between("retry_pause_min", self.retry_pause_min, Duration::from_millis(1), 24 * hour);
        check.between("retry_pause_max", self.retry_pause_max, self.retry_pause_min, 24 * hour);
        check.into_problems()
    }

    fn problems_of_files(&self) -> Vec<Problem> {
        let authorities = if self.url.starts_with("https") { authorities(self.ca_file()).err() } else { None };
        authorities.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    //! What is refused, and what is said of it.

    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    pub(crate) fn config(url: &str) -> Config {
        let text = serde_json::json!({ "url": url, "secret": SECRET }).to_string();
        serde_json::from_str(&text).expect("a configuration")
    }

    fn keys(config: &Config) -> Vec<String> {
        config.problems().into_iter().map(|problem| problem.key).collect()
    }

    #[test]
    fn a_target_needs_an_address_and_one_secret() {
        assert_eq!(keys(&config("https://example.com/hook")), <[&str; 0]>::default());
        for wrong in ["", "example.com", "ftp://example.com", "https://", "https://me:pw@example.com/"] {
            assert_eq!(keys(&config(wrong)), ["url"], "{wrong}");
        }
        let said = config("https://me:pw@example.com/").problems();
        assert!(said.iter().all(|problem| !problem.to_string().contains("pw")), "{said:?}");
        let right = config("http://h/");
        assert_eq!(keys(&Config { secret: None, ..right.clone() }), ["secret"]);
        assert_eq!(keys(&Config { secret: Some(Secret::new("short")), ..right.clone() }), ["secret"]);
        assert_eq!(keys(&Config { ca_file: Some("c".into()), ..right }), ["ca_file"]);
    }

    #[test]
    fn people_are_not_shown_what_stands_behind_the_path() {
        assert_eq!(config("https://h/hook?key=hush").place(), "https://h/hook?...");
        assert_eq!(config("https://h/hook").place(), "https://h/hook");
    }

    #[test]
    fn products_and_kinds_are_wanted_of_the_log() {
        let (product, kinds) = ("a".try_into().expect("a key"), vec![MessageKind::Result]);
        let wanted = Config { kinds, products: vec![product], ..config("http://h/") }.wanted();
        let of: Vec<_> = wanted.of.iter().map(|(product, _)| product.as_ref().map(ProductKey::as_str)).collect();
        assert_eq!((of, wanted.of.len()), (vec![Some("a")], 1));
        assert!(wanted.of.iter().all(|(_, kinds)| kinds.iter().eq([MessageKind::Result])), "{wanted:?}");
    }
}
