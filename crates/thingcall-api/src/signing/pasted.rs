//! What somebody pasted, taken apart: a request in one of its forms, what a server said of it, and the string that was signed.

use super::finding::Finding;
use super::said::{Said, said};
use super::told::{self, Told, V1_BEGINS};
use super::wire::Wire;
use super::{PASTED_BYTES_MAX, curl, raw};

/// What is in it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Pasted {
    /// A request.
    pub(super) request: Option<Wire>,
    /// It is a URL, which does not say by which method it is sent.
    pub(super) is_url: bool,
    /// What a server or an SDK said.
    pub(super) told: Option<Told>,
    /// What the client says it signed: a string to sign or a canonical request.
    pub(super) signed: Option<String>,
    /// What was odd about its form.
    pub(super) found: Vec<Finding>,
}

/// Takes it apart.
///
/// # Errors
/// If there is nothing in it that could be explained.
pub(super) fn read(text: &str) -> Result<Pasted, Said> {
    if text.len() > PASTED_BYTES_MAX {
        return Err(said(
            format!("There are {} bytes; at most {PASTED_BYTES_MAX} are read.", text.len()),
            format!("内容有 {} 字节；最多读取 {PASTED_BYTES_MAX} 字节。", text.len()),
        ));
    }
    let text = text.trim_start_matches('\u{feff}');
    let mut pasted = Pasted::default();
    let command = command(text);
    let rest = if let Some(at) = command {
        let (before, command) = text.split_at_checked(at).unwrap_or_default();
        let (wire, found, end) = curl::read(command);
        (pasted.request, pasted.found) = (Some(wire), found);
        format!("{before}\n{}", command.get(end..).unwrap_or_default())
    } else {
        text.to_owned()
    };
    pasted.told = told::read(&rest);
    let server = pasted.told.as_ref().and_then(|told| told.string.as_deref());
    pasted.signed = signed(&rest, server);
    if pasted.request.is_none() && pasted.signed.as_ref().is_none_or(|string| !string.contains('\n')) {
        if let Some(request) = raw::begins(&rest).and_then(|at| rest.get(at..)) {
            pasted.request = Some(raw::read(request));
        } else if let Some(url) = raw::url(&rest) {
            (pasted.request, pasted.is_url) = (Some(of_url(url)), true);
        }
    }
    if pasted.request.is_none() && pasted.told.is_none() && pasted.signed.is_none() {
        return Err(said(
            "Nothing in it is a request or a string to sign. Paste a curl command, a whole HTTP request, a signed URL, the \
             answer or the error that says SignatureDoesNotMatch, or the string that was signed.",
            "其中没有请求，也没有待签名字符串。请粘贴 curl 命令、完整的 HTTP 请求、已签名的 URL、提示 SignatureDoesNotMatch \
             的应答或错误信息，或者实际签名的字符串。",
        ));
    }
    Ok(pasted)
}

/// Where a curl command begins: a line's first word, behind a prompt perhaps.
fn command(text: &str) -> Option<usize> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let start = line.trim_start().trim_start_matches(['$', '#', '%']).trim_start();
        if ["curl ", "curl\t", "curl.exe "].iter().any(|word| start.starts_with(word)) {
            return Some(at + line.len() - start.len());
        }
        at += line.len();
    }
    None
}

/// A URL alone. A path alone is one, too.
fn of_url(url: &str) -> Wire {
    if !url.contains("://") {
        let target = if url.starts_with('/') { url.to_owned() } else { format!("/{url}") };
        return Wire { method: "GET".to_owned(), scheme: "http".to_owned(), target, ..Wire::default() };
    }
    let mut wire = Wire::of_url("GET", url);
    if let Some(authority) = wire.authority.clone() {
        wire.or_header("Host", &authority);
    }
    wire
}

/// The string to sign or the canonical request that stands by itself, other than the server's.
fn signed(text: &str, server: Option<&str>) -> Option<String> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let from = text.get(at..).unwrap_or_default();
        at += line.len();
        let word = line.trim_end_matches(['\r', '\n']);
        let found = if V1_BEGINS.iter().any(|begin| word.to_ascii_uppercase().starts_with(begin)) {
            Some(word.trim_end().to_owned())
        } else if word.trim() == crate::sign::ACS3 {
            told::string_at_start(from)
        } else {
            canonical(from)
        };
        if let Some(found) = found.filter(|found| Some(found.as_str()) != server) {
            return Some(found);
        }
    }
    None
}

/// A canonical request at the beginning of a text: method, path, query, headers, names, hash.
fn canonical(text: &str) -> Option<String> {
    let mut lines = text.lines();
    let method = lines.next()?.trim();
    if !["GET", "POST"].iter().any(|known| known.eq_ignore_ascii_case(method)) || !lines.next()?.starts_with('/') {
        return None;
    }
    let is_hash = |line: &str| line.trim().len() == 64 && line.trim().bytes().all(|byte| byte.is_ascii_hexdigit());
    let end = text.lines().position(is_hash)?;
    Some(text.lines().take(end + 1).map(str::trim_end).collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    //! Each form of what is pasted is known for what it is.

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_form_is_recognized() {
        let curl = read("$ curl -X POST 'http://h/?a=1' \\\n -H 'b: c'\n").unwrap();
        assert_eq!(curl.request.as_ref().map(|wire| &*wire.method), Some("POST"));
        let raw = read("\nPOST /?a HTTP/1.1\nHost: h\n\n").unwrap();
        assert_eq!(raw.request.as_ref().and_then(|wire| wire.header("Host")), Some("h"));
        let url = read(" http://h:1/?a=b&Signature=c \n").unwrap();
        assert!(url.is_url && url.request.is_some());
        let string = read("POST&%2F&a%3Db\n").unwrap();
        assert_eq!((string.signed.as_deref(), string.request), (Some("POST&%2F&a%3Db"), None));
        let canonical = format!("POST\n/\na=b\nhost:h\n\nhost\n{}", "0".repeat(64));
        assert_eq!(read(&canonical).unwrap().signed, Some(canonical));
        let both = read("server string to sign is:POST&%2F&a%3Db\nmine:\nPOST&%2F&a%3Dc").unwrap();
        assert_eq!(both.told.and_then(|told| told.string).as_deref(), Some("POST&%2F&a%3Db"));
        assert_eq!(both.signed.as_deref(), Some("POST&%2F&a%3Dc"));
        assert!(read("hello").is_err() && read("").is_err());
    }

    #[test]
    fn more_than_is_read_is_refused() {
        assert!(read(&"x".repeat(PASTED_BYTES_MAX + 1)).unwrap_err().english.contains("65536"));
    }

    proptest! {
        #[test]
        fn nothing_is_too_odd(text in ".{0,400}") {
            read(&text).ok();
        }
    }
}
