//! Which answers are the library's own.

use super::*;

const OWN: &str = "HTTP/1.1 414 URI Too Long\r\nContent-Length: 0\r\nConnection: close\r\nDate: Sat, 28 Nov 2026 23:00:00 GMT\r\n\r\n";

#[test]
fn the_librarys_own_answer_is_known_also_behind_another() {
    assert_eq!(librarys_own(OWN.as_bytes()), Some((&b""[..], StatusCode::URI_TOO_LONG)));
    let other = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
    let both = format!("{other}{OWN}");
    assert_eq!(librarys_own(both.as_bytes()), Some((other.as_bytes(), StatusCode::URI_TOO_LONG)));
}

#[test]
fn what_services_answer_is_not_the_librarys_own() {
    for theirs in [
        "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 400 Bad Request\r\nContent-Length: 4\r\n\r\n\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        "\r\n\r\n",
    ] {
        assert_eq!(librarys_own(theirs.as_bytes()), None, "{theirs:?}");
    }
}
