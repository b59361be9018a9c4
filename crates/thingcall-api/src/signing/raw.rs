//! A request as HTTP writes it, or as a bare URL.

use super::wire::Wire;

/// Methods that a request line begins with.
const METHODS: [&str; 7] = ["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS"];

/// Where a request line begins; also one that `curl -v` shows, behind `> `.
pub(super) fn begins(text: &str) -> Option<usize> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if is_request_line(line.strip_prefix("> ").unwrap_or(line)) {
            return Some(at);
        }
        at += line.len();
    }
    None
}

fn is_request_line(line: &str) -> bool {
    let mut words = line.trim_end().splitn(2, ' ');
    let method = words.next().is_some_and(|word| METHODS.iter().any(|method| method.eq_ignore_ascii_case(word)));
    let target = words.next().unwrap_or_default();
    method && (target.contains(" HTTP/") || target.starts_with('/') && target.contains('?'))
}

/// Reads a request that begins with its request line.
pub(super) fn read(text: &str) -> Wire {
    let shown_by_curl = text.starts_with("> ");
    let lines = text.split_inclusive('\n');
    let mut head: Vec<&str> = Vec::new();
    let mut length = 0;
    for line in lines {
        length += line.len();
        let line = if shown_by_curl { line.strip_prefix('>').unwrap_or_default() } else { line };
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        head.push(line.strip_prefix(' ').filter(|_| shown_by_curl).unwrap_or(line));
    }
    let (line, headers) = head.split_first().unwrap_or((&"", &[]));
    let (method, target) = line.split_once(' ').unwrap_or((line, ""));
    let target = target.rsplit_once(" HTTP/").map_or(target, |(target, _)| target).trim();
    let mut wire = if target.contains("://") && !target.starts_with('/') {
        Wire::of_url(method, target)
    } else {
        Wire { method: method.to_owned(), scheme: "http".to_owned(), target: target.to_owned(), ..Wire::default() }
    };
    // HTTP/2 tools show the request's own line as headers, too.
    let pairs = headers.iter().filter_map(|line| line.split_once(':').filter(|(name, _)| !name.is_empty()));
    wire.headers = pairs.map(|(name, value)| (name.trim_end().to_owned(), value.trim().to_owned())).collect();
    wire.body = if shown_by_curl { Vec::new() } else { body(&wire, text.get(length..).unwrap_or_default()) };
    wire
}

/// What of the rest is the body: a form has no line end, but what is pasted has.
fn body(wire: &Wire, rest: &str) -> Vec<u8> {
    if wire.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked"))
        && let Some(body) = chunks(rest)
    {
        return body;
    }
    let length = wire.header("content-length").and_then(|value| value.parse::<usize>().ok());
    if let Some(exactly) = length.and_then(|length| rest.as_bytes().get(..length)) {
        return exactly.to_vec();
    }
    rest.trim_end_matches(['\r', '\n']).as_bytes().to_vec()
}

/// A body in chunks, if it is one.
fn chunks(text: &str) -> Option<Vec<u8>> {
    let (mut rest, mut body) = (text.as_bytes(), Vec::new());
    loop {
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let (line, behind) = rest.split_at_checked(end + 1)?;
        let size = std::str::from_utf8(line).ok()?.split(';').next()?.trim();
        let size = usize::from_str_radix(size, 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        let (chunk, behind) = behind.split_at_checked(size)?;
        body.extend_from_slice(chunk);
        rest = behind.strip_prefix(b"\r\n").or_else(|| behind.strip_prefix(b"\n"))?;
    }
}

/// The first URL in a text that carries a signature, such as one that an SDK's error tells; or a path with one.
pub(super) fn url(text: &str) -> Option<&str> {
    let words = text.split(|char: char| char.is_whitespace() || "\"'<>`".contains(char));
    let signed = |word: &&str| word.contains("Signature=") && word.contains('?');
    words.filter(signed).find_map(|word| match (word.find("http://"), word.find("https://")) {
        (Some(at), _) | (None, Some(at)) => word.get(at..),
        (None, None) => word.starts_with(['/', '?']).then_some(word),
    })
}

#[cfg(test)]
mod tests {
    //! Dumps of requests are taken apart.

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn head_and_body_are_read_with_either_line_end() {
        for end in ["\r\n", "\n"] {
            let text = ["POST /?a=1 HTTP/1.1", "Host: h", "x-Y:  z ", "", "b=2"].join(end) + end;
            let wire = read(&text);
            assert_eq!((&*wire.method, &*wire.target, wire.header("x-y")), ("POST", "/?a=1", Some("z")));
            assert_eq!(wire.body, b"b=2", "{end:?}");
        }
        let wire = read("POST http://h:1/?a HTTP/1.1\nContent-Length: 3\n\nabc\n\n");
        assert_eq!((wire.authority.as_deref(), &*wire.target, &*wire.body), (Some("h:1"), "/?a", &b"abc"[..]));
    }

    #[test]
    fn chunks_are_joined() {
        let wire = read("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\na=b\r\n2;x\r\n&c\r\n0\r\n\r\n");
        assert_eq!(wire.body, b"a=b&c");
        let wire = read("POST / HTTP/1.1\nTransfer-Encoding: chunked\n\na=b");
        assert_eq!(wire.body, b"a=b");
    }

    #[test]
    fn what_curl_shows_is_read_without_its_marks() {
        let text = "* Connected\n> POST /?a=1 HTTP/1.1\n> Host: h\n> Accept: */*\n>\n< HTTP/1.1 400\n";
        let wire = read(text.get(begins(text).unwrap()..).unwrap());
        assert_eq!((&*wire.target, wire.header("host"), &*wire.body), ("/?a=1", Some("h"), &b""[..]));
    }

    #[test]
    fn the_url_of_an_error_is_found() {
        let text = "Specified signature is not matched, URL: http://h:1/?a=1&Signature=x%3D\n    at";
        assert_eq!(url(text), Some("http://h:1/?a=1&Signature=x%3D"));
        assert_eq!(url("  /?Signature=a"), Some("/?Signature=a"));
        assert_eq!(url("http://h/?a=b"), None);
    }

    proptest! {
        #[test]
        fn no_request_is_too_odd(text in "(POST / HTTP/1.1\n|Transfer-Encoding: chunked\n|f\n|\n|\\PC|> |:){0,40}") {
            read(&text);
            begins(&text);
            url(&text);
        }
    }
}
