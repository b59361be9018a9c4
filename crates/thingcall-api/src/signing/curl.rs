//! A `curl` command, and the request that it sends.

use form_urlencoded::byte_serialize;

use super::finding::Finding;
use super::said::said;
use super::shell::{Words, words};
use super::wire::Wire;

/// Options of one letter that take a value.
const SHORT_WITH_VALUE: &str = "AbCcdDeEFHhKmMoPQrtTuUwxXyYz";

/// Options that take a value which says nothing of the request.
const LONG_WITH_VALUE: &[&str] = &[
    "cacert",
    "capath",
    "cert",
    "ciphers",
    "connect-timeout",
    "connect-to",
    "config",
    "cookie-jar",
    "dump-header",
    "interface",
    "key",
    "limit-rate",
    "max-redirs",
    "max-time",
    "noproxy",
    "output",
    "output-dir",
    "proxy",
    "proxy-user",
    "range",
    "resolve",
    "retry",
    "retry-delay",
    "retry-max-time",
    "speed-limit",
    "speed-time",
    "stderr",
    "trace",
    "trace-ascii",
    "unix-socket",
    "write-out",
];

/// Reads the command at the beginning of the text; tells where it ends.
pub(super) fn read(text: &str) -> (Wire, Vec<Finding>, usize) {
    let Words { words, found, end } = words(text);
    let mut command = Command { found, ..Command::default() };
    let mut words = words.into_iter().skip(1);
    while let Some(word) = words.next() {
        match word.strip_prefix("--") {
            Some(long) if !long.is_empty() => command.long(long, &mut words),
            Some(_) | None if word.len() > 1 && word.starts_with('-') => command.short(&word, &mut words),
            Some(_) | None => command.url(word),
        }
    }
    let (wire, found) = command.sent();
    (wire, found, end)
}

#[derive(Default)]
struct Command {
    method: Option<String>,
    url: Option<String>,
    headers: Vec<(String, String)>,
    data: Vec<Vec<u8>>,
    /// Data goes into the query.
    get: bool,
    head: bool,
    json: bool,
    found: Vec<Finding>,
}

impl Command {
    fn long(&mut self, name: &str, words: &mut impl Iterator<Item = String>) {
        let (name, given) = name.split_once('=').map_or((name, None), |(name, value)| (name, Some(value.to_owned())));
        let mut value = || given.clone().or_else(|| words.next()).unwrap_or_default();
        match name {
            "request" => self.method = Some(value()),
            "url" => self.url(value()),
            "header" => self.header(&value()),
            "data" | "data-ascii" | "data-binary" | "data-raw" => self.body(name != "data-raw", value()),
            "json" => {
                self.json = true;
                self.body(true, value());
            }
            "data-urlencode" => self.urlencoded(&value()),
            "url-query" => self.unread("url-query", value()),
            "user-agent" => self.header(&format!("User-Agent: {}", value())),
            "referer" => self.header(&format!("Referer: {}", value())),
            "cookie" => self.header(&format!("Cookie: {}", value())),
            "user" | "form" | "form-string" | "upload-file" | "aws-sigv4" | "oauth2-bearer" => {
                self.unread(name, value())
            }
            "get" => self.get = true,
            "head" => self.head = true,
            other if LONG_WITH_VALUE.contains(&other) => drop(value()),
            _ => {}
        }
    }

    /// Letters behind one dash; the value of the last may follow it at once.
    fn short(&mut self, word: &str, words: &mut impl Iterator<Item = String>) {
        let mut letters = word.chars();
        letters.next();
        while let Some(letter) = letters.next() {
            if !SHORT_WITH_VALUE.contains(letter) {
                match letter {
                    'G' => self.get = true,
                    'I' => self.head = true,
                    _ => {}
                }
                continue;
            }
            let rest = letters.as_str();
            let value = if rest.is_empty() { words.next().unwrap_or_default() } else { rest.to_owned() };
            match letter {
                'X' => self.method = Some(value),
                'H' => self.header(&value),
                'd' => self.body(true, value),
                'A' => self.header(&format!("User-Agent: {value}")),
                'e' => self.header(&format!("Referer: {value}")),
                'b' => self.header(&format!("Cookie: {value}")),
                'F' | 'T' | 'u' => self.unread(&letter.to_string(), value),
                _ => {}
            }
            return;
        }
    }

