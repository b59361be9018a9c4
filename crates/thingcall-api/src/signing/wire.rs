//! A request as it is written down: of a command, of a dump, or about to be sent.

use hyper::Request;
use hyper::http::request::Parts;
use hyper::http::uri::PathAndQuery;

use super::finding::Finding;
use super::said::said;
use super::shell::quoted;

/// A request. Nothing in it is checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Wire {
    /// Its method.
    pub(super) method: String,
    /// `http` or `https`.
    pub(super) scheme: String,
    /// The host of its URL, with the port that stands there.
    pub(super) authority: Option<String>,
    /// Path and query as they are written.
    pub(super) target: String,
    /// Headers as they are written.
    pub(super) headers: Vec<(String, String)>,
    /// The body.
    pub(super) body: Vec<u8>,
}

impl Wire {
    /// Reads a URL into a request without headers.
    pub(super) fn of_url(method: &str, url: &str) -> Self {
        let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at_checked(end).unwrap_or((rest, ""));
        // A user's name and password are no part of the host.
        let authority = authority.rsplit('@').next().unwrap_or_default();
        let target = target.split('#').next().unwrap_or_default();
        let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
        Self {
            method: method.to_owned(),
            scheme: scheme.to_ascii_lowercase(),
            authority: Some(authority.to_owned()).filter(|host| !host.is_empty()),
            target,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// The query as it is written.
    pub(super) fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    /// The first header of this name.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    /// Adds a header, unless there is one of this name.
    pub(super) fn or_header(&mut self, name: &str, value: &str) {
        if self.header(name).is_none() {
            self.headers.push((name.to_owned(), value.to_owned()));
        }
    }

    /// As the server gets it, and what in it can be in no request.
    pub(super) fn parts(&self) -> (Parts, Vec<Finding>) {
        let mut found = Vec::new();
        let mut request = Request::new(());
        match self.method.parse() {
            Ok(method) => *request.method_mut() = method,
            Err(_) => found.push(Finding::seen(
                "malformed_method",
                said(
                    format!("The method {:?} is none.", cut(&self.method)),
                    format!("{:?} 不是 HTTP 方法。", cut(&self.method)),
                ),
                said("Use GET or POST.", "应使用 GET 或 POST。"),
            )),
        }
        let target = self.target.parse::<PathAndQuery>().ok().filter(|_| self.target.is_ascii());
        let target = target.or_else(|| {
            found.push(raw_in_target(&self.target));
            escaped(&self.target).parse().ok()
        });
        if let Some(target) = target {
            *request.uri_mut() = target.into();
        }
        for (name, value) in &self.headers {
            match (name.parse::<hyper::header::HeaderName>(), value.trim().parse::<hyper::header::HeaderValue>()) {
                (Ok(name), Ok(value)) => {
                    // As many as the server reads.
                    request.headers_mut().try_append(name, value).ok();
                }
                (Err(_), _) | (_, Err(_)) => found.push(Finding::seen(
                    "malformed_header",
                    said(
                        format!("The header {:?} is malformed.", cut(name)),
                        format!("请求头 {:?} 格式不正确。", cut(name)),
                    ),
                    said("A header is `name: value` on one line.", "请求头应写成一行：`名称: 值`。"),
                )),
            }
        }
        (request.into_parts().0, found)
    }

    /// As a command.
    pub(super) fn curl(&self) -> String {
        let host = self.authority.clone().unwrap_or_default();
        let url = format!("{}://{host}{}", self.scheme, self.target);
        let mut lines = vec![format!("curl -sS -X {} {}", self.method, quoted(&url))];
        lines.extend(self.headers.iter().map(|(name, value)| format!("  -H {}", quoted(&format!("{name}: {value}")))));
        if !self.body.is_empty() {
            lines.push(format!("  --data-raw {}", quoted(&String::from_utf8_lossy(&self.body))));
        }
        lines.join(" \\\n")
    }
}

/// As much of a text as a finding tells.
pub(super) fn cut(text: &str) -> String {
    text.chars().take(64).collect()
}

fn may_stand(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte)
}

fn escaped(target: &str) -> String {
    let one = |byte: u8| if may_stand(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    target.bytes().map(one).collect()
}

fn raw_in_target(target: &str) -> Finding {
    let first = target.chars().enumerate().find(|(_, char)| !u8::try_from(*char).is_ok_and(may_stand));
    let (at, char) = first.unwrap_or((0, ' '));
    Finding::seen(
        "raw_in_url",
        said(
            format!("The URL holds {char:?} as it is, at character {} of its path and query.", at + 1),
            format!("URL 的路径与查询串第 {} 个字符处直接写了 {char:?}。", at + 1),
        ),
        said(
            format!("In a URL it is written {}.", escaped(&char.to_string())),
            format!("在 URL 中应写作 {}。", escaped(&char.to_string())),
        ),
    )
}
