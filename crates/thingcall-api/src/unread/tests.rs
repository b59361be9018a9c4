//! What is seen in bytes that are no request.

use super::*;

#[test]
fn a_form_is_found_where_it_was_asked_for_and_else_told_by_the_signature() {
    for (head, form) in [
        ("POST /?Args=a&Format=XML&Z=1 HTTP/1.1\r\n", Format::Xml),
        ("POST /?AccessKeyId=a&Format=json", Format::Json),
        ("POST /?AccessKeyId=a&Args=aaaaaaa", Format::Xml),
        ("POST /?Args=aaaaaaa", Format::Json),
        ("\r\n", Format::Json),
        ("", Format::Json),
    ] {
        assert_eq!(format(head.as_bytes()), form, "{head:?}");
    }
}

#[test]
fn a_host_is_found_however_it_is_written() {
    assert_eq!(header(b"GET / HTTP/1.1\r\nHOST: here \r\n", b"host:"), b"here");
    assert_eq!(header(b"GET / HTTP/1.1\r\nHos", b"host:"), b"");
}