    fn url(&mut self, url: String) {
        self.url.get_or_insert(url);
    }

    fn header(&mut self, header: &str) {
        match header.split_once(':') {
            // `Name:` takes a header away that curl sends by itself.
            Some((name, value)) => self.headers.push((name.trim().to_owned(), value.trim().to_owned())),
            None => self.headers.push((header.trim_end_matches(';').to_owned(), String::new())),
        }
    }

    fn body(&mut self, may_be_file: bool, value: String) {
        match value.strip_prefix('@').filter(|_| may_be_file) {
            Some(file) => self.file(file),
            None => self.data.push(value.into_bytes()),
        }
    }

    /// `content`, `=content`, `name=content`, `@file` or `name@file`.
    fn urlencoded(&mut self, value: &str) {
        let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
        let (name, content) = match (value.find('='), value.find('@')) {
            (Some(equal), at) if at.is_none_or(|at| equal < at) => value.split_once('=').unwrap_or_default(),
            (_, Some(_)) => return self.file(value.split_once('@').map_or("", |(_, file)| file)),
            (_, None) => ("", value),
        };
        let name = if name.is_empty() { String::new() } else { format!("{name}=") };
        self.data.push(format!("{name}{}", encoded(content)).into_bytes());
    }

    fn file(&mut self, file: &str) {
        let shown: String = file.chars().take(64).collect();
        self.found.push(Finding::note(
            "data_of_a_file",
            said(
                format!("The body comes from the file {shown:?}, which is not read here."),
                format!("请求体来自文件 {shown:?}，此处不会读取。"),
            ),
            said("Paste the data itself, behind --data-raw.", "请用 --data-raw 直接粘贴数据内容。"),
        ));
    }

    fn unread(&mut self, option: &str, _value: String) {
        self.found.push(Finding::note(
            "option_not_read",
            said(
                format!("The option {option} of curl is not read here, and changes what is sent."),
                format!("此处不解析 curl 的选项 {option}，而它会改变所发送的内容。"),
            ),
            said("Use -H and --data-raw.", "请使用 -H 与 --data-raw。"),
        ));
    }

    /// What curl sends.
    fn sent(self) -> (Wire, Vec<Finding>) {
        let data = self.data.join(&b'&');
        let default = match (self.head, self.get || self.data.is_empty()) {
            (true, _) => "HEAD",
            (false, true) => "GET",
            (false, false) => "POST",
        };
        let method = self.method.unwrap_or_else(|| default.to_owned());
        let mut wire = Wire::of_url(&method, &self.url.unwrap_or_default());
        wire.headers = self.headers;
        if self.get && !data.is_empty() {
            let join = if wire.target.contains('?') { '&' } else { '?' };
            wire.target = format!("{}{join}{}", wire.target, String::from_utf8_lossy(&data));
        } else if !data.is_empty() {
            let kind = if self.json { "application/json" } else { "application/x-www-form-urlencoded" };
            wire.or_header("Content-Type", kind);
            wire.body = data;
        }
        if let Some(authority) = wire.authority.clone() {
            let usual = if wire.scheme == "https" { ":443" } else { ":80" };
            wire.or_header("Host", authority.strip_suffix(usual).unwrap_or(&authority));
        }
        wire.or_header("Accept", "*/*");
        wire.headers.retain(|(_, value)| !value.is_empty());
        (wire, self.found)
    }
}

#[cfg(test)]
mod tests;
